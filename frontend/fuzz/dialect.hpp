// What is left out of programs because the machine that judges them lacks it, or the specification leaves it
// open.
#pragma once
#include <span>

#include "frontend/fuzz/program.hpp"

namespace hartline::fuzz {

bool knows(Dialect dialect, const Row& row);
bool knows(Dialect dialect, const CompressedRow& row);

// A CSR that programs write and read: `bits` are those that all implementations must agree on.
struct CsrProbe {
    u16 number;
    u64 bits;
    bool machine_only;  // also: restored after the probe, because the frame needs it
};
std::span<const CsrProbe> probes(Dialect dialect);
}  // namespace hartline::fuzz
