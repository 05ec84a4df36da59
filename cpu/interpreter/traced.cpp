// Handlers for a hart that is watched: the same rows over a machine that computes and takes notes.
#include "cpu/amo.hpp"
#include "cpu/interpreter/handlers.hpp"
#include "cpu/interpreter/machine.hpp"
#include "cpu/interpreter/rows.hpp"
#include "cpu/observer.hpp"

namespace hartline {
namespace {

constexpr u64 kFs = u64{3} << 13;  // mstatus.FS
constexpr unsigned kFflags = 0x001, kMstatus = 0x300;

// Each word does what it does in Interp, and is noted when it was done.
template <bool kProbing>
struct Traced : Interp<kProbing> {
    using Base = Interp<kProbing>;
    Commit& notes;

    bool done() const { return this->exit != Exit::Trap && this->exit != Exit::Miss; }
    void touched(u64 vaddr, unsigned width, u64 value, bool store) {
        notes.memory.add({vaddr, bits(value, width - 1, 0), 0, static_cast<u8>(width / 8), store});
    }

    void set(u8 r, u64 v) {
        Base::set(r, v);
        notes.set_x(r, v);
    }
    void set_f(u8 r, u64 v) {
        Base::set_f(r, v);
        notes.registers.add({r, true, v});
    }

    template <class K>
    void load(unsigned width, Sign sign, u64 vaddr, K&& k) {
        Base::load(width, sign, vaddr, [&](u64 value) {
            touched(vaddr, width, value, false);
            k(value);
        });
    }
    void store(unsigned width, u64 vaddr, u64 value) {
        Base::store(width, vaddr, value);
        if (done()) touched(vaddr, width, value, true);
    }
    template <class K>
    void amo(AmoOp op, unsigned width, u64 vaddr, u64 operand, K&& k) {
        Base::amo(op, width, vaddr, operand, [&](u64 old) {
            touched(vaddr, width, old, false);
            touched(vaddr, width, combine(op, width, old, operand), true);
            k(old);
        });
    }
    template <class K>
    void load_reserved(unsigned width, u64 vaddr, K&& k) {
        Base::load_reserved(width, vaddr, [&](u64 value) {
            touched(vaddr, width, value, false);
            k(value);
        });
    }
    template <class K>
    void store_conditional(unsigned width, u64 vaddr, u64 value, K&& k) {
        Base::store_conditional(width, vaddr, value, [&](u64 failed) {
            if (failed == 0) touched(vaddr, width, value, true);
            k(failed);
        });
    }
    template <class K>
    void compare_swap(unsigned width, u64 vaddr, u64 expected, u64 desired, K&& k) {
        Base::compare_swap(width, vaddr, expected, desired, [&](u64 old) {
            touched(vaddr, width, old, false);
            if (Base::zext(old, width) == Base::zext(expected, width)) touched(vaddr, width, desired, true);
            k(old);
        });
    }

    template <class K>
    void rounding(i32 rm, K&& k) {
        Base::rounding(rm, [&](fp::Rounding mode) {
            notes.rounding = static_cast<u8>(mode);
            k(mode);
        });
    }
    // Never on the host's unit, which does not tell which flags an operation raises. The result is the same.
    template <class FpOp>
    u64 fp(FpOp op, AnyRounding, u64 a, u64 b = 0, u64 d = 0) {
        return fp(op, fp::Rounding::NearestEven, a, b, d);
    }
    template <class FpOp>
    u64 fp(FpOp, fp::Rounding mode, u64 a, u64 b = 0, u64 d = 0) {
        u32 flags = 0;
        const u64 result = fp::function(FpOp::value)(a, b, d, mode, flags);
        if (flags != 0) {
            this->c.cpu.s.fflags |= flags;
            this->c.cpu.s.mstatus |= kFs;
            notes.fp_flags = static_cast<u8>(notes.fp_flags | flags);
        }
        return result;
    }
};

// What go_on() needs of a machine, in registers: the tracing itself is out of line.
struct Ran {
    Exit exit;
    u64 target;
};

void begin(Context& c, const Insn* in, Op op, bool uses_pc) {
    Commit& notes = *c.cpu.notes;
    const HartState& s = c.cpu.s;
    const Operands& o = in->operands;
    c.current = in;
    notes.forget_effects();
    notes.number = c.cpu.engine->retired_now();
    const u64 offset = c.block->offset(c.current_index());
    notes.pc = c.block_pc + offset;
    notes.bits = c.cpu.engine->instruction_bits();
    notes.length = (notes.bits & 3) == 3 ? 4 : 2;
    notes.op = op;
    notes.privilege = s.privilege;
    notes.operands = o;
    if (o.rd == 32) notes.operands.rd = 0;
    if (uses_pc) notes.operands.imm -= static_cast<i32>(offset);  // see decode_block.cpp
    notes.x = {s.x[o.rs1 % 32], s.x[o.rs2 % 32]};
    notes.f = {s.f[o.rs1 % 32], s.f[o.rs2 % 32], s.f[o.rs3 % 32]};
    notes.mstatus = s.mstatus;
}

void end(Context& c) {
    Commit& notes = *c.cpu.notes;
    if (notes.fp_flags != 0) note_csr(c.cpu, kFflags);
    if (((notes.mstatus ^ c.cpu.s.mstatus) & kFs) != 0) note_csr(c.cpu, kMstatus);
    c.cpu.config.observer->committed(notes);
}

template <Op kOp, class Exec>
[[gnu::noinline]] Ran trace(Context& c, const Insn* in) {
    constexpr Effects effects = kEffects[static_cast<std::size_t>(kOp)];
    begin(c, in, kOp, effects.uses_pc);
    if constexpr (effects.floating_point)
        if ((c.cpu.s.mstatus & kFs) == 0) return {slow_illegal(c, in).exit, 0};
    Traced<true> m{{c, in}, *c.cpu.notes};
    Exec{}(m, in->operands);
    Ran ran{m.exit, m.target};
    if constexpr (effects.loads || effects.stores) {
        if (ran.exit == Exit::Miss) {
            c.cpu.notes->forget_effects();
            Traced<false> again{{c, in}, *c.cpu.notes};
            Exec{}(again, in->operands);
            ran = {again.exit, again.target};
        }
    }
    if (ran.exit != Exit::Trap) end(c);
    return ran;
}

#define INSN(id, ...)                                   \
    Exit trace_##id(Context& c, const Insn* in) {       \
        const Ran ran = trace<Op::id, Exec##id>(c, in); \
        return go_on<Op::id>(c, in, ran);               \
    }
#include "cpu/isa/all.def"

constexpr std::array<Handler, kRows> kTraced{{
#define INSN(id, ...) trace_##id,
#include "cpu/isa/all.def"
}};
}  // namespace

Handler traced_handler_of(Op op) {
    return op == Op::Illegal ? handler_of(op) : kTraced[static_cast<std::size_t>(op)];
}
}  // namespace hartline
