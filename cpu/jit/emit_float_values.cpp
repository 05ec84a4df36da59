// Where f registers' values are while an instruction is emitted; loads, stores and moves of them.
#include <algorithm>
#include <bit>

#include "cpu/jit/emitter.hpp"

namespace hartline::jit {
namespace {
x86::Mem high_half(x86::Mem mem) {
    mem.addOffset(4);
    mem.setSize(4);
    return mem;
}
}  // namespace

std::optional<x86::Xmm> Emitter::float_home(u8 guest) const {
    const u8 home = float_home_of_[guest];
    if (home == 0) return std::nullopt;
    return x86::xmm(kFirstFloatHome + home - 1u);
}
bool Emitter::single_home(u8 guest) const {
    const u8 home = float_home_of_[guest];
    return home != 0 && float_homes_[home - 1u].single;
}

FloatSource Emitter::float_source(const IrBlock& ir, u32 id) const {
    FloatSource source;
    if (ir[id].op == IrOp::Xor) {
        source.negative = true;
        id = ir[id].a;
    }
    if (ir[id].op == IrOp::Unbox) {
        source.single = true;
        id = ir[id].a;
    }
    source.guest = ir[id].reg;
    return source;
}

// NaNs that operations make are made canonical where their bits begin to matter.
void Emitter::check_nan(u8 guest) {
    if ((unchecked_ >> guest & 1) != 0) make_canonical(guest, guest);
}
void Emitter::check_nans() {
    while (unchecked_ != 0) {
        const u32 wanted = unchecked_ & ~implied_by(unchecked_);
        const u32 others = wanted & (wanted - 1);
        const int first = std::countr_zero(wanted);
        const int second = others != 0 ? std::countr_zero(others) : first;
        make_canonical(static_cast<u8>(first), static_cast<u8>(second));
    }
}

// The f registers that an operation takes doubles from.
u32 Emitter::sources_of(const IrBlock& ir, u32 id) const {
    u32 guests = 0;
    for (const u32 operand : {ir[id].a, ir[id].b, ir[id].c}) {
        if (operand == kNoValue) continue;
        const FloatSource source = float_source(ir, operand);
        if (!source.single) guests |= u32{1} << source.guest;
    }
    return guests;
}

// An operation on a NaN makes one: where the result is none, its operands were none.
u32 Emitter::implied_by(u32 guests) const {
    u32 implied = 0;
    for (; guests != 0; guests &= guests - 1) implied |= implied_[static_cast<u32>(std::countr_zero(guests))];
    return implied;
}

// One comparison finds a NaN in either.
void Emitter::make_canonical(u8 first, u8 second) {
    const asmjit::Label nan = a.newLabel(), back = a.newLabel();
    a.vucomisd(*float_home(first), *float_home(second));
    a.jp(nan);
    a.bind(back);
    cold(
        [this, back, guests = take_checked(u32{1} << first | u32{1} << second)] {
            make_each_canonical(guests);
            a.jmp(back);
        },
        nan);
}

// What needs no other check once these are known to be no NaNs.
u32 Emitter::take_checked(u32 guests) {
    const u32 checked = unchecked_ & (guests | implied_by(guests));
    unchecked_ &= ~checked;
    return checked;
}

void Emitter::make_each_canonical(u32 guests) {
    for (; guests != 0; guests &= guests - 1) {
        const Xmm home = *float_home(static_cast<u8>(std::countr_zero(guests)));
        const asmjit::Label number = a.newLabel();
        a.vucomisd(home, home);
        a.jnp(number);
        a.vmovsd(home, cell_of(&c_.floats.nan_d));
        a.bind(number);
    }
}

// A single one that is not boxed counts as the canonical NaN: that is left to the interpreter.
void Emitter::check_boxed(const FloatSource& source) {
    if (!source.single || single_home(source.guest) || (boxed_ >> source.guest & 1) != 0) return;
    if (kept(source.guest)) {
        check_nan(source.guest);
        const Gp high = take_temporary();
        a.vpextrd(high.r32(), *float_home(source.guest), 1);
        a.cmp(high.r32(), -1);
        a.jne(handed_over());
        return give_back(high);
    }
    a.cmp(high_half(float_memory(source.guest)), -1);
    a.jne(handed_over());
}

// A static rounding mode must be the one that the host's control register holds.
void Emitter::check_rounding(const IrInst& inst) {
    if (inst.rounding == kDynamicRounding) return;
    a.cmp(cell_of(&c_.cpu.s.frm, 4), inst.rounding);
    a.jne(handed_over());
}

// In a register or in memory, whatever its sign should be. Its box is to be checked before.
asmjit::Operand Emitter::float_operand(const FloatSource& source) {
    const auto home = float_home(source.guest);
    if (home && (source.single || !single_home(source.guest))) return *home;
    return float_memory(source.guest, source.single ? 4 : 8);
}

void Emitter::move_float(Xmm to, const FloatSource& source) {
    const asmjit::Operand from = float_operand(source);
    if (from.isReg()) {
        if (from.as<Xmm>().id() != to.id()) a.vmovaps(to, from.as<Xmm>());
    } else {
        source.single ? a.vmovss(to, from.as<x86::Mem>()) : a.vmovsd(to, from.as<x86::Mem>());
    }
}

x86::Xmm Emitter::in_xmm(const FloatSource& source, Xmm temporary) {
    const asmjit::Operand from = float_operand(source);
    if (from.isReg()) return from.as<Xmm>();
    move_float(temporary, source);
    return temporary;
}

// Where a result is best made.
x86::Xmm Emitter::float_target(u8 guest, bool single) const {
    const auto home = float_home(guest);
    return home && (single || !single_home(guest)) ? *home : x86::xmm0;
}

void Emitter::set_float(u8 guest, bool single, Xmm from) {
    const auto home = float_home(guest);
    const u32 bit = u32{1} << guest;
    unchecked_ &= ~bit;
    for (u32& implied : implied_) implied &= ~bit;
    implied_[guest] = 0;
    if (!single) {
        boxed_ &= ~bit;
        if (kept(guest)) {
            if (home->id() != from.id()) a.vmovaps(*home, from);
            return;
        }
        a.vmovsd(float_memory(guest), from);
        if (home) load_float_home(float_home_of_[guest] - 1u);
        return;
    }
    if (kept(guest)) {
        a.vorps(*home, from, cell_of(&c_.floats.box, 16));
    } else {
        if (home && home->id() != from.id()) a.vmovaps(*home, from);
        a.vmovss(float_memory(guest, 4), from);
        if ((boxed_ & bit) == 0) a.mov(high_half(float_memory(guest)), -1);
    }
    boxed_ |= bit;
}

// The same from a general register.
void Emitter::set_float_bits(u8 guest, bool single, Gp from) {
    if (kept(guest) && !single) {
        a.vmovq(*float_home(guest), from);
        return set_float(guest, false, *float_home(guest));
    }
    if (float_home(guest)) {
        single ? a.vmovd(x86::xmm0, from.r32()) : a.vmovq(x86::xmm0, from);
        return set_float(guest, single, x86::xmm0);
    }
    const u32 bit = u32{1} << guest;
    if (single) {
        a.mov(float_memory(guest, 4), from.r32());
        if ((boxed_ & bit) == 0) a.mov(high_half(float_memory(guest)), -1);
        boxed_ |= bit;
    } else {
        a.mov(float_memory(guest), from);
        boxed_ &= ~bit;
    }
}

void Emitter::floating(const IrBlock& ir, u32 id) {
    const IrInst& inst = ir[id];
    switch (inst.op) {
        case IrOp::GetF: return get_f(ir, id);
        case IrOp::SetF: return set_f(ir, id);
        case IrOp::Fp: return float_to_integer(ir, id);
        default: return;  // Box, Unbox: where they are used; the guards: float_guard()
    }
}

// As an operand of an operation it is found by float_source().
void Emitter::get_f(const IrBlock& ir, u32 id) {
    const bool taken_as_it_is = std::any_of(ir.begin(), ir.end(), [&](const IrInst& inst) {
        return inst.op != IrOp::Fp && inst.op != IrOp::Unbox && (inst.a == id || inst.b == id);
    });
    if (!taken_as_it_is) return;
    const u8 guest = ir[id].reg;
    Value& v = values_[id];
    if (kept(guest)) {
        check_nan(guest);
        v.kind = Value::Kind::Float;
        v.xmm = *float_home(guest);
    } else {
        v.kind = Value::Kind::Memory;
        v.mem = float_memory(guest);
    }
}

void Emitter::set_f(const IrBlock& ir, u32 id) {
    const u8 guest = ir[id].reg;
    const bool single = ir[ir[id].a].op == IrOp::Box;
    const u32 source = single ? ir[ir[id].a].a : ir[id].a;
    switch (ir[source].op) {
        case IrOp::Load:
            if (float_home(guest)) return set_float(guest, single, values_[source].xmm);
            return set_float_bits(guest, single, in_register(source));
        case IrOp::GetX:
        case IrOp::Imm: return set_float_bits(guest, single, in_register(source));
        case IrOp::Fp: {
            const Xmm d = float_target(guest, single);
            result_unchecked_ = false;
            float_result(ir, source, d);
            const u32 sources = result_unchecked_ ? sources_of(ir, source) : 0;
            const u32 implied = sources | implied_by(sources);
            set_float(guest, single, d);
            if (!result_unchecked_) return;
            unchecked_ |= u32{1} << guest;
            implied_[guest] = implied & ~(u32{1} << guest);
            return;
        }
        default: {
            const Xmm d = float_target(guest, single);
            sign(ir, source, d);
            return set_float(guest, single, d);
        }
    }
}

// Does the value go to an f register that has a home?
bool Emitter::loads_float(const IrBlock& ir, u32 id) const {
    for (u32 i = id + 1; i < ir.size(); ++i) {
        const IrInst& inst = ir[i];
        if (inst.op == IrOp::SetF && (inst.a == id || (ir[inst.a].op == IrOp::Box && ir[inst.a].a == id)))
            return float_home(inst.reg).has_value() && ir[id].width >= 32;
    }
    return false;
}

void Emitter::load_float(const IrBlock& ir, u32 id) {
    const IrInst& inst = ir[id];
    u32 set = id + 1;
    while (ir[set].op != IrOp::SetF) ++set;
    const bool single = inst.width == 32;
    const Xmm d = float_target(ir[set].reg, single);
    const Access access = access_of(ir, inst.a, inst.width / 8u);
    const asmjit::Label miss = miss_here();
    const auto call = [this, access, d, single] {
        call_load(access);
        single ? a.vmovd(d, x86::eax) : a.vmovq(d, x86::rax);
    };
    if (copying_) {
        call();
    } else {
        const x86::Mem from = locate(access, hartline::Access::Load, miss);
        single ? a.vmovss(d, from) : a.vmovsd(d, from);
    }
    values_[id].kind = Value::Kind::Float;
    values_[id].xmm = d;
    if (copying_ || group_) return;
    const asmjit::Label back = a.newLabel();
    a.bind(back);
    cold(
        [this, call, back] {
            call();
            a.jmp(back);
        },
        miss);
}

// The register that has what a store of so many bits takes.
std::optional<x86::Xmm> Emitter::stored_float(const IrBlock& ir, u32 id, u8 width) const {
    if (ir[id].op != IrOp::GetF || width < 32) return std::nullopt;
    const u8 guest = ir[id].reg;
    if (single_home(guest) && (width == 64 || (boxed_ >> guest & 1) == 0)) return std::nullopt;
    return float_home(guest);
}
}  // namespace hartline::jit
