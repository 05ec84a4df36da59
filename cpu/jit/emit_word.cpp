// Results of 32 bits, whose sign extension waits.
//
// An instruction on words leaves only the lower half of its result in the home, and others like it read no
// more than that. The upper half is made where it begins to matter: for another use, and wherever the unit is
// left, C++ is called or a label is come to. Mostly the register is written again before. Memory always has
// all of a register.
#include <algorithm>
#include <bit>
#include <utility>

#include "cpu/jit/emitter.hpp"

namespace hartline::jit {
namespace {
constexpr u32 bit_of(u8 guest) { return u32{1} << guest; }

// Does the operation take x registers for values, and is it emitted inline?
bool takes_values(const IrInst& inst) {
    return !has_no_lowering(inst.op) && !is_floating(inst.op) && inst.op != IrOp::Fence;
}
bool commutes(IrOp op) {
    return op == IrOp::Add || op == IrOp::Mul || op == IrOp::And || op == IrOp::Or || op == IrOp::Xor;
}
bool is_zero(const IrInst& inst) { return inst.op == IrOp::Imm && inst.imm == 0; }
bool is_leaf(const IrInst& inst) { return inst.op == IrOp::Imm || inst.op == IrOp::GetX; }
bool clears_upper_half(const IrInst& inst) { return inst.op == IrOp::Imm && inst.imm <= 0x7fff'ffff; }

x86::Inst::Id host_op(IrOp op) {
    switch (op) {
        case IrOp::Add: return x86::Inst::kIdAdd;
        case IrOp::Sub: return x86::Inst::kIdSub;
        case IrOp::Mul: return x86::Inst::kIdImul;
        case IrOp::And: return x86::Inst::kIdAnd;
        case IrOp::Or: return x86::Inst::kIdOr;
        case IrOp::Xor: return x86::Inst::kIdXor;
        case IrOp::ShlW: return x86::Inst::kIdShl;
        case IrOp::ShrW: return x86::Inst::kIdShr;
        default: return x86::Inst::kIdSar;
    }
}
}  // namespace

// Labels are come to with whole registers; at those of a group's copy the state is that of the original.
void Emitter::start_words_of_item(u32 index) {
    if (copying_) {
        words_ = words_at_[index].words;
        unextended_ |= words_at_[index].unextended;
        return;
    }
    if (is_target_[index]) {
        extend_homes();
        words_ = 0;
    }
    words_at_[index] = {words_, unextended_};
}

void Emitter::extend_home(u8 guest) {
    if ((unextended_ & bit_of(guest)) == 0) return;
    unextended_ &= ~bit_of(guest);
    a.movsxd(*home(guest), home(guest)->r32());
}

// Changes no flags.
void Emitter::extend_homes() {
    while (unextended_ != 0) extend_home(static_cast<u8>(std::countr_zero(unextended_)));
}

// Of an instruction that is not one on words itself.
void Emitter::extend_sources(const IrBlock& ir) {
    if (unextended_ == 0) return;
    if (!std::all_of(ir.begin(), ir.end(), takes_values)) return extend_homes();
    for (const IrInst& user : ir)
        for (const u32 id : {user.a, user.b, user.c})
            if (id != kNoValue && ir[id].op == IrOp::GetX && !low_half_does(ir, user, id))
                extend_home(ir[id].reg);
}

// Is the lower half of the value all that `user` looks at?
bool Emitter::low_half_does(const IrBlock& ir, const IrInst& user, u32 id) const {
    switch (user.op) {
        case IrOp::Store: return id == user.b && user.width <= 32;
        case IrOp::Sext:
        case IrOp::Zext: return user.width <= 32;
        case IrOp::And: return clears_upper_half(ir[user.a]) || clears_upper_half(ir[user.b]);
        case IrOp::Shl: return id == user.b || (ir[user.b].op == IrOp::Imm && ir[user.b].imm >= 32);
        case IrOp::Shr:
        case IrOp::Sar: return id == user.b;
        case IrOp::Slt:
        case IrOp::SltU:
        case IrOp::Eq:
        case IrOp::Ne: return is_word(ir, user.a) && is_word(ir, user.b);
        default: return false;
    }
}

bool Emitter::is_word(const IrBlock& ir, u32 id) const {
    const IrInst& inst = ir[id];
    switch (inst.op) {
        case IrOp::Imm: return fits(inst.imm);
        case IrOp::GetX: return (words_ & bit_of(inst.reg)) != 0;
        case IrOp::Sext: return inst.width <= 32;
        case IrOp::Zext: return inst.width < 32;
        case IrOp::Load: return inst.width < 32 || (inst.width == 32 && inst.is_signed);
        case IrOp::ShlW:
        case IrOp::ShrW:
        case IrOp::SarW:
        case IrOp::RolW:
        case IrOp::RorW:
        case IrOp::Slt:
        case IrOp::SltU:
        case IrOp::Eq:
        case IrOp::Ne: return true;
        case IrOp::And:
        case IrOp::Or:
        case IrOp::Xor: return is_word(ir, inst.a) && is_word(ir, inst.b);
        case IrOp::Add:
            return (is_zero(ir[inst.a]) && is_word(ir, inst.b)) ||
                   (is_zero(ir[inst.b]) && is_word(ir, inst.a));
        default: return false;
    }
}

void Emitter::note_written(u8 guest, bool is_word) {
    words_ = (words_ & ~bit_of(guest)) | (is_word ? bit_of(guest) : 0);
    unextended_ &= ~bit_of(guest);
}

// Can lower halves alone make what becomes of `set`? Where words just stay words, does that save an
// extension?
bool Emitter::makes_word(const IrBlock& ir, const IrInst& set, bool extends) const {
    const IrInst& inst = extends ? ir[ir[set.a].a] : ir[set.a];
    if (inst.a == kNoValue || inst.b == kNoValue || inst.c != kNoValue || !is_leaf(ir[inst.b])) return false;
    const bool moves = inst.op == IrOp::Add && !extends && is_zero(ir[inst.a]);
    if (ir[moves ? inst.b : inst.a].op != IrOp::GetX) return false;
    const auto waits = [&](const IrInst& leaf) {
        return leaf.op == IrOp::GetX && (unextended_ & bit_of(leaf.reg)) != 0;
    };
    switch (inst.op) {
        case IrOp::Sub:
        case IrOp::Mul: return extends && ir[inst.b].op == IrOp::GetX;
        case IrOp::ShlW:
        case IrOp::ShrW:
        case IrOp::SarW: return true;
        case IrOp::Add:
            if (extends) return true;
            [[fallthrough]];
        case IrOp::And:
        case IrOp::Or:
        case IrOp::Xor:
            return home(set.reg) && is_word(ir, set.a) && (waits(ir[inst.a]) || waits(ir[inst.b]));
        default: return false;
    }
}

// One operation on registers and constants that makes a word. false: it is no such instruction.
bool Emitter::word(const IrBlock& ir) {
    constexpr std::size_t kPlain = 6;  // Begin, two operands, the operation, SetX, End
    if (ir.size() < kPlain || ir.back().op != IrOp::End || ir[ir.size() - 2].op != IrOp::SetX) return false;
    const IrInst& set = ir[ir.size() - 2];
    const bool extends = ir[set.a].op == IrOp::Sext && ir[set.a].width == 32;
    if (ir.size() != kPlain + (extends ? 1 : 0) || !makes_word(ir, set, extends)) return false;
    const IrInst& inst = extends ? ir[ir[set.a].a] : ir[set.a];
    const auto to = home(set.reg);
    const Gp d = to ? *to : x86::rax;
    const asmjit::Operand x = low_half(ir[inst.a]), y = low_half(ir[inst.b]);
    if (!to && inst.op == IrOp::Add && is_zero(ir[inst.b])) {
        a.emit(x86::Inst::kIdMovsxd, d, x);
    } else {
        word_into(d.r32(), inst.op, x, y);
        if (!to) a.movsxd(d, d.r32());
    }
    note_written(set.reg, true);
    if (to)
        unextended_ |= bit_of(set.reg);
    else
        a.mov(memory_of(set.reg), d);
    return true;
}

asmjit::Operand Emitter::low_half(const IrInst& leaf) const {
    if (leaf.op == IrOp::Imm) return asmjit::Imm(static_cast<i32>(leaf.imm));
    if (const auto reg = home(leaf.reg)) return reg->r32();
    return memory_of(leaf.reg, 4);
}

// d = x op y in 32 bits. A shift's amount is taken modulo 32 by the host too.
void Emitter::word_into(Gp d, IrOp op, asmjit::Operand x, asmjit::Operand y) {
    const bool shifts = op == IrOp::ShlW || op == IrOp::ShrW || op == IrOp::SarW;
    if (commutes(op) && (x.isImm() || y == d)) std::swap(x, y);
    const bool nothing = op != IrOp::And && y.isImm() && y.as<asmjit::Imm>().value() == 0;
    if (shifts && !y.isImm()) {
        const x86::Inst::Id id = op == IrOp::ShlW   ? x86::Inst::kIdShlx
                                 : op == IrOp::ShrW ? x86::Inst::kIdShrx
                                                    : x86::Inst::kIdSarx;
        if (y.isMem()) a.mov(x86::ecx, std::exchange(y, x86::ecx).as<x86::Mem>());
        return void(a.emit(id, d, x, y));
    }
    if (op == IrOp::Add && x.isReg() && x != d && y != d && !y.isMem() && !nothing) {
        const Gp base = x.as<Gp>().r64();
        y.isImm() ? a.lea(d, x86::ptr(base, static_cast<i32>(y.as<asmjit::Imm>().value())))
                  : a.lea(d, x86::ptr(base, y.as<Gp>().r64()));
        return;
    }
    if (y == d && x != d) {  // a difference
        a.neg(d);
        return void(a.emit(x86::Inst::kIdAdd, d, x));
    }
    if (x != d) a.emit(x86::Inst::kIdMov, d, x);
    if (!nothing) a.emit(host_op(op), d, y);
}
}  // namespace hartline::jit
