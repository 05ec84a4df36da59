// SiFive's test finisher: how a guest powers its machine off or restarts it.
#pragma once
#include "core/device.hpp"

namespace hartline {
DeviceFactory finisher();
}  // namespace hartline
