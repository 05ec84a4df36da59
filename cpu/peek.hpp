// Looking at a hart's registers by the names of the specification, for tests and debuggers.
#pragma once
#include <optional>
#include <string_view>

#include "core/hart.hpp"

namespace hartline {

// Is this the name of a register, in some hart: x0 to x31, f0 to f31, pc, csr.NAME?
bool register_exists(std::string_view name);
// Its value; of a CSR what a read in M-mode returns. None: this hart has no such register. `hart` is one that
// make_hart() made.
std::optional<u64> peek(Hart& hart, std::string_view name);
}  // namespace hartline
