// The first instructions of every hart, and what they hand on: the boot ROM of QEMU's `virt`.
#pragma once
#include <vector>

#include "core/types.hpp"

namespace hartline {

inline constexpr u64 kResetVectorBytes = 96;  // what reset_vector() returns

struct BootHandOver {
    u64 start = 0;        // where every hart goes on, in M-mode, with a0 = mhartid, a1 = device_tree
    u64 device_tree = 0;  // physical address of the flattened tree
    u64 next = 0;         // where OpenSBI goes on in S-mode (struct fw_dynamic_info, at a2)
};

// The ROM's contents. Position independent; each hart enters at its first byte.
std::vector<u8> reset_vector(const BootHandOver& to);
}  // namespace hartline
