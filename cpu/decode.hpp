// From instruction bits to a row and its operands.
#pragma once
#include "cpu/isa.hpp"

namespace hartline {

struct Decoded {
    Op op = Op::Illegal;
    Operands operands{};
    u8 length = 4;  // in bytes; also right for illegal instructions
    bool operator==(const Decoded&) const = default;
};

// Of a compressed instruction (low bits other than 11) the high half of `word` does not matter.
Decoded decode(u32 word);
constexpr u8 length_of(u32 word) { return (word & 3) == 3 ? 4 : 2; }

// The compressed row that a halfword is an encoding of; null: none, or one that is reserved.
const CompressedRow* find_compressed(u16 halfword);
// The row without semantics that a word would be; null: none.
const TodoRow* find_todo(u32 word);
}  // namespace hartline
