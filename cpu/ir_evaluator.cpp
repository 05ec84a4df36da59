// The evaluator. Its integer operations are slow and literal on purpose, and share no code with the
// interpreter's.
#include "cpu/ir_evaluator.hpp"

namespace hartline {
namespace {
constexpr u64 kFs = u64{3} << 13;  // mstatus.FS

constexpr u64 ones(unsigned width) { return width == 64 ? ~u64{0} : (u64{1} << width) - 1; }
constexpr bool negative(u64 value, unsigned width = 64) { return (value >> (width - 1) & 1) != 0; }
constexpr u64 extend(u64 value, unsigned width) {
    const u64 low = value & ones(width);
    return negative(low, width) ? low | ~ones(width) : low;
}
constexpr u64 magnitude(u64 value) { return negative(value) ? ~value + 1 : value; }
constexpr bool less_signed(u64 a, u64 b) { return negative(a) != negative(b) ? negative(a) : a < b; }

// --- shifts, a bit at a time
u64 shift_left(u64 value, u64 amount) {
    for (; amount > 0; --amount) value += value;
    return value;
}
u64 shift_right(u64 value, u64 amount, bool fill, unsigned width) {
    for (; amount > 0; --amount) value = value / 2 + (fill ? u64{1} << (width - 1) : 0);
    return value;
}
u64 rotate_left(u64 value, u64 amount, unsigned width) {
    for (; amount > 0; --amount) value = ((value << 1) | (negative(value, width) ? 1 : 0)) & ones(width);
    return value;
}

// --- products from 32-bit halves
u64 high_product(u64 a, u64 b) {
    const u64 a0 = a & ones(32), a1 = a >> 32, b0 = b & ones(32), b1 = b >> 32;
    const u64 middle = a1 * b0 + (a0 * b0 >> 32);
    const u64 other = a0 * b1 + (middle & ones(32));
    return a1 * b1 + (middle >> 32) + (other >> 32);
}
// A negative factor counts 2^64 too much as an unsigned one.
u64 high_product_signed(u64 a, u64 b, bool b_signed) {
    return high_product(a, b) - (negative(a) ? b : 0) - (b_signed && negative(b) ? a : 0);
}

// --- division by subtraction. m, "Division Operations"
struct Division {
    u64 quotient = 0, remainder = 0;
};
Division divide_unsigned(u64 a, u64 b) {
    Division d;
    for (int i = 63; i >= 0; --i) {
        const bool carry = negative(d.remainder);
        d.remainder = d.remainder << 1 | (a >> i & 1);
        if (carry || d.remainder >= b) {
            d.remainder -= b;
            d.quotient |= u64{1} << i;
        }
    }
    return d;
}
Division divide(u64 a, u64 b, bool is_signed) {
    if (b == 0) return {~u64{0}, a};
    if (!is_signed) return divide_unsigned(a, b);
    Division d = divide_unsigned(magnitude(a), magnitude(b));  // overflow needs no case of its own: it wraps
    if (negative(a) != negative(b)) d.quotient = ~d.quotient + 1;
    if (negative(a)) d.remainder = ~d.remainder + 1;
    return d;
}
Division divide_words(u64 a, u64 b, bool is_signed) {
    const Division d =
        is_signed ? divide(extend(a, 32), extend(b, 32), true) : divide(a & ones(32), b & ones(32), false);
    return {extend(d.quotient, 32), extend(d.remainder, 32)};
}

// --- bits
u64 leading_zeros(u64 value, unsigned width) {
    u64 n = 0;
    while (n < width && (value >> (width - 1 - n) & 1) == 0) ++n;
    return n;
}
u64 trailing_zeros(u64 value, unsigned width) {
    u64 n = 0;
    while (n < width && (value >> n & 1) == 0) ++n;
    return n;
}
u64 ones_in(u64 value) {
    u64 n = 0;
    for (; value != 0; value /= 2) n += value % 2;
    return n;
}
template <class OfByte>
u64 by_bytes(u64 value, OfByte of_byte) {
    u64 result = 0;
    for (unsigned n = 0; n < 8; ++n) result |= of_byte(value >> (8 * n) & 0xff, n);
    return result;
}
// b, "clmul", "clmulh", "clmulr": bits [from, from + 63] of the 127-bit carry-less product.
u64 carryless_product(u64 a, u64 b, unsigned from) {
    u64 result = 0;
    for (unsigned i = 0; i < 64; ++i) {
        const unsigned to = i + from;  // bit `to` of the product
        for (unsigned k = 0; k < 64; ++k)
            if (to >= k && to - k < 64) result ^= ((a >> (to - k)) & (b >> k) & 1) << i;
    }
    return result;
}

u64 shift(IrOp op, u64 a, u64 b) {
    const u64 by = b % 64, by_word = b % 32, word = a & ones(32);
    switch (op) {
        case IrOp::Shl: return shift_left(a, by);
        case IrOp::Shr: return shift_right(a, by, false, 64);
        case IrOp::Sar: return shift_right(a, by, negative(a), 64);
        case IrOp::ShlW: return extend(shift_left(a, by_word), 32);
        case IrOp::ShrW: return extend(shift_right(word, by_word, false, 32), 32);
        case IrOp::SarW: return extend(shift_right(word, by_word, negative(word, 32), 32), 32);
        case IrOp::Rol: return rotate_left(a, by, 64);
        case IrOp::Ror: return rotate_left(a, 64 - by, 64);
        case IrOp::RolW: return extend(rotate_left(word, by_word, 32), 32);
        default: return extend(rotate_left(word, 32 - by_word, 32), 32);  // RorW
    }
}

u64 multiply_or_divide(IrOp op, u64 a, u64 b) {
    switch (op) {
        case IrOp::Mul: return a * b;
        case IrOp::MulH: return high_product_signed(a, b, true);
        case IrOp::MulHU: return high_product(a, b);
        case IrOp::MulHSU: return high_product_signed(a, b, false);
        case IrOp::Div: return divide(a, b, true).quotient;
        case IrOp::DivU: return divide(a, b, false).quotient;
        case IrOp::Rem: return divide(a, b, true).remainder;
        case IrOp::RemU: return divide(a, b, false).remainder;
        case IrOp::DivW: return divide_words(a, b, true).quotient;
        case IrOp::DivUW: return divide_words(a, b, false).quotient;
        case IrOp::RemW: return divide_words(a, b, true).remainder;
        default: return divide_words(a, b, false).remainder;  // RemUW
    }
}

// --- blocks
class Evaluator {
public:
    Evaluator(const IrBlock& block, Cpu& cpu, const EvaluationBounds& bounds)
        : block_(block),
          cpu_(cpu),
          bounds_(bounds),
          more_values_(block.size() > kFewValues ? block.size() : 0) {
        if (!more_values_.empty()) values_ = more_values_.data();
    }

    Evaluation run() {
        for (at_ = 0; at_ < block_.size(); ++at_) {
            const IrInst& i = block_[at_];
            if (i.op == IrOp::Begin && at_ != 0 && bounded()) break;
            if (!step(i)) return {true, retired_};
        }
        return {false, retired_};
    }

private:
    static constexpr std::size_t kFewValues = 512;

    bool bounded() const { return retired_ >= bounds_.most || (bounds_.leave != nullptr && *bounds_.leave); }
    HartState& s() { return cpu_.s; }
    u64 value(u32 id) const { return id == kNoValue ? 0 : values_[id]; }
    bool give(u64 result) {
        values_[at_] = result;
        return true;
    }
    bool retire(u64 next) {
        s().pc = next;
        ++s().retired;
        ++retired_;
        return true;
    }
    bool illegal_if(bool condition) { return !condition || cpu_.illegal() == Outcome::Done; }

    bool step(const IrInst& i) {
        const u64 a = value(i.a), b = value(i.b), c = value(i.c);
        switch (i.op) {
            case IrOp::Begin:
                s().pc = i.imm;
                cpu_.next_pc = i.imm + i.width;
                return true;
            case IrOp::End: return retire(cpu_.next_pc);
            case IrOp::Jump: return retire(a);
            case IrOp::Branch: return retire(a != 0 ? b : cpu_.next_pc);
            case IrOp::Call: return i.function(cpu_, i.operands) == Outcome::Done && retire(cpu_.next_pc);
            case IrOp::Illegal: return illegal_if(true);
            case IrOp::FpGuard: return illegal_if((s().mstatus & kFs) == 0);
            case IrOp::RoundingGuard: return illegal_if(s().frm > 4);
            case IrOp::Imm: return give(i.imm);
            case IrOp::PcPlus: return give(s().pc + i.imm);
            case IrOp::GetX: return give(s().x[i.reg]);
            case IrOp::SetX: s().x[i.reg] = a; return true;
            case IrOp::GetF: return give(s().f[i.reg]);
            case IrOp::SetF:
                s().f[i.reg] = a;
                s().mstatus |= kFs;
                return true;
            case IrOp::Select: return give(a != 0 ? b : c);
            case IrOp::Sext: return give(extend(a, i.width));
            case IrOp::Zext: return give(a & ones(i.width));
            case IrOp::Box: return give(a | ~ones(i.width));
            case IrOp::Unbox: return give(unbox(a, i.width));
            case IrOp::Fp: return give(floating_point(i, a, b, c));
            case IrOp::Fence: return true;
            case IrOp::Load:
            case IrOp::Store:
            case IrOp::Amo:
            case IrOp::LoadReserved:
            case IrOp::StoreConditional:
            case IrOp::CompareSwap: return access(i, a, b, c);
            default: return give(evaluate_integer(i.op, a, b));
        }
    }

    bool access(const IrInst& i, u64 a, u64 b, u64 c) {
        const unsigned bytes = i.width / 8u;
        const u64 low = b & ones(i.width);
        u64 result = 0;
        switch (i.op) {
            case IrOp::Load:
                if (!load_slow(cpu_, a, bytes, result)) return false;
                return give(i.is_signed ? extend(result, i.width) : result);
            case IrOp::Store: return store_slow(cpu_, a, bytes, low);
            case IrOp::StoreConditional:
                return store_conditional(cpu_, bytes, a, low, result) && give(result);
            case IrOp::Amo:
                if (!amo(cpu_, i.amo, bytes, a, low, result)) return false;
                break;
            case IrOp::LoadReserved:
                if (!load_reserved(cpu_, bytes, a, result)) return false;
                break;
            default:  // CompareSwap
                if (!compare_swap(cpu_, bytes, a, low, c & ones(i.width), result)) return false;
        }
        return give(extend(result, i.width));
    }

    // f, "NaN Boxing of Narrower Values"
    static u64 unbox(u64 boxed, unsigned width) {
        const u64 nan = width == 32 ? fp::kCanonicalNanS : fp::kCanonicalNanH;
        return (boxed | ones(width)) == ~u64{0} ? boxed & ones(width) : nan;
    }
    u64 floating_point(const IrInst& i, u64 a, u64 b, u64 c) {
        const u32 mode = i.rounding == kDynamicRounding ? s().frm : i.rounding;
        u32 flags = 0;
        const u64 result = fp::function(i.fp_op)(a, b, c, static_cast<fp::Rounding>(mode), flags);
        s().fflags |= flags;
        if (flags != 0) s().mstatus |= kFs;
        return result;
    }

    const IrBlock& block_;
    Cpu& cpu_;
    const EvaluationBounds& bounds_;
    u64 few_values_[kFewValues];  // each is written before it is read
    std::vector<u64> more_values_;
    u64* values_ = few_values_;
    std::size_t at_ = 0;
    u64 retired_ = 0;
};
}  // namespace

u64 evaluate_integer(IrOp op, u64 a, u64 b) {
    switch (op) {
        case IrOp::Add: return a + b;
        case IrOp::Sub: return a + ~b + 1;
        case IrOp::And: return a & b;
        case IrOp::Or: return a | b;
        case IrOp::Xor: return (a | b) - (a & b);
        case IrOp::Not: return ~u64{0} - a;
        case IrOp::Neg: return ~a + 1;
        case IrOp::Slt: return less_signed(a, b) ? 1 : 0;
        case IrOp::SltU: return a < b ? 1 : 0;
        case IrOp::Eq: return (a ^ b) == 0 ? 1 : 0;
        case IrOp::Ne: return (a ^ b) != 0 ? 1 : 0;
        case IrOp::Clz: return leading_zeros(a, 64);
        case IrOp::Ctz: return trailing_zeros(a, 64);
        case IrOp::Popcount: return ones_in(a);
        case IrOp::ClzW: return leading_zeros(a, 32);
        case IrOp::CtzW: return trailing_zeros(a, 32);
        case IrOp::PopcountW: return ones_in(a & ones(32));
        case IrOp::Rev8: return by_bytes(a, [](u64 byte, unsigned n) { return byte << (56 - 8 * n); });
        case IrOp::OrcB:
            return by_bytes(a, [](u64 byte, unsigned n) { return byte != 0 ? u64{0xff} << (8 * n) : 0; });
        case IrOp::ClMul: return carryless_product(a, b, 0);
        case IrOp::ClMulH: return carryless_product(a, b, 64);
        case IrOp::ClMulR: return carryless_product(a, b, 63);
        case IrOp::Shl:
        case IrOp::Shr:
        case IrOp::Sar:
        case IrOp::ShlW:
        case IrOp::ShrW:
        case IrOp::SarW:
        case IrOp::Rol:
        case IrOp::Ror:
        case IrOp::RolW:
        case IrOp::RorW: return shift(op, a, b);
        default: return multiply_or_divide(op, a, b);
    }
}

Evaluation evaluate(const IrBlock& block, Cpu& cpu, const EvaluationBounds& bounds) {
    return Evaluator(block, cpu, bounds).run();
}
}  // namespace hartline
