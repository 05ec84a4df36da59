// Disassembly from the table, in the syntax of binutils.
#pragma once
#include <string>

#include "core/types.hpp"

namespace hartline {

// The instruction `word` (a compressed one in its low half) at `pc`. What is no instruction prints as data.
std::string print(u32 word, u64 pc);

std::string_view x_name(unsigned reg);
std::string_view f_name(unsigned reg);
}  // namespace hartline
