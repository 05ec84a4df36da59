// What a decoded instruction carries, in the eight bytes that the interpreter keeps beside its handler.
#pragma once
#include "core/types.hpp"

namespace hartline {

struct Operands {
    u8 rd = 0, rs1 = 0, rs2 = 0, rs3 = 0;
    // Immediate, already shifted and sign-extended; CSR number; or the rounding mode of a floating-point row.
    i32 imm = 0;
    bool operator==(const Operands&) const = default;
};
static_assert(sizeof(Operands) == 8);
}  // namespace hartline
