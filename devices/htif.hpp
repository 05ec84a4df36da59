// HTIF: how test programs of the RISC-V Foundation's tools report, print and exit, through two words of
// memory.
#pragma once
#include "core/device.hpp"

namespace hartline {
// The guest-physical addresses of `tohost` and `fromhost` (0: the program has none). The machine's builder
// watches the 8 bytes of tohost for it.
DeviceFactory htif(ByteSink& sink, u64 tohost, u64 fromhost);
}  // namespace hartline
