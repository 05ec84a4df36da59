// The out-of-line halves of the interpreter's words.
#include "cpu/interpreter/slow.hpp"

namespace hartline {
namespace {
Slow finish(const Context& c, bool done, u64 value) {
    if (!done) return {0, Exit::Trap};
    return {value, c.leave ? Exit::Leave : Exit::Next};
}
}  // namespace

Slow slow_load(Context& c, const Insn* in, u64 vaddr, unsigned bytes) {
    c.current = in;
    u64 value = 0;
    const bool done = load_slow(c.cpu, vaddr, bytes, value);
    return finish(c, done, value);
}
Slow slow_store(Context& c, const Insn* in, u64 vaddr, unsigned bytes, u64 value) {
    c.current = in;
    return finish(c, store_slow(c.cpu, vaddr, bytes, value), 0);
}
Slow slow_amo(Context& c, const Insn* in, AmoOp op, unsigned bytes, u64 vaddr, u64 operand) {
    c.current = in;
    u64 old = 0;
    const bool done = amo(c.cpu, op, bytes, vaddr, operand, old);
    return finish(c, done, old);
}
Slow slow_load_reserved(Context& c, const Insn* in, unsigned bytes, u64 vaddr) {
    c.current = in;
    u64 value = 0;
    const bool done = load_reserved(c.cpu, bytes, vaddr, value);
    return finish(c, done, value);
}
Slow slow_store_conditional(Context& c, const Insn* in, unsigned bytes, u64 vaddr, u64 value) {
    c.current = in;
    u64 failed = 0;
    const bool done = store_conditional(c.cpu, bytes, vaddr, value, failed);
    return finish(c, done, failed);
}
Slow slow_compare_swap(Context& c, const Insn* in, unsigned bytes, u64 vaddr, u64 expected, u64 desired) {
    c.current = in;
    u64 old = 0;
    const bool done = compare_swap(c.cpu, bytes, vaddr, expected, desired, old);
    return finish(c, done, old);
}
Slow slow_illegal(Context& c, const Insn* in) {
    c.current = in;
    return finish(c, c.cpu.fault(Cause::IllegalInstruction, c.cpu.engine->instruction_bits()), 0);
}
u64 slow_fp(Context& c, fp::Function function, fp::Rounding rounding, u64 a, u64 b, u64 d) {
    u32 flags = 0;
    const u64 result = function(a, b, d, rounding, flags);
    if (flags != 0) {
        c.cpu.s.fflags |= flags;
        c.cpu.s.mstatus |= u64{3} << 13;  // FS is Dirty
    }
    return result;
}
Exit slow_call(Context& c, const Insn* in, SystemFunction function, const Operands& operands) {
    c.current = in;
    c.cpu.s.pc = c.current_pc();
    c.cpu.next_pc = c.block_pc + c.block->bytes;
    if (function(c.cpu, operands) == Outcome::Trap) return Exit::Trap;
    c.cpu.s.pc = c.cpu.next_pc;
    return Exit::System;
}
}  // namespace hartline
