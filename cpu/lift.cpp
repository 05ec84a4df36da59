// Every row's semantics, run over the lifting machine.
#include "cpu/lift.hpp"

#include <array>

namespace hartline {
namespace {
using LiftRow = void (*)(Lift&, const Operands&);
constexpr std::array<LiftRow, kRows> kLiftRows{{
#define INSN(id, ...) exec_##id<Lift>,
#include "cpu/isa/all.def"
}};
}  // namespace

void lift(Op op, const Operands& operands, u64 pc, u8 length, IrBlock& block) {
    Lift m{block, length};
    m.emit({.op = IrOp::Begin, .width = length, .imm = pc});
    if (op == Op::Illegal) return m.terminate({.op = IrOp::Illegal});
    if (is_floating_point(row(op).extension)) m.emit({.op = IrOp::FpGuard});
    kLiftRows[static_cast<std::size_t>(op)](m, operands);
    if (!m.terminated) m.emit({.op = IrOp::End});
}
}  // namespace hartline
