// Floating-point operations between f registers and integers: comparisons and conversions.
#include "cpu/jit/emitter.hpp"

namespace hartline::jit {
namespace {
using Id = x86::Inst::Id;

bool truncates(const IrInst& inst) { return inst.rounding == static_cast<u8>(fp::Rounding::TowardZero); }
}  // namespace

void Emitter::float_to_integer(const IrBlock& ir, u32 id) {
    const IrInst& inst = ir[id];
    const Gp d = destination(ir, id);
    switch (inst.fp_op) {
        case fp::Op::ToI32S:
        case fp::Op::ToI32D:
        case fp::Op::ToI64S:
        case fp::Op::ToI64D: to_signed(ir, id, d); break;
        case fp::Op::ToU32S:
        case fp::Op::ToU32D:
        case fp::Op::ToU64S:
        case fp::Op::ToU64D: to_unsigned(ir, id, d); break;
        default: compare_floats(ir, id, d);
    }
    result(id, d);
}

// The host's comparisons leave "below" for an unordered pair as well as for a smaller first operand, so that
// "less" asks whether the second one is above.
void Emitter::compare_floats(const IrBlock& ir, u32 id, Gp d) {
    const IrInst& inst = ir[id];
    const bool single = is_single(inst.fp_op);
    FloatSource first = float_source(ir, inst.a), second = float_source(ir, inst.b);
    check_boxed(first);
    check_boxed(second);
    const bool equal = inst.fp_op == fp::Op::EqS || inst.fp_op == fp::Op::EqD;
    const bool signals = inst.fp_op == fp::Op::LtS || inst.fp_op == fp::Op::LtD ||
                         inst.fp_op == fp::Op::LeS || inst.fp_op == fp::Op::LeD;
    const bool strictly = inst.fp_op == fp::Op::LtS || inst.fp_op == fp::Op::LtD ||
                          inst.fp_op == fp::Op::LtQS || inst.fp_op == fp::Op::LtQD;
    const Gp zero = equal ? take_temporary() : d;
    if (!equal) std::swap(first, second);
    const Xmm x = in_xmm(first, x86::xmm0);
    a.xor_(d.r32(), d.r32());
    if (equal) a.xor_(zero.r32(), zero.r32());
    const x86::Inst::Id compare = single ? (signals ? x86::Inst::kIdVcomiss : x86::Inst::kIdVucomiss)
                                         : (signals ? x86::Inst::kIdVcomisd : x86::Inst::kIdVucomisd);
    a.emit(compare, x, float_operand(second));
    if (!equal) return void(strictly ? a.seta(d.r8()) : a.setae(d.r8()));
    a.setnp(d.r8());
    a.cmovne(d.r32(), zero.r32());
    give_back(zero);
}

// Out of range, the host's result is the smallest integer, and its flags are already the guest's.
void Emitter::to_signed(const IrBlock& ir, u32 id, Gp d) {
    const IrInst& inst = ir[id];
    const bool single = is_single(inst.fp_op);
    const bool word = inst.fp_op == fp::Op::ToI32S || inst.fp_op == fp::Op::ToI32D;
    const FloatSource source = float_source(ir, inst.a);
    if (!truncates(inst)) check_rounding(inst);
    check_boxed(source);
    const Gp to = word ? d.r32() : d;
    namespace I = x86::Inst;
    const Id convert = truncates(inst) ? (single ? I::kIdVcvttss2si : I::kIdVcvttsd2si)
                                       : (single ? I::kIdVcvtss2si : I::kIdVcvtsd2si);
    a.emit(convert, to, float_operand(source));
    a.cmp(to, 1);  // overflows for the smallest integer only
    a.jo(handed_over());
    if (word) a.movsxd(d, d.r32());
}

// Rounds first, raising nothing; if that is in range, which positive numbers' bits tell in the order of the
// numbers, it is converted, and then the operand once more, to raise "inexact".
void Emitter::to_unsigned(const IrBlock& ir, u32 id, Gp d) {
    const IrInst& inst = ir[id];
    const bool single = is_single(inst.fp_op);
    const bool word = inst.fp_op == fp::Op::ToU32S || inst.fp_op == fp::Op::ToU32D;
    const FloatSource source = float_source(ir, inst.a);
    check_boxed(source);
    constexpr u32 kInexactIgnored = 8;
    constexpr std::array<u32, 8> kHost{0, 3, 1, 2, 0, 0, 0, 4};
    const Gp bits = take_temporary();
    const Xmm x = in_xmm(source, x86::xmm0);
    const u32 rounding = kHost[inst.rounding] | kInexactIgnored;
    if (single) {
        a.vroundss(x86::xmm1, x, x, rounding);
        a.vmovd(bits.r32(), x86::xmm1);
        a.cmp(bits.r32(), word ? 0x4f80'0000 : 0x5f00'0000);  // 2^32, 2^63
        a.jae(handed_over());
        a.vcvttss2si(bits, x);
        a.vcvttss2si(d, x86::xmm1);
    } else {
        const Gp limit = take_temporary();
        a.vroundsd(x86::xmm1, x, x, rounding);
        a.vmovq(bits, x86::xmm1);
        a.mov(limit, u64{word ? 0x41fu : 0x43eu} << 52);
        a.cmp(bits, limit);
        a.jae(handed_over());
        a.vcvttsd2si(bits, x);
        a.vcvttsd2si(d, x86::xmm1);
        give_back(limit);
    }
    give_back(bits);
    if (word) a.movsxd(d, d.r32());
}

// The upper half of the unsigned ones of 64 bits is left to the interpreter.
void Emitter::from_integer(const IrBlock& ir, u32 id, Xmm d) {
    const IrInst& inst = ir[id];
    const bool single = is_single(inst.fp_op);
    const bool signed_word = inst.fp_op == fp::Op::FromI32S || inst.fp_op == fp::Op::FromI32D;
    const bool unsigned_word = inst.fp_op == fp::Op::FromU32S || inst.fp_op == fp::Op::FromU32D;
    const bool unsigned_long = inst.fp_op == fp::Op::FromU64S || inst.fp_op == fp::Op::FromU64D;
    if (single || !(signed_word || unsigned_word)) check_rounding(inst);
    Gp from = in_register(inst.a);
    if (unsigned_long) {
        a.test(from, from);
        a.js(handed_over());
    } else if (unsigned_word) {
        const Gp extended = take_temporary();
        a.mov(extended.r32(), from.r32());
        from = extended;
    } else if (signed_word) {
        from = from.r32();
    }
    a.vxorps(x86::xmm0, x86::xmm0, x86::xmm0);
    single ? a.vcvtsi2ss(d, x86::xmm0, from) : a.vcvtsi2sd(d, x86::xmm0, from);
}
}  // namespace hartline::jit
