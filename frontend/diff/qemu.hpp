// Our machine against QEMU's, an instruction at a time.
#pragma once
#include <string>

#include "frontend/diff/follow.hpp"

namespace hartline {

// Starts `program` (qemu-system-riscv64) with the bare-metal program `image`, stopped, and steps both. Throws
// InputError when it cannot be started, HostError when it goes away.
Followed follow_qemu(Machine& machine, const std::string& program, const std::string& image, u64 most);
}  // namespace hartline
