// Floating-point operations whose result is one: on the host's unit, with the guest's rounding mode and
// gathering its flags.
//
// The host's results and flags are those of cpu/fp, except for NaNs: results must be canonical. Both detect
// tininess after rounding.
#include "cpu/jit/emitter.hpp"

namespace hartline::jit {
namespace {
using Id = x86::Inst::Id;

// Every row for both formats.
struct Forms {
    Id single, wide;
    Id of(bool is_single) const { return is_single ? single : wide; }
};
}  // namespace

void Emitter::make_canonical(Xmm d, bool single) {
    const asmjit::Label nan = a.newLabel(), back = a.newLabel();
    single ? a.vucomiss(d, d) : a.vucomisd(d, d);
    a.jp(nan);
    a.bind(back);
    cold(
        [this, d, single, back] {
            if (single)
                a.vmovss(d, cell_of(&c_.floats.nan_s, 4));
            else
                a.vmovsd(d, cell_of(&c_.floats.nan_d));
            a.jmp(back);
        },
        nan);
}

// A double in its home may wait for that.
void Emitter::check_result(Xmm d, bool single) {
    if (single || d.id() < kFirstFloatHome) return make_canonical(d, single);
    result_unchecked_ = true;
}

void Emitter::float_result(const IrBlock& ir, u32 id, Xmm d) {
    switch (ir[id].fp_op) {
        case fp::Op::AddS:
        case fp::Op::AddD:
        case fp::Op::SubS:
        case fp::Op::SubD:
        case fp::Op::MulS:
        case fp::Op::MulD:
        case fp::Op::DivS:
        case fp::Op::DivD: return float_binary(ir, id, d);
        case fp::Op::MulAddS:
        case fp::Op::MulAddD: return multiply_add(ir, id, d);
        case fp::Op::MinS:
        case fp::Op::MinD:
        case fp::Op::MinMS:
        case fp::Op::MinMD:
        case fp::Op::MaxS:
        case fp::Op::MaxD:
        case fp::Op::MaxMS:
        case fp::Op::MaxMD: return pick(ir, id, d);
        case fp::Op::SqrtS:
        case fp::Op::SqrtD:
        case fp::Op::SToD:
        case fp::Op::DToS:
        case fp::Op::RoundS:
        case fp::Op::RoundD:
        case fp::Op::RoundNxS:
        case fp::Op::RoundNxD: return float_unary(ir, id, d);
        default: return from_integer(ir, id, d);
    }
}

void Emitter::float_binary(const IrBlock& ir, u32 id, Xmm d) {
    const IrInst& inst = ir[id];
    const bool single = is_single(inst.fp_op);
    FloatSource first = float_source(ir, inst.a), second = float_source(ir, inst.b);
    check_rounding(inst);
    check_boxed(first);
    check_boxed(second);
    Forms forms{};
    switch (inst.fp_op) {
        case fp::Op::AddS:
        case fp::Op::AddD: forms = {x86::Inst::kIdVaddss, x86::Inst::kIdVaddsd}; break;
        case fp::Op::SubS:
        case fp::Op::SubD: forms = {x86::Inst::kIdVsubss, x86::Inst::kIdVsubsd}; break;
        case fp::Op::MulS:
        case fp::Op::MulD: forms = {x86::Inst::kIdVmulss, x86::Inst::kIdVmulsd}; break;
        default: forms = {x86::Inst::kIdVdivss, x86::Inst::kIdVdivsd};
    }
    const bool commutes = forms.single == x86::Inst::kIdVaddss || forms.single == x86::Inst::kIdVmulss;
    if (commutes && float_operand(first).isMem()) std::swap(first, second);
    const Xmm x = in_xmm(first, x86::xmm0);
    a.emit(forms.of(single), d, x, float_operand(second));
    check_result(d, single);
}

// Of a rounding to an integral value, the mode: what the instruction says, or the control register's.
static u32 rounding_immediate(const IrInst& inst) {
    constexpr std::array<u32, 4> kHost{0, 3, 1, 2};
    constexpr u32 kAsControlled = 4;
    return inst.rounding == kDynamicRounding ? kAsControlled : kHost[inst.rounding];
}

void Emitter::float_unary(const IrBlock& ir, u32 id, Xmm d) {
    const IrInst& inst = ir[id];
    const FloatSource source = float_source(ir, inst.a);
    constexpr u32 kInexactIgnored = 8;
    const u32 rounding = rounding_immediate(inst);
    check_boxed(source);
    switch (inst.fp_op) {
        case fp::Op::SqrtS:
        case fp::Op::SqrtD:
        case fp::Op::DToS: check_rounding(inst); break;
        default: break;  // the others say how they round, or need not
    }
    const Xmm x = in_xmm(source, x86::xmm0);
    switch (inst.fp_op) {
        case fp::Op::SqrtS: a.vsqrtss(d, x, x); break;
        case fp::Op::SqrtD: a.vsqrtsd(d, x, x); break;
        case fp::Op::SToD: a.vcvtss2sd(d, x, x); break;
        case fp::Op::DToS: a.vcvtsd2ss(d, x, x); break;
        case fp::Op::RoundS: a.vroundss(d, x, x, rounding | kInexactIgnored); break;
        case fp::Op::RoundD: a.vroundsd(d, x, x, rounding | kInexactIgnored); break;
        case fp::Op::RoundNxS: a.vroundss(d, x, x, rounding); break;
        default: a.vroundsd(d, x, x, rounding);
    }
    check_result(d, inst.fp_op == fp::Op::DToS || (inst.fp_op != fp::Op::SToD && is_single(inst.fp_op)));
}

void Emitter::multiply_add(const IrBlock& ir, u32 id, Xmm d) {
    const IrInst& inst = ir[id];
    const bool single = is_single(inst.fp_op);
    const FloatSource x = float_source(ir, inst.a), y = float_source(ir, inst.b),
                      z = float_source(ir, inst.c);
    check_rounding(inst);
    for (const FloatSource& source : {x, y, z}) check_boxed(source);
    struct Variant {
        Forms of_231, of_213;
    };
    namespace I = x86::Inst;
    static constexpr std::array<Variant, 4> kVariants{
        {{{I::kIdVfmadd231ss, I::kIdVfmadd231sd}, {I::kIdVfmadd213ss, I::kIdVfmadd213sd}},
         {{I::kIdVfmsub231ss, I::kIdVfmsub231sd}, {I::kIdVfmsub213ss, I::kIdVfmsub213sd}},
         {{I::kIdVfnmadd231ss, I::kIdVfnmadd231sd}, {I::kIdVfnmadd213ss, I::kIdVfnmadd213sd}},
         {{I::kIdVfnmsub231ss, I::kIdVfnmsub231sd}, {I::kIdVfnmsub213ss, I::kIdVfnmsub213sd}}}};
    const Variant& variant = kVariants[(x.negative ? 2u : 0u) + (z.negative ? 1u : 0u)];
    const auto is_d = [&](const FloatSource& source) {
        const asmjit::Operand operand = float_operand(source);
        return operand.isReg() && operand.as<Xmm>().id() == d.id();
    };
    const Xmm to = is_d(x) || is_d(y) ? x86::xmm0 : d;  // the factors are to stay
    if (to.id() == d.id() && is_d(z)) {
        a.emit(variant.of_231.of(single), d, in_xmm(x, x86::xmm0), float_operand(y));
    } else {
        move_float(to, x);
        a.emit(variant.of_213.of(single), to, in_xmm(y, x86::xmm1), float_operand(z));
    }
    check_sum(to, x, y, sources_of(ir, id));
    if (to.id() != d.id()) a.vmovaps(d, to);
}

// Where the sum is a NaN, infinity times zero is invalid, which the host does not raise when the addend is a
// quiet NaN. The product alone tells, and raises it; what else that raises is taken back.
void Emitter::check_sum(Xmm sum, const FloatSource& x, const FloatSource& y, u32 sources) {
    const bool single = x.single;
    const asmjit::Label nan = a.newLabel(), back = a.newLabel();
    single ? a.vucomiss(sum, sum) : a.vucomisd(sum, sum);
    a.jp(nan);
    a.bind(back);
    cold(
        [this, sum, x, y, single, back, guests = take_checked(sources)] {
            const asmjit::Label invalid = a.newLabel();
            const x86::Mem before = cell_of(&c_.mxcsr_guest, 4);
            a.vstmxcsr(before);
            const Xmm factor = in_xmm(x, x86::xmm0);
            a.emit(single ? x86::Inst::kIdVmulss : x86::Inst::kIdVmulsd, x86::xmm0, factor, float_operand(y));
            single ? a.vucomiss(x86::xmm0, x86::xmm0) : a.vucomisd(x86::xmm0, x86::xmm0);
            a.jp(invalid);
            a.vldmxcsr(before);
            a.bind(invalid);
            single ? a.vmovss(sum, cell_of(&c_.floats.nan_s, 4)) : a.vmovsd(sum, cell_of(&c_.floats.nan_d));
            make_each_canonical(guests);
            a.jmp(back);
        },
        nan);
}

// Minimum and maximum: NaNs are the interpreter's, and of equal ones, which may be zeros of different signs,
// all bits count.
void Emitter::pick(const IrBlock& ir, u32 id, Xmm d) {
    const IrInst& inst = ir[id];
    const bool single = is_single(inst.fp_op);
    const FloatSource first = float_source(ir, inst.a), second = float_source(ir, inst.b);
    check_boxed(first);
    check_boxed(second);
    const bool smaller = inst.fp_op == fp::Op::MinS || inst.fp_op == fp::Op::MinD ||
                         inst.fp_op == fp::Op::MinMS || inst.fp_op == fp::Op::MinMD;
    const Xmm x = in_xmm(first, x86::xmm0), y = in_xmm(second, x86::xmm1);
    const asmjit::Label equal = a.newLabel(), back = a.newLabel();
    single ? a.vucomiss(x, y) : a.vucomisd(x, y);
    a.jp(handed_over());
    a.je(equal);
    if (smaller)
        single ? a.vminss(d, x, y) : a.vminsd(d, x, y);
    else
        single ? a.vmaxss(d, x, y) : a.vmaxsd(d, x, y);
    a.bind(back);
    cold(
        [this, d, x, y, smaller, back] {
            smaller ? a.vorps(d, x, y) : a.vandps(d, x, y);
            a.jmp(back);
        },
        equal);
}

// fsgnj, fsgnjn, fsgnjx: the sign of the second operand, itself, its opposite or together with the first's.
void Emitter::sign(const IrBlock& ir, u32 id, Xmm d) {
    const IrInst& root = ir[id];
    const bool both = root.op == IrOp::Xor;
    u32 giver = ir[root.b].a;
    const bool opposite = ir[giver].op == IrOp::Not;
    if (opposite) giver = ir[giver].a;
    const FloatSource first = float_source(ir, both ? root.a : ir[root.a].a);
    const FloatSource second = float_source(ir, giver);
    for (const FloatSource& source : {first, second}) {
        check_boxed(source);
        check_nan(source.guest);
    }
    const auto constant = [&](const u64* s, const u64* wide) { return cell_of(first.single ? s : wide, 16); };
    const x86::Mem sign_bit = constant(c_.floats.sign_s, c_.floats.sign_d);
    const x86::Mem magnitude = constant(c_.floats.magnitude_s, c_.floats.magnitude_d);
    if (first.guest == second.guest) {
        if (!both && !opposite) return move_float(d, first);
        const Xmm x = in_xmm(first, x86::xmm0);
        both ? a.vandps(d, x, magnitude) : a.vxorps(d, x, sign_bit);
        return;
    }
    const Xmm x = in_xmm(first, x86::xmm0), y = in_xmm(second, x86::xmm1);
    opposite ? a.vandnps(x86::xmm1, y, sign_bit) : a.vandps(x86::xmm1, y, sign_bit);
    if (both) return void(a.vxorps(d, x, x86::xmm1));
    a.vandps(x86::xmm0, x, magnitude);
    a.vorps(d, x86::xmm0, x86::xmm1);
}
}  // namespace hartline::jit
