// The firmware that is built in: OpenSBI's fw_dynamic for RV64, from Debian's package.
#pragma once
#include <span>

#include "core/types.hpp"

namespace hartline {
// A raw image, to be loaded and entered at the start of RAM. Never empty.
std::span<const u8> embedded_firmware();
}  // namespace hartline
