// The interpreter's handlers: one function a row of the instruction table, and the pseudo-instructions of
// blocks.
#pragma once
#include "cpu/interpreter/block.hpp"
#include "cpu/isa.hpp"

namespace hartline {

Handler handler_of(Op op);         // Op::Illegal: raises illegal instruction
Handler traced_handler_of(Op op);  // the same, and tells HartConfig::observer (traced.cpp)
Handler end_of_block_handler();    // goes on behind a block that no instruction ended
}  // namespace hartline
