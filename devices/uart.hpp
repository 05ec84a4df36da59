// 16550A serial port: the console.
#pragma once
#include "core/device.hpp"

namespace hartline {
// What the guest sends goes to `sink`, which outlives the device.
DeviceFactory uart(ByteSink& sink);
}  // namespace hartline
