// Units in words.
#pragma once
#include <string>

#include "cpu/jit/unit.hpp"

namespace hartline::jit {

struct CodeOfUnit {
    const u8* host = nullptr;
    u64 address = 0;  // that it is executed at
    std::size_t bytes = 0;
};
// `page`: the virtual address to show for its page.
std::string describe_unit(const Unit& unit, const CodeOfUnit& code, u64 page);
}  // namespace hartline::jit
