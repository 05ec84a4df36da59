// Runs IR as it stands: the reference for translators, and a second opinion on the interpreter's words.
#pragma once
#include "cpu/cpu.hpp"
#include "cpu/ir.hpp"

namespace hartline {

struct Evaluation {
    bool trapped = false;  // Cpu::pending; Cpu::s.pc is the instruction that did not retire
    u64 retired = 0;       // guest instructions; s.retired has grown as much
};
// Where to stop before the block's end.
struct EvaluationBounds {
    u64 most = ~u64{0};           // guest instructions
    const bool* leave = nullptr;  // looked at after each of them
};
// Runs a block that verify() accepts, and that starts at Cpu::s.pc. Afterwards s.pc is where to go on.
Evaluation evaluate(const IrBlock& block, Cpu& cpu, const EvaluationBounds& bounds = {});

// What an operation of words.def makes of its operands, written from the specification.
u64 evaluate_integer(IrOp op, u64 a, u64 b);
}  // namespace hartline
