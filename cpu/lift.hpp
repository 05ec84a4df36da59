// The lifting machine: each word of the vocabulary (semantics.hpp) appends an IR instruction.
#pragma once
#include "cpu/ir.hpp"
#include "cpu/semantics.hpp"

namespace hartline {

struct Lift {
    struct V {
        u32 id;
    };
    struct R {
        u8 mode;  // as IrInst::rounding
    };
    IrBlock& block;
    u8 length;  // of the guest instruction, in bytes
    bool terminated = false;

    V emit(const IrInst& inst) {
        block.push_back(inst);
        return {static_cast<u32>(block.size() - 1)};
    }
    void terminate(const IrInst& inst) {
        emit(inst);
        terminated = true;
    }

    V imm(i64 value) { return emit({.op = IrOp::Imm, .imm = static_cast<u64>(value)}); }
    V x(u8 reg) { return reg == 0 ? imm(0) : emit({.op = IrOp::GetX, .reg = reg}); }
    void set(u8 reg, V value) {
        if (reg != 0) emit({.op = IrOp::SetX, .reg = reg, .a = value.id});
    }
    static bool is_x0(u8 reg) { return reg == 0; }

#define UNARY(word, name) \
    V word(V a) { return emit({.op = IrOp::name, .a = a.id}); }
#define BINARY(word, name) \
    V word(V a, V b) { return emit({.op = IrOp::name, .a = a.id, .b = b.id}); }
#include "cpu/isa/words.def"
    V select(V condition, V a, V b) {
        return emit({.op = IrOp::Select, .a = condition.id, .b = a.id, .c = b.id});
    }
    V sext(V a, u8 width) { return emit({.op = IrOp::Sext, .width = width, .a = a.id}); }
    V zext(V a, u8 width) { return emit({.op = IrOp::Zext, .width = width, .a = a.id}); }

    V pc_plus(i64 n) { return emit({.op = IrOp::PcPlus, .imm = static_cast<u64>(n)}); }
    V next_pc() { return pc_plus(length); }
    void jump(V to) { terminate({.op = IrOp::Jump, .a = to.id}); }
    void branch(V condition, V to) { terminate({.op = IrOp::Branch, .a = condition.id, .b = to.id}); }

    template <class K>
    void load(u8 width, Sign sign, V address, K&& k) {
        k(emit({.op = IrOp::Load, .width = width, .is_signed = sign == Sign::Signed, .a = address.id}));
    }
    void store(u8 width, V address, V value) {
        emit({.op = IrOp::Store, .width = width, .a = address.id, .b = value.id});
    }
    template <class K>
    void amo(AmoOp op, u8 width, V address, V operand, K&& k) {
        k(emit({.op = IrOp::Amo, .width = width, .amo = op, .a = address.id, .b = operand.id}));
    }
    template <class K>
    void load_reserved(u8 width, V address, K&& k) {
        k(emit({.op = IrOp::LoadReserved, .width = width, .a = address.id}));
    }
    template <class K>
    void store_conditional(u8 width, V address, V value, K&& k) {
        k(emit({.op = IrOp::StoreConditional, .width = width, .a = address.id, .b = value.id}));
    }
    template <class K>
    void compare_swap(u8 width, V address, V expected, V desired, K&& k) {
        k(emit(
            {.op = IrOp::CompareSwap, .width = width, .a = address.id, .b = expected.id, .c = desired.id}));
    }
    void fence(i32 sets) { emit({.op = IrOp::Fence, .imm = static_cast<u64>(sets)}); }

    V f(u8 reg) { return emit({.op = IrOp::GetF, .reg = reg}); }
    void set_f(u8 reg, V value) { emit({.op = IrOp::SetF, .reg = reg, .a = value.id}); }
    V box(V a, u8 width) { return emit({.op = IrOp::Box, .width = width, .a = a.id}); }
    V unbox(V a, u8 width) { return emit({.op = IrOp::Unbox, .width = width, .a = a.id}); }
    template <class K>
    void rounding(i32 rm, K&& k) {
        if (rm == 5 || rm == 6) return terminate({.op = IrOp::Illegal});
        if (rm == kDynamicRounding) emit({.op = IrOp::RoundingGuard});
        k(R{static_cast<u8>(rm)});
    }
    template <class FpOp>
    V fp(FpOp, R rounding, V a, V b = {kNoValue}, V c = {kNoValue}) {
        return emit({.op = IrOp::Fp,
                     .fp_op = FpOp::value,
                     .rounding = rounding.mode,
                     .a = a.id,
                     .b = b.id,
                     .c = c.id});
    }
    template <class FpOp>
    V fp(FpOp op, AnyRounding, V a, V b = {kNoValue}, V c = {kNoValue}) {
        return fp(op, R{static_cast<u8>(fp::Rounding::NearestEven)}, a, b, c);
    }

    void call(SystemFunction function, const Operands& operands) {
        terminate({.op = IrOp::Call, .function = function, .operands = operands});
    }
};

// Appends the instruction at `pc`, which is `length` bytes long. Op::Illegal is one that raises its
// exception.
void lift(Op op, const Operands& operands, u64 pc, u8 length, IrBlock& block);
}  // namespace hartline
