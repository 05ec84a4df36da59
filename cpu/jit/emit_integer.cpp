// Integer operations.
//
// The host has BMI1, BMI2, LZCNT, POPCNT, AVX2 and PCLMULQDQ: host_supported() asks.
#include "cpu/jit/emitter.hpp"

namespace hartline::jit {
namespace {
using Id = x86::Inst::Id;
constexpr u64 kMask32 = 0xffff'ffff;
}  // namespace

// Where the operation's result is only wanted as a sign-extended word, its 32-bit form does; see extend().
void Emitter::integer(const IrBlock& ir, u32 id) {
    const IrInst& inst = ir[id];
    if (values_[id].uses == 0) {  // of a hint, say: nobody wants it
        for (const u32 operand : {inst.a, inst.b, inst.c})
            if (operand != kNoValue) used(operand);
        return;
    }
    if (fused_with_branch(ir, id) || is_sum(ir, id)) return;  // where they are used
    if (folded(ir, id) || in_place(ir, id)) return;
    const Gp d = destination(ir, id);
    switch (inst.op) {
        case IrOp::Add: add(d, inst.a, inst.b); break;
        case IrOp::Sub: arithmetic(x86::Inst::kIdSub, d, inst.a, inst.b, false); break;
        case IrOp::And: arithmetic(x86::Inst::kIdAnd, d, inst.a, inst.b, true); break;
        case IrOp::Or: arithmetic(x86::Inst::kIdOr, d, inst.a, inst.b, true); break;
        case IrOp::Xor: arithmetic(x86::Inst::kIdXor, d, inst.a, inst.b, true); break;
        case IrOp::Mul: arithmetic(x86::Inst::kIdImul, d, inst.a, inst.b, true); break;
        case IrOp::Shl:
        case IrOp::Shr:
        case IrOp::Sar:
        case IrOp::ShlW:
        case IrOp::ShrW:
        case IrOp::SarW: shift(inst.op, d, inst.a, inst.b); break;
        case IrOp::Rol:
        case IrOp::Ror:
        case IrOp::RolW:
        case IrOp::RorW: rotate(inst.op, d, inst.a, inst.b); break;
        case IrOp::MulH:
        case IrOp::MulHU:
        case IrOp::MulHSU: multiply(inst.op, d, inst.a, inst.b); break;
        case IrOp::Div:
        case IrOp::DivU:
        case IrOp::Rem:
        case IrOp::RemU:
        case IrOp::DivW:
        case IrOp::DivUW:
        case IrOp::RemW:
        case IrOp::RemUW: divide(inst.op, d, inst.a, inst.b); break;
        case IrOp::Slt:
        case IrOp::SltU:
        case IrOp::Eq:
        case IrOp::Ne: set_on(inst.op, d, inst.a, inst.b); break;
        case IrOp::Select: select(inst, d); break;
        case IrOp::ClMul:
        case IrOp::ClMulH:
        case IrOp::ClMulR: carryless(inst, d); break;
        case IrOp::Sext:
        case IrOp::Zext: extend(inst, d); break;
        default: unary(inst, d);
    }
    for (const u32 operand : {inst.a, inst.b, inst.c})
        if (operand != kNoValue) used(operand);
    result(id, d);
}

// The sum of two constants, how constants are loaded; and that of a register and 0, how registers are moved.
bool Emitter::folded(const IrBlock& ir, u32 id) {
    const IrInst& inst = ir[id];
    if (inst.op != IrOp::Add) return false;
    const bool swapped = values_[inst.a].kind == Value::Kind::Immediate;
    const Value x = values_[swapped ? inst.b : inst.a], y = values_[swapped ? inst.a : inst.b];
    if (y.kind != Value::Kind::Immediate) return false;
    Value& sum = values_[id];
    if (x.kind == Value::Kind::Immediate) {
        sum.kind = Value::Kind::Immediate;
        sum.immediate = x.immediate + y.immediate;
        return true;
    }
    const bool moves = y.immediate == 0 && x.kind == Value::Kind::Register && !x.temporary && sum.uses == 1 &&
                       ir[id + 1].op == IrOp::SetX && ir[id + 1].a == id;
    if (!moves) return false;
    sum.kind = Value::Kind::Register;
    sum.reg = x.reg;
    used(inst.a);
    used(inst.b);
    return true;
}

// A register without a home that changes by a constant or by a register's value does so in memory.
bool Emitter::in_place(const IrBlock& ir, u32 id) {
    const IrInst& inst = ir[id];
    const bool simple =
        inst.op == IrOp::Add || inst.op == IrOp::And || inst.op == IrOp::Or || inst.op == IrOp::Xor;
    if (!simple || id + 2 >= ir.size() || ir[id + 1].op != IrOp::SetX || ir[id + 1].a != id) return false;
    const u8 guest = ir[id + 1].reg;
    const Value& x = values_[inst.a];
    const Value& y = values_[inst.b];
    const bool constant = y.kind == Value::Kind::Immediate && fits(y.immediate);
    if (x.kind != Value::Kind::Memory || x.guest != guest || values_[inst.a].uses != 1 ||
        values_[id].uses != 1 || !(constant || (y.kind == Value::Kind::Register && !y.temporary)) ||
        inst.a == inst.b)
        return false;
    const x86::Inst::Id op = inst.op == IrOp::Add   ? x86::Inst::kIdAdd
                             : inst.op == IrOp::And ? x86::Inst::kIdAnd
                             : inst.op == IrOp::Or  ? x86::Inst::kIdOr
                                                    : x86::Inst::kIdXor;
    if (constant)
        a.emit(op, x.mem, asmjit::Imm(static_cast<i32>(y.immediate)));
    else
        a.emit(op, x.mem, y.reg);
    used(inst.a);
    used(inst.b);
    values_[id].kind = Value::Kind::Stored;
    return true;
}

void Emitter::add(Gp d, u32 first, u32 second) {
    const Value x = values_[first].kind == Value::Kind::Immediate ? values_[second] : values_[first];
    const Value y = values_[first].kind == Value::Kind::Immediate ? values_[first] : values_[second];
    if (y.kind == Value::Kind::Immediate && fits(y.immediate) && x.kind != Value::Kind::Immediate) {
        const auto n = static_cast<i32>(y.immediate);
        if (x.kind == Value::Kind::Register && x.reg.id() != d.id()) {
            if (n == 0)
                a.mov(d, x.reg);
            else
                a.lea(d, x86::ptr(x.reg, n));
            return;
        }
        move_to(d, x);
        if (n != 0) a.add(d, n);
        return;
    }
    if (x.kind == Value::Kind::Register && y.kind == Value::Kind::Register && x.reg.id() != d.id() &&
        y.reg.id() != d.id()) {
        a.lea(d, x86::ptr(x.reg, y.reg));
        return;
    }
    arithmetic(x86::Inst::kIdAdd, d, first, second, true);
}

// d = x op y, by the host's two-operand form.
void Emitter::arithmetic(Id op, Gp d, u32 first, u32 second, bool commutes) {
    const auto is = [&](u32 id, Gp reg) {
        return values_[id].kind == Value::Kind::Register && values_[id].reg.id() == reg.id();
    };
    if (commutes && (is(second, d) || values_[first].kind == Value::Kind::Immediate))
        std::swap(first, second);
    Gp to = d;
    if (is(second, d) && !is(first, d)) to = take_temporary();
    move_to(to, values_[first]);
    const Value& y = values_[second];
    if (y.kind == Value::Kind::Immediate && fits(y.immediate)) {
        const auto n = static_cast<i32>(y.immediate);
        if (op == x86::Inst::kIdImul)
            a.imul(to, to, n);
        else
            a.emit(op, to, asmjit::Imm(n));
    } else if (y.kind == Value::Kind::Memory) {
        a.emit(op, to, y.mem);
    } else {
        a.emit(op, to, in_register(second));
    }
    if (to.id() != d.id()) {
        a.mov(d, to);
        give_back(to);
    }
}

void Emitter::shift(IrOp op, Gp d, u32 first, u32 second) {
    const bool word = op == IrOp::ShlW || op == IrOp::ShrW || op == IrOp::SarW;
    const bool left = op == IrOp::Shl || op == IrOp::ShlW, right = op == IrOp::Shr || op == IrOp::ShrW;
    const Value& y = values_[second];
    const Gp to = word ? d.r32() : d;
    if (y.kind == Value::Kind::Immediate) {
        move_to(d, values_[first]);
        const u32 n = static_cast<u32>(y.immediate) & (word ? 31 : 63);
        if (n != 0)
            a.emit(left    ? x86::Inst::kIdShl
                   : right ? x86::Inst::kIdShr
                           : x86::Inst::kIdSar,
                   to, asmjit::Imm(n));
    } else {
        const Gp amount = in_register(second), source = in_register(first);
        a.emit(left    ? x86::Inst::kIdShlx
               : right ? x86::Inst::kIdShrx
                       : x86::Inst::kIdSarx,
               to, word ? source.r32() : source, word ? amount.r32() : amount);
    }
    if (word) a.movsxd(d, d.r32());
}

// The host rotates by cl or by an immediate: other amounts take two shifts.
void Emitter::rotate(IrOp op, Gp d, u32 first, u32 second) {
    const bool word = op == IrOp::RolW || op == IrOp::RorW, left = op == IrOp::Rol || op == IrOp::RolW;
    const u32 width = word ? 32 : 64;
    const auto sized = [&](Gp reg) { return word ? reg.r32() : reg; };
    const Gp source = in_register(first);
    if (const Value& y = values_[second]; y.kind == Value::Kind::Immediate) {
        const u32 n = static_cast<u32>(y.immediate) % width;
        a.rorx(sized(d), sized(source), left ? (width - n) % width : n);
    } else {
        const Gp amount = in_register(second), other = take_temporary();
        a.mov(other, amount);
        a.neg(other);
        a.emit(left ? x86::Inst::kIdShrx : x86::Inst::kIdShlx, sized(other), sized(source), sized(other));
        a.emit(left ? x86::Inst::kIdShlx : x86::Inst::kIdShrx, sized(d), sized(source), sized(amount));
        a.or_(d, other);
        give_back(other);
    }
    if (word) a.movsxd(d, d.r32());
}

// The upper half of a product, by the host's one-operand form: rdx:rax.
void Emitter::multiply(IrOp op, Gp d, u32 first, u32 second) {
    const Value& x = values_[first];
    const Value& y = values_[second];
    if (x.kind == Value::Kind::Immediate ||
        y.kind == Value::Kind::Immediate) {  // x0: nothing else is one here
        a.xor_(d.r32(), d.r32());
        return;
    }
    move_to(x86::rax, x);
    if (y.kind == Value::Kind::Memory)
        a.emit(op == IrOp::MulH ? x86::Inst::kIdImul : x86::Inst::kIdMul, y.mem);
    else
        a.emit(op == IrOp::MulH ? x86::Inst::kIdImul : x86::Inst::kIdMul, y.reg);
    if (op == IrOp::MulHSU) {  // a negative first factor was taken for one that is 2^64 larger
        move_to(x86::rcx, x);
        a.sar(x86::rcx, 63);
        if (y.kind == Value::Kind::Memory)
            a.and_(x86::rcx, y.mem);
        else
            a.and_(x86::rcx, y.reg);
        a.sub(x86::rdx, x86::rcx);
    }
    if (d.id() != x86::rdx.id()) a.mov(d, x86::rdx);
}

// unpriv, "M": dividing by zero and the overflow of -2^n / -1 have results, where the host would trap.
void Emitter::divide(IrOp op, Gp d, u32 first, u32 second) {
    const bool word = op == IrOp::DivW || op == IrOp::DivUW || op == IrOp::RemW || op == IrOp::RemUW;
    const bool is_signed = op == IrOp::Div || op == IrOp::Rem || op == IrOp::DivW || op == IrOp::RemW;
    const bool remainder = op == IrOp::Rem || op == IrOp::RemU || op == IrOp::RemW || op == IrOp::RemUW;
    const auto sized = [&](Gp reg) { return word ? reg.r32() : reg; };
    const asmjit::Label zero = a.newLabel(), minus_one = a.newLabel(), done = a.newLabel();
    move_to(x86::rcx, values_[second]);
    move_to(x86::rax, values_[first]);
    a.test(sized(x86::rcx), sized(x86::rcx));
    a.jz(zero);
    if (is_signed) {
        a.cmp(sized(x86::rcx), -1);
        a.je(minus_one);
        word ? a.cdq() : a.cqo();
        a.idiv(sized(x86::rcx));
    } else {
        a.xor_(x86::edx, x86::edx);
        a.div(sized(x86::rcx));
    }
    a.bind(done);
    const Gp from = remainder ? x86::rdx : x86::rax;
    if (word)
        a.movsxd(d, from.r32());
    else if (d.id() != from.id())
        a.mov(d, from);
    cold(
        [this, remainder, done] {
            remainder ? a.mov(x86::rdx, x86::rax) : a.mov(x86::rax, -1);
            a.jmp(done);
        },
        zero);
    if (!is_signed) return;
    cold(
        [this, remainder, done] {
            remainder ? a.xor_(x86::edx, x86::edx) : a.neg(x86::rax);
            a.jmp(done);
        },
        minus_one);
}

// Sets the host's flags for first - second. Words compare as their lower halves do.
void Emitter::compare(u32 first, u32 second) {
    const bool words = is_word(ir_, first) && is_word(ir_, second);
    const auto sized = [&](Gp reg) { return words ? reg.r32() : reg; };
    const u32 bytes = words ? 4 : 8;
    const Value& y = values_[second];
    if (y.kind == Value::Kind::Immediate && fits(y.immediate)) {
        const auto n = static_cast<i32>(y.immediate);
        const Value& x = values_[first];
        if (x.kind == Value::Kind::Memory) return void(a.cmp(as_memory(x, bytes), n));
        const Gp reg = sized(in_register(first));
        if (n == 0) return void(a.test(reg, reg));
        return void(a.cmp(reg, n));
    }
    if (values_[first].kind == Value::Kind::Memory && y.kind == Value::Kind::Register)
        return void(a.cmp(as_memory(values_[first], bytes), sized(y.reg)));
    const Gp reg = sized(in_register(first));
    if (y.kind == Value::Kind::Memory)
        a.cmp(reg, as_memory(y, bytes));
    else
        a.cmp(reg, sized(in_register(second)));
}

x86::CondCode Emitter::condition_of(IrOp op) {
    switch (op) {
        case IrOp::Slt: return x86::CondCode::kL;
        case IrOp::SltU: return x86::CondCode::kB;
        case IrOp::Eq: return x86::CondCode::kE;
        default: return x86::CondCode::kNE;
    }
}

void Emitter::set_on(IrOp op, Gp d, u32 first, u32 second) {
    compare(first, second);
    a.emit(x86::Inst::setccFromCond(condition_of(op)), d.r8());
    a.movzx(d.r32(), d.r8());
}

// Is the comparison's only use a branch, itself or its opposite? Then the branch does it.
bool Emitter::fused_with_branch(const IrBlock& ir, u32 id) const {
    const IrInst& last = ir.back();
    const IrOp op = ir[id].op;
    const bool compares = op == IrOp::Slt || op == IrOp::SltU || op == IrOp::Eq || op == IrOp::Ne;
    if (last.op != IrOp::Branch || !compares || values_[id].uses != 1) return false;
    if (last.a == id) return true;
    const IrInst& test = ir[last.a];
    return test.op == IrOp::Eq && test.a == id && ir[test.b].op == IrOp::Imm && ir[test.b].imm == 0 &&
           values_[last.a].uses == 1;
}

void Emitter::select(const IrInst& inst, Gp d) {
    const Gp condition = in_register(inst.a), to = take_temporary();
    if (values_[inst.b].kind == Value::Kind::Immediate) (void)in_register(inst.b);
    move_to(to, values_[inst.c]);
    a.test(condition, condition);
    const Value& chosen = values_[inst.b];
    if (chosen.kind == Value::Kind::Memory)
        a.cmovnz(to, chosen.mem);
    else
        a.cmovnz(to, chosen.reg);
    a.mov(d, to);
    give_back(to);
}

void Emitter::unary(const IrInst& inst, Gp d) {
    const Value& x = values_[inst.a];
    switch (inst.op) {
        case IrOp::Not:
            move_to(d, x);
            a.not_(d);
            return;
        case IrOp::Neg:
            move_to(d, x);
            a.neg(d);
            return;
        case IrOp::Rev8:
            move_to(d, x);
            a.bswap(d);
            return;
        case IrOp::Clz: a.lzcnt(d, in_register(inst.a)); return;
        case IrOp::Ctz: a.tzcnt(d, in_register(inst.a)); return;
        case IrOp::Popcount: a.popcnt(d, in_register(inst.a)); return;
        case IrOp::ClzW: a.lzcnt(d.r32(), in_register(inst.a).r32()); return;
        case IrOp::CtzW: a.tzcnt(d.r32(), in_register(inst.a).r32()); return;
        case IrOp::PopcountW: a.popcnt(d.r32(), in_register(inst.a).r32()); return;
        case IrOp::OrcB:  // bytes that are not zero
            a.vmovq(x86::xmm0, in_register(inst.a));
            a.vpxor(x86::xmm1, x86::xmm1, x86::xmm1);
            a.vpcmpeqb(x86::xmm0, x86::xmm0, x86::xmm1);
            a.vmovq(d, x86::xmm0);
            a.not_(d);
            return;
        default: failed_ = true;
    }
}

// The lower half of a product of 127 bits, the upper half, and the 64 bits from bit 63 on.
void Emitter::carryless(const IrInst& inst, Gp d) {
    a.vmovq(x86::xmm0, in_register(inst.a));
    a.vmovq(x86::xmm1, in_register(inst.b));
    a.vpclmulqdq(x86::xmm0, x86::xmm0, x86::xmm1, 0);
    if (inst.op == IrOp::ClMul) return void(a.vmovq(d, x86::xmm0));
    a.vpextrq(d, x86::xmm0, 1);
    if (inst.op == IrOp::ClMulH) return;
    const Gp low = take_temporary();
    a.vmovq(low, x86::xmm0);
    a.shld(d, low, 1);
    give_back(low);
}

void Emitter::extend(const IrInst& inst, Gp d) {
    const Value& x = values_[inst.a];
    const bool is_signed = inst.op == IrOp::Sext;
    const u32 bytes = inst.width / 8u;
    if (x.kind == Value::Kind::Memory && inst.width % 8 == 0) {
        const x86::Mem mem = as_memory(x, bytes);
        if (bytes == 4)
            is_signed ? a.movsxd(d, mem) : a.mov(d.r32(), mem);
        else
            is_signed ? a.movsx(d, mem) : a.movzx(d.r32(), mem);
        return;
    }
    const Gp reg = in_register(inst.a);
    switch (inst.width) {
        case 8: is_signed ? a.movsx(d, reg.r8()) : a.movzx(d.r32(), reg.r8()); return;
        case 16: is_signed ? a.movsx(d, reg.r16()) : a.movzx(d.r32(), reg.r16()); return;
        case 32: is_signed ? a.movsxd(d, reg.r32()) : a.mov(d.r32(), reg.r32()); return;
        default: failed_ = true;
    }
}
}  // namespace hartline::jit
