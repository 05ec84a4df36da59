// Platform-level interrupt controller: which device interrupt goes to which hart and mode.
#pragma once
#include "core/device.hpp"

namespace hartline {
DeviceFactory plic();
}  // namespace hartline
