// Units in words.
#pragma once
#include <string>

#include "cpu/jit/host_text.hpp"
#include "cpu/jit/unit.hpp"

namespace hartline::jit {

// Each guest instruction, its IR, and beside them the host code of `code` that is for it. `page`: the virtual
// address to show for the unit's page.
std::string describe_unit(const Unit& unit, const HostText::Code& code, u64 page, HostText& host);
}  // namespace hartline::jit
