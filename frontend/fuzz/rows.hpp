// Rows of the instruction table by what they may do in a random program, and random encodings of them.
#pragma once
#include <optional>
#include <vector>

#include "cpu/effects.hpp"
#include "frontend/fuzz/writer.hpp"

namespace hartline::fuzz {

struct Rows {
    explicit Rows(Dialect dialect);
    // 32 bits wide
    std::vector<Op> integer;   // registers to registers, no traps
    std::vector<Op> floating;  // no memory
    std::vector<Op> access;    // loads and stores
    std::vector<Op> access_fp;
    std::vector<Op> atomic;  // all but LR and SC
    std::vector<Op> branches;
    std::vector<Op> hints;  // pause and the like: nothing but a retirement
    // 16 bits wide
    std::vector<const CompressedRow*> c_integer, c_access, c_branches;
};

const Effects& effects(Op op);
// Random operands; x30 and x31 are not written, the immediate is any.
u32 random_word(Writer& w, Op op);
// none: this row's operands do not suit (after some tries).
std::optional<u16> random_half(Writer& w, const CompressedRow& row);
}  // namespace hartline::fuzz
