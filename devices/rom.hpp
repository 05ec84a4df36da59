// Read-only memory that harts may fetch from: the reset vector.
#pragma once
#include <vector>

#include "core/device.hpp"

namespace hartline {
// `contents`, then zeroes up to `size` bytes. Throws std::invalid_argument when it does not fit.
DeviceFactory rom(std::vector<u8> contents, u64 size);
}  // namespace hartline
