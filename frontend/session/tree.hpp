// The device tree of a machine as built, in the shape of QEMU's `virt`.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "core/machine.hpp"

namespace hartline {

struct TreeFacts {
    std::string bootargs;
    u64 initrd_start = 0, initrd_end = 0;  // equal: none
    u64 seed = 0;                          // of chosen/rng-seed
    std::string stdout_path;               // empty: none
    u32 timebase_hz = 10'000'000;          // of mtime
    // What the harts are.
    std::string isa;                      // riscv,isa
    std::vector<std::string> extensions;  // riscv,isa-extensions
};

// The flattened tree. Every device with an address writes its own node.
std::vector<u8> device_tree(const Machine& machine, const TreeFacts& facts);
}  // namespace hartline
