// Literal floating-point cases, each from a sentence or a table of the specification.
#include <catch2/catch.hpp>

#include <array>
#include <set>
#include <sstream>

#include "cpu/fp/fp.hpp"
#include "cpu/fp/host.hpp"

namespace hartline::fp {
namespace {

constexpr Rounding kRne = Rounding::NearestEven;
constexpr Rounding kRtz = Rounding::TowardZero;
constexpr Rounding kRdn = Rounding::Down;
constexpr Rounding kRup = Rounding::Up;
constexpr Rounding kRmm = Rounding::NearestMaxMagnitude;
constexpr std::array kAllRoundings{kRne, kRtz, kRdn, kRup, kRmm};

constexpr u64 sext32(u64 value) { return static_cast<u64>(static_cast<i64>(static_cast<i32>(value))); }

struct Expect {
    Op op;
    Rounding rounding;
    u64 a, b, c;
    u64 result;
    u32 flags;
};

void check(const Expect& e) {
    std::ostringstream what;
    what << name(e.op) << std::hex << " rm " << static_cast<u32>(e.rounding) << ' ' << e.a << ' ' << e.b
         << ' ' << e.c;
    INFO(what.str());
    u32 flags = 0;
    const u64 result = function(e.op)(e.a, e.b, e.c, e.rounding, flags);
    CHECK(result == e.result);
    CHECK(flags == e.flags);
}

template <std::size_t count>
void check_all(const Expect (&cases)[count]) {
    for (const Expect& e : cases) check(e);
}

template <std::size_t count>
void check_in_every_rounding(const Expect (&cases)[count]) {
    for (Expect e : cases) {
        for (const Rounding rounding : kAllRoundings) {
            e.rounding = rounding;
            check(e);
        }
    }
}

// The special values of one format.
template <class F>
struct Bits {
    static constexpr u64 kZero = 0, kMinusZero = F::kSign;
    static constexpr u64 kOne = static_cast<u64>(F::kBias) << F::kFractionBits;
    static constexpr u64 kMinusOne = F::kSign | kOne;
    static constexpr u64 kTwo = kOne + F::kMinNormal;
    static constexpr u64 kInf = F::kInfinity, kMinusInf = F::kSign | F::kInfinity;
    static constexpr u64 kNan = F::kCanonicalNan;
    static constexpr u64 kQuiet = F::kSign | F::kCanonicalNan | 5;  // quiet, but not canonical
    static constexpr u64 kSignalling = F::kSign | F::kInfinity | 1;
    static constexpr u64 kTiny = 1, kMinusTiny = F::kSign | 1;  // the smallest subnormal values
    static constexpr u64 kMax = F::kMaxFinite;
};
using H = Bits<F16>;
using S = Bits<F32>;
using D = Bits<F64>;

}  // namespace

TEST_CASE("checklist 15: canonical NaNs are the specified patterns", "[fp]") {
    CHECK(kCanonicalNanH == 0x7e00);
    CHECK(kCanonicalNanS == 0x7fc0'0000);
    CHECK(kCanonicalNanD == 0x7ff8'0000'0000'0000);
}

TEST_CASE("rows_have_unique_names", "[fp]") {
    std::set<std::string_view> names;
    for (std::size_t i = 0; i < kOpCount; ++i) names.insert(name(static_cast<Op>(i)));
    CHECK(names.size() == kOpCount);
    CHECK(names.contains("AddS"));
}

TEST_CASE("checklist 21: flags accumulate", "[fp]") {
    constexpr u32 kOther = 0x8000'0000;
    u32 flags = kOther | kDivideByZero;
    CHECK(evaluate<Op::AddS>(S::kOne, S::kTiny, 0, kRne, flags) == S::kOne);
    CHECK(flags == (kOther | kDivideByZero | kInexact));
    CHECK(evaluate<Op::AddS>(S::kOne, S::kOne, 0, kRne, flags) == S::kTwo);
    CHECK(flags == (kOther | kDivideByZero | kInexact));
}

// f, "Single-Precision Floating-Point Conversion and Move Instructions": domains of float-to-integer
// conversions.
TEST_CASE("checklist 17, seen 16: conversions to integers saturate", "[fp]") {
    constexpr u64 kMaxI64 = 0x7fff'ffff'ffff'ffff;
    check_in_every_rounding({
        {Op::ToI32S, kRne, S::kNan, 0, 0, 0x7fff'ffff, kInvalid},
        {Op::ToI32S, kRne, S::kSignalling, 0, 0, 0x7fff'ffff, kInvalid},
        {Op::ToI32S, kRne, S::kInf, 0, 0, 0x7fff'ffff, kInvalid},
        {Op::ToI32S, kRne, S::kMinusInf, 0, 0, sext32(0x8000'0000), kInvalid},
        {Op::ToI32S, kRne, 0x4f00'0000, 0, 0, 0x7fff'ffff, kInvalid},          // 2^31
        {Op::ToI32S, kRne, 0xcf00'0000, 0, 0, sext32(0x8000'0000), 0},         // -2^31
        {Op::ToI32S, kRne, 0xcf00'0001, 0, 0, sext32(0x8000'0000), kInvalid},  // the next below
        {Op::ToU32S, kRne, S::kQuiet, 0, 0, ~u64{0}, kInvalid},
        {Op::ToU32S, kRne, S::kMinusInf, 0, 0, 0, kInvalid},
        {Op::ToU32S, kRne, S::kInf, 0, 0, ~u64{0}, kInvalid},
        {Op::ToU32S, kRne, S::kMinusOne, 0, 0, 0, kInvalid},
        {Op::ToU32S, kRne, S::kMinusZero, 0, 0, 0, 0},
        {Op::ToU32S, kRne, 0x4f00'0000, 0, 0, sext32(0x8000'0000), 0},  // 2^31, sign-extended though unsigned
        {Op::ToU32D, kRne, 0x41ef'ffff'ffe0'0000, 0, 0, ~u64{0}, 0},    // 2^32 - 1
        {Op::ToU32D, kRne, 0x41f0'0000'0000'0000, 0, 0, ~u64{0}, kInvalid},
        {Op::ToI64D, kRne, D::kNan, 0, 0, kMaxI64, kInvalid},
        {Op::ToI64D, kRne, 0x43e0'0000'0000'0000, 0, 0, kMaxI64, kInvalid},  // 2^63
        {Op::ToI64D, kRne, 0xc3e0'0000'0000'0000, 0, 0, u64{1} << 63, 0},    // -2^63
        {Op::ToI64D, kRne, 0xc3e0'0000'0000'0001, 0, 0, u64{1} << 63, kInvalid},
        {Op::ToU64D, kRne, 0x43e0'0000'0000'0000, 0, 0, u64{1} << 63, 0},
        {Op::ToU64D, kRne, 0x43f0'0000'0000'0000, 0, 0, ~u64{0}, kInvalid},  // 2^64
        {Op::ToU64D, kRne, D::kMinusInf, 0, 0, 0, kInvalid},
        {Op::ToI64H, kRne, H::kInf, 0, 0, kMaxI64, kInvalid},
        {Op::ToU64H, kRne, H::kMax, 0, 0, 65504, 0},
    });
}

// "Minimum valid input (after rounding)": the mode decides before the range check; invalid excludes inexact.
TEST_CASE("checklist 17, seen 16: conversions to integers round before the range check", "[fp]") {
    check_all({
        {Op::ToU32D, kRtz, 0xbfe0'0000'0000'0000, 0, 0, 0, kInexact},  // -0.5
        {Op::ToU32D, kRne, 0xbfe0'0000'0000'0000, 0, 0, 0, kInexact},
        {Op::ToU32D, kRup, 0xbfef'ffff'ffff'ffff, 0, 0, 0, kInexact},  // just above -1
        {Op::ToU32D, kRdn, 0xbfe0'0000'0000'0000, 0, 0, 0, kInvalid},
        {Op::ToU32D, kRmm, 0xbfe0'0000'0000'0000, 0, 0, 0, kInvalid},
        {Op::ToU32D, kRdn, 0x8000'0000'0000'0001, 0, 0, 0, kInvalid},  // the smallest negative subnormal
        {Op::ToU64S, kRdn, S::kMinusTiny, 0, 0, 0, kInvalid},
        {Op::ToI32D, kRtz, 0x41df'ffff'ffff'ffff, 0, 0, 0x7fff'ffff, kInexact},  // just below 2^31
        {Op::ToI32D, kRne, 0x41df'ffff'ffff'ffff, 0, 0, 0x7fff'ffff, kInvalid},
        {Op::ToI32D, kRup, 0x41df'ffff'ffc0'0001, 0, 0, 0x7fff'ffff, kInvalid},  // just above 2^31 - 1
        {Op::ToI32D, kRdn, 0xc1e0'0000'0010'0000, 0, 0, sext32(0x8000'0000), kInvalid},  // -2^31 - 0.5
        {Op::ToI32D, kRne, 0xc1e0'0000'0010'0000, 0, 0, sext32(0x8000'0000), kInexact},
        {Op::ToI32D, kRmm, 0xc1e0'0000'0010'0000, 0, 0, sext32(0x8000'0000), kInvalid},
        {Op::ToI32S, kRne, 0x4020'0000, 0, 0, 2, kInexact},  // 2.5
        {Op::ToI32S, kRmm, 0x4020'0000, 0, 0, 3, kInexact},
        {Op::ToI32S, kRmm, 0xc020'0000, 0, 0, sext32(~u64{2}), kInexact},
        {Op::ToI32S, kRne, 0xc060'0000, 0, 0, sext32(~u64{3}), kInexact},  // -3.5
    });
}

TEST_CASE("conversions_from_integers_read_their_width", "[fp]") {
    check_all({
        {Op::FromI32S, kRne, 0x1234'5678'ffff'ffff, 0, 0, S::kMinusOne, 0},
        {Op::FromU32D, kRne, 0x1234'5678'ffff'ffff, 0, 0, 0x41ef'ffff'ffe0'0000, 0},
        {Op::FromU32S, kRne, 0xffff'ffff, 0, 0, 0x4f80'0000, kInexact},
        {Op::FromU32S, kRtz, 0xffff'ffff, 0, 0, 0x4f7f'ffff, kInexact},
        {Op::FromI64D, kRne, u64{1} << 63, 0, 0, 0xc3e0'0000'0000'0000, 0},
        {Op::FromU64D, kRne, ~u64{0}, 0, 0, 0x43f0'0000'0000'0000, kInexact},
        {Op::FromU64S, kRdn, ~u64{0}, 0, 0, 0x5f7f'ffff, kInexact},
        {Op::FromI32D, kRdn, 0, 0, 0, 0, 0},
        {Op::FromI32H, kRne, 65520, 0, 0, H::kInf, kOverflow | kInexact},
        {Op::FromI32H, kRtz, 65520, 0, 0, H::kMax, kInexact},  // 65504 is what an unbounded exponent gives
        {Op::FromU64H, kRtz, ~u64{0}, 0, 0, H::kMax, kOverflow | kInexact},
        {Op::FromI32H, kRmm, 2049, 0, 0, 0x6801, kInexact},
        {Op::FromI32H, kRne, 2049, 0, 0, 0x6800, kInexact},
    });
}

TEST_CASE("checklist 22: conversions between formats round once", "[fp]") {
    check_all({
        {Op::SToD, kRne, S::kTiny, 0, 0, 0x36a0'0000'0000'0000, 0},
        {Op::SToD, kRne, S::kQuiet, 0, 0, D::kNan, 0},
        {Op::SToD, kRne, S::kSignalling, 0, 0, D::kNan, kInvalid},
        {Op::DToS, kRne, D::kMinusInf, 0, 0, S::kMinusInf, 0},
        {Op::DToS, kRne, D::kTiny, 0, 0, 0, kUnderflow | kInexact},
        {Op::DToS, kRup, D::kTiny, 0, 0, S::kTiny, kUnderflow | kInexact},
        {Op::DToS, kRne, D::kMax, 0, 0, S::kInf, kOverflow | kInexact},
        {Op::DToS, kRdn, D::kMax, 0, 0, S::kMax, kOverflow | kInexact},
        {Op::DToS, kRne, D::kMinusZero, 0, 0, S::kMinusZero, 0},
        // 1 + 2^-11 + 2^-40: half way in single precision, so that going through it would lose the last bit.
        {Op::DToH, kRne, 0x3ff0'0200'0000'1000, 0, 0, 0x3c01, kInexact},
        {Op::DToH, kRne, 0x3ff0'0200'0000'0000, 0, 0, 0x3c00, kInexact},
        {Op::HToS, kRne, H::kTiny, 0, 0, 0x3380'0000, 0},
        {Op::HToD, kRne, H::kSignalling, 0, 0, D::kNan, kInvalid},
        {Op::SToH, kRne, 0x477f'f000, 0, 0, H::kInf, kOverflow | kInexact},  // 65520
        {Op::SToH, kRne, 0x477f'efff, 0, 0, H::kMax, kInexact},
    });
}

// f, "Floating-Point Control and Status Register" and IEEE 754: tininess is detected after rounding.
TEST_CASE("checklist 19, seen 18: underflow needs a result tiny after rounding", "[fp]") {
    check_all({
        // (1 - 2^-24) * min normal rounds up to it with an unbounded exponent only from above the middle of
        // its last gap.
        {Op::MulS, kRne, 0x0080'0000, 0x3f7f'ffff, 0, 0x0080'0000, kUnderflow | kInexact},
        {Op::MulAddS, kRne, 0x0080'0000, 0x3f7f'ffff, 1, 0x0080'0000, kInexact},
        {Op::MulS, kRup, 0x0080'0001, 0x3f7f'fffe, 0, 0x0080'0000, kInexact},
        {Op::MulS, kRtz, 0x0080'0001, 0x3f7f'fffe, 0, 0x007f'ffff, kUnderflow | kInexact},
        {Op::DToS, kRne, 0x380f'ffff'ffff'ffff, 0, 0, 0x0080'0000, kInexact},
        {Op::DToS, kRne, 0x380f'ffff'e000'0000, 0, 0, 0x0080'0000,
         kUnderflow | kInexact},                                               // (1 - 2^-24) * min normal
        {Op::DToS, kRne, 0x380f'ffff'f000'0000, 0, 0, 0x0080'0000, kInexact},  // a tie, away from tiny
        {Op::DivD, kRne, D::kTiny, D::kTwo, 0, 0, kUnderflow | kInexact},
        {Op::DivD, kRmm, D::kTiny, D::kTwo, 0, D::kTiny, kUnderflow | kInexact},
        {Op::DivD, kRne, 0x0010'0000'0000'0000, D::kTwo, 0, 0x0008'0000'0000'0000, 0},  // exact: no underflow
        {Op::AddD, kRne, D::kTiny, D::kTiny, 0, 2, 0},
    });
}

TEST_CASE("overflow_follows_the_rounding_mode", "[fp]") {
    constexpr u64 kMinusMax = F32::kSign | S::kMax;
    constexpr u32 kFlags = kOverflow | kInexact;
    check_all({
        {Op::AddS, kRne, S::kMax, S::kMax, 0, S::kInf, kFlags},
        {Op::AddS, kRmm, S::kMax, S::kMax, 0, S::kInf, kFlags},
        {Op::AddS, kRtz, S::kMax, S::kMax, 0, S::kMax, kFlags},
        {Op::AddS, kRdn, S::kMax, S::kMax, 0, S::kMax, kFlags},
        {Op::AddS, kRup, S::kMax, S::kMax, 0, S::kInf, kFlags},
        {Op::AddS, kRup, kMinusMax, kMinusMax, 0, kMinusMax, kFlags},
        {Op::AddS, kRdn, kMinusMax, kMinusMax, 0, S::kMinusInf, kFlags},
        {Op::AddS, kRne, S::kMax, S::kOne, 0, S::kMax, kInexact},
        {Op::AddS, kRup, S::kMax, S::kTiny, 0, S::kInf, kFlags},
    });
}

template <class B>
void check_special_arithmetic(Op add, Op sub, Op mul, Op div, Op sqrt) {
    check_in_every_rounding({
        {add, kRne, B::kInf, B::kMinusInf, 0, B::kNan, kInvalid},
        {add, kRne, B::kInf, B::kQuiet, 0, B::kNan, 0},
        {add, kRne, B::kQuiet, B::kSignalling, 0, B::kNan, kInvalid},
        {sub, kRne, B::kInf, B::kInf, 0, B::kNan, kInvalid},
        {sub, kRne, B::kOne, B::kInf, 0, B::kMinusInf, 0},
        {sub, kRne, B::kMinusZero, B::kZero, 0, B::kMinusZero, 0},
        {mul, kRne, B::kMinusZero, B::kInf, 0, B::kNan, kInvalid},
        {mul, kRne, B::kMinusOne, B::kInf, 0, B::kMinusInf, 0},
        {div, kRne, B::kZero, B::kMinusZero, 0, B::kNan, kInvalid},
        {div, kRne, B::kInf, B::kInf, 0, B::kNan, kInvalid},
        {div, kRne, B::kOne, B::kMinusZero, 0, B::kMinusInf, kDivideByZero},
        {div, kRne, B::kInf, B::kZero, 0, B::kInf, 0},
        {div, kRne, B::kMinusOne, B::kInf, 0, B::kMinusZero, 0},
        {sqrt, kRne, B::kMinusZero, 0, 0, B::kMinusZero, 0},
        {sqrt, kRne, B::kMinusTiny, 0, 0, B::kNan, kInvalid},
        {sqrt, kRne, B::kMinusInf, 0, 0, B::kNan, kInvalid},
        {sqrt, kRne, B::kInf, 0, 0, B::kInf, 0},
    });
    check({add, kRne, B::kOne, B::kMinusOne, 0, B::kZero, 0});
    check({add, kRdn, B::kOne, B::kMinusOne, 0, B::kMinusZero, 0});
    check({add, kRdn, B::kZero, B::kMinusZero, 0, B::kMinusZero, 0});
    check({sub, kRdn, B::kZero, B::kMinusZero, 0, B::kZero, 0});
}

TEST_CASE("checklist 15, 20: special operands of arithmetic", "[fp]") {
    check_special_arithmetic<H>(Op::AddH, Op::SubH, Op::MulH, Op::DivH, Op::SqrtH);
    check_special_arithmetic<S>(Op::AddS, Op::SubS, Op::MulS, Op::DivS, Op::SqrtS);
    check_special_arithmetic<D>(Op::AddD, Op::SubD, Op::MulD, Op::DivD, Op::SqrtD);
}

// f, "Single-Precision Floating-Point Computational Instructions", on the fused multiply-add.
template <class B>
void check_fused(Op mul_add) {
    check_in_every_rounding({
        {mul_add, kRne, B::kInf, B::kZero, B::kQuiet, B::kNan, kInvalid},
        {mul_add, kRne, B::kMinusZero, B::kInf, B::kOne, B::kNan, kInvalid},
        {mul_add, kRne, B::kOne, B::kOne, B::kQuiet, B::kNan, 0},
        {mul_add, kRne, B::kQuiet, B::kZero, B::kSignalling, B::kNan, kInvalid},
        {mul_add, kRne, B::kInf, B::kOne, B::kMinusInf, B::kNan, kInvalid},
        {mul_add, kRne, B::kMax, B::kMax, B::kMinusInf, B::kMinusInf, 0},
        {mul_add, kRne, B::kMinusZero, B::kOne, B::kMinusZero, B::kMinusZero, 0},
        {mul_add, kRne, B::kMinusOne, B::kInf, B::kMax, B::kMinusInf, 0},
    });
    check({mul_add, kRne, B::kOne, B::kMinusOne, B::kOne, B::kZero, 0});
    check({mul_add, kRdn, B::kOne, B::kMinusOne, B::kOne, B::kMinusZero, 0});
    check({mul_add, kRdn, B::kZero, B::kMinusOne, B::kZero, B::kMinusZero, 0});
}

TEST_CASE("checklist 19: fused multiply-add rounds once and reports invalid products", "[fp]") {
    check_fused<H>(Op::MulAddH);
    check_fused<S>(Op::MulAddS);
    check_fused<D>(Op::MulAddD);
    // (1 + u)(1 + u) - (1 + 2u) leaves u^2, which only an unrounded product has.
    check_in_every_rounding({
        {Op::MulAddH, kRne, H::kOne + 1, H::kOne + 1, H::kMinusOne + 2, 0x0010, 0},
        {Op::MulAddS, kRne, S::kOne + 1, S::kOne + 1, S::kMinusOne + 2, 0x2880'0000, 0},
        {Op::MulAddD, kRne, D::kOne + 1, D::kOne + 1, D::kMinusOne + 2, 0x3970'0000'0000'0000, 0},
    });
}

// f, "Single-Precision Floating-Point Computational Instructions" (fmin, fmax); zfa, "Minimum and Maximum
// Instructions".
template <class B>
void check_selection(Op min, Op max, Op minm, Op maxm) {
    check_in_every_rounding({
        {min, kRne, B::kZero, B::kMinusZero, 0, B::kMinusZero, 0},
        {min, kRne, B::kMinusZero, B::kZero, 0, B::kMinusZero, 0},
        {max, kRne, B::kZero, B::kMinusZero, 0, B::kZero, 0},
        {max, kRne, B::kMinusZero, B::kZero, 0, B::kZero, 0},
        {min, kRne, B::kMinusOne, B::kTiny, 0, B::kMinusOne, 0},
        {max, kRne, B::kMinusOne, B::kMinusInf, 0, B::kMinusOne, 0},
        {min, kRne, B::kQuiet, B::kOne, 0, B::kOne, 0},
        {max, kRne, B::kOne, B::kQuiet, 0, B::kOne, 0},
        {min, kRne, B::kSignalling, B::kOne, 0, B::kOne, kInvalid},
        {max, kRne, B::kOne, B::kSignalling, 0, B::kOne, kInvalid},
        {min, kRne, B::kQuiet, B::kQuiet, 0, B::kNan, 0},
        {max, kRne, B::kQuiet, B::kSignalling, 0, B::kNan, kInvalid},
        {minm, kRne, B::kZero, B::kMinusZero, 0, B::kMinusZero, 0},
        {maxm, kRne, B::kMinusZero, B::kZero, 0, B::kZero, 0},
        {minm, kRne, B::kQuiet, B::kOne, 0, B::kNan, 0},
        {maxm, kRne, B::kOne, B::kQuiet, 0, B::kNan, 0},
        {minm, kRne, B::kOne, B::kSignalling, 0, B::kNan, kInvalid},
        {maxm, kRne, B::kMinusInf, B::kTwo, 0, B::kTwo, 0},
    });
}

TEST_CASE("checklist 15, 16, seen 19: minimum and maximum order zeros and treat NaNs", "[fp]") {
    check_selection<H>(Op::MinH, Op::MaxH, Op::MinMH, Op::MaxMH);
    check_selection<S>(Op::MinS, Op::MaxS, Op::MinMS, Op::MaxMS);
    check_selection<D>(Op::MinD, Op::MaxD, Op::MinMD, Op::MaxMD);
}

// f, "Single-Precision Floating-Point Compare Instructions"; zfa, "Comparison Instructions".
template <class B>
void check_comparison(Op eq, Op lt, Op le, Op ltq, Op leq) {
    check_in_every_rounding({
        {eq, kRne, B::kZero, B::kMinusZero, 0, 1, 0},
        {lt, kRne, B::kMinusZero, B::kZero, 0, 0, 0},
        {le, kRne, B::kZero, B::kMinusZero, 0, 1, 0},
        {lt, kRne, B::kMinusTiny, B::kZero, 0, 1, 0},
        {lt, kRne, B::kMinusInf, B::kMinusOne, 0, 1, 0},
        {le, kRne, B::kInf, B::kMax, 0, 0, 0},
        {eq, kRne, B::kQuiet, B::kQuiet, 0, 0, 0},
        {eq, kRne, B::kSignalling, B::kOne, 0, 0, kInvalid},
        {lt, kRne, B::kQuiet, B::kOne, 0, 0, kInvalid},
        {le, kRne, B::kOne, B::kQuiet, 0, 0, kInvalid},
        {ltq, kRne, B::kOne, B::kTwo, 0, 1, 0},
        {leq, kRne, B::kTwo, B::kTwo, 0, 1, 0},
        {ltq, kRne, B::kQuiet, B::kOne, 0, 0, 0},
        {leq, kRne, B::kOne, B::kQuiet, 0, 0, 0},
        {ltq, kRne, B::kOne, B::kSignalling, 0, 0, kInvalid},
        {leq, kRne, B::kSignalling, B::kQuiet, 0, 0, kInvalid},
    });
}

TEST_CASE("checklist 16, seen 20: comparisons signal as specified", "[fp]") {
    check_comparison<H>(Op::EqH, Op::LtH, Op::LeH, Op::LtQH, Op::LeQH);
    check_comparison<S>(Op::EqS, Op::LtS, Op::LeS, Op::LtQS, Op::LeQS);
    check_comparison<D>(Op::EqD, Op::LtD, Op::LeD, Op::LtQD, Op::LeQD);
}

// f, "Format of result of fclass instruction".
template <class F, class B = Bits<F>>
void check_classes(Op op) {
    check_in_every_rounding({
        {op, kRne, B::kMinusInf, 0, 0, 1 << 0, 0},
        {op, kRne, B::kMinusOne, 0, 0, 1 << 1, 0},
        {op, kRne, F::kSign | F::kMinNormal, 0, 0, 1 << 1, 0},
        {op, kRne, F::kSign | (F::kMinNormal - 1), 0, 0, 1 << 2, 0},
        {op, kRne, B::kMinusTiny, 0, 0, 1 << 2, 0},
        {op, kRne, B::kMinusZero, 0, 0, 1 << 3, 0},
        {op, kRne, B::kZero, 0, 0, 1 << 4, 0},
        {op, kRne, F::kMinNormal - 1, 0, 0, 1 << 5, 0},
        {op, kRne, F::kMinNormal, 0, 0, 1 << 6, 0},
        {op, kRne, B::kMax, 0, 0, 1 << 6, 0},
        {op, kRne, B::kInf, 0, 0, 1 << 7, 0},
        {op, kRne, B::kSignalling, 0, 0, 1 << 8, 0},
        {op, kRne, B::kQuiet, 0, 0, 1 << 9, 0},
    });
}

TEST_CASE("checklist 20: classification sets the specified bit", "[fp]") {
    check_classes<F16>(Op::ClassH);
    check_classes<F32>(Op::ClassS);
    check_classes<F64>(Op::ClassD);
}

// zfa, "Round-to-Integer Instructions".
template <class F, class B = Bits<F>>
void check_rounding_to_integral(Op round, Op round_nx) {
    constexpr u64 kHalf = B::kOne - F::kMinNormal;
    check_in_every_rounding({
        {round_nx, kRne, B::kMinusZero, 0, 0, B::kMinusZero, 0},
        {round_nx, kRne, B::kMinusInf, 0, 0, B::kMinusInf, 0},
        {round, kRne, B::kSignalling, 0, 0, B::kNan, kInvalid},
        {round_nx, kRne, B::kQuiet, 0, 0, B::kNan, 0},
        {round_nx, kRne, B::kMax, 0, 0, B::kMax, 0},
        {round_nx, kRne, B::kTwo, 0, 0, B::kTwo, 0},
    });
    check_all({
        {round, kRne, kHalf, 0, 0, B::kZero, 0},
        {round_nx, kRne, kHalf, 0, 0, B::kZero, kInexact},
        {round_nx, kRmm, kHalf, 0, 0, B::kOne, kInexact},
        {round, kRmm, F::kSign | kHalf, 0, 0, B::kMinusOne, 0},
        {round_nx, kRdn, B::kMinusTiny, 0, 0, B::kMinusOne, kInexact},
        {round_nx, kRup, B::kMinusTiny, 0, 0, B::kMinusZero, kInexact},
        {round, kRup, B::kTiny, 0, 0, B::kOne, 0},
        {round_nx, kRtz, B::kTwo - 1, 0, 0, B::kOne, kInexact},
        {round_nx, kRne, B::kTwo - 1, 0, 0, B::kTwo, kInexact},
    });
}

TEST_CASE("checklist 16, seen 24: rounding to integral reports inexactness only in froundnx", "[fp]") {
    check_rounding_to_integral<F16>(Op::RoundH, Op::RoundNxH);
    check_rounding_to_integral<F32>(Op::RoundS, Op::RoundNxS);
    check_rounding_to_integral<F64>(Op::RoundD, Op::RoundNxD);
}

// zfa, "Modular Convert-to-Integer Instruction": truncation whatever the mode, exceptions as for fcvt.w.d.
TEST_CASE("checklist 16, seen 24: modular conversion wraps", "[fp]") {
    check_in_every_rounding({
        {Op::CvtModW, kRne, D::kNan, 0, 0, 0, kInvalid},
        {Op::CvtModW, kRne, D::kInf, 0, 0, 0, kInvalid},
        {Op::CvtModW, kRne, D::kMinusInf, 0, 0, 0, kInvalid},
        {Op::CvtModW, kRne, D::kMinusZero, 0, 0, 0, 0},
        {Op::CvtModW, kRne, D::kMinusTiny, 0, 0, 0, kInexact},
        {Op::CvtModW, kRne, 0xbfff'ffff'ffff'ffff, 0, 0, sext32(~u64{0}), kInexact},      // just above -2
        {Op::CvtModW, kRne, 0x41e0'0000'0000'0000, 0, 0, sext32(0x8000'0000), kInvalid},  // 2^31
        {Op::CvtModW, kRne, 0xc1e0'0000'0000'0000, 0, 0, sext32(0x8000'0000), 0},         // -2^31
        {Op::CvtModW, kRne, 0xc1e0'0000'001f'ffff, 0, 0, sext32(0x8000'0000),
         kInexact},                                                                   // just above -2^31 - 1
        {Op::CvtModW, kRne, 0x41f0'0000'0018'0000, 0, 0, 1, kInvalid},                // 2^32 + 1.5
        {Op::CvtModW, kRne, 0xc1f0'0000'0010'0000, 0, 0, sext32(~u64{0}), kInvalid},  // -2^32 - 1
        {Op::CvtModW, kRne, 0x4330'0000'8000'0001, 0, 0, sext32(0x8000'0001), kInvalid},  // 2^52 + 2^31 + 1
        {Op::CvtModW, kRne, 0x4520'0000'0000'0001, 0, 0, sext32(0x8000'0000), kInvalid},  // 2^83 + 2^31
        {Op::CvtModW, kRne, 0x4530'0000'0000'0001, 0, 0, 0, kInvalid},                    // 2^84 + 2^32
        {Op::CvtModW, kRne, D::kMax, 0, 0, 0, kInvalid},
    });
}

TEST_CASE("host_path_declines_what_it_cannot_prove", "[fp]") {
    u64 r = 0;
    CHECK_FALSE(host_add<F64>(D::kOne, D::kOne, 0, kRne, r));         // would have to detect inexactness
    CHECK_FALSE(host_add<F64>(D::kOne, D::kOne, kInexact, kRup, r));  // not the host's rounding mode
    CHECK_FALSE(host_add<F64>(D::kInf, D::kOne, kInexact, kRne, r));
    CHECK_FALSE(host_multiply<F64>(D::kTiny, D::kTiny, kInexact, kRne, r));  // underflows to zero
    CHECK_FALSE(host_multiply<F64>(F64::kMinNormal, D::kOne - 1, kInexact, kRne,
                                   r));  // rounds up to the smallest normal
    CHECK_FALSE(host_divide<F64>(D::kOne, D::kZero, kInexact, kRne, r));
    CHECK_FALSE(host_square_root<F64>(D::kMinusOne, kInexact, kRne, r));
    CHECK_FALSE(host_mul_add_f32(S::kOne, S::kOne, 0x3380'0000, kInexact, kRne, r));  // 1 + 2^-24, a tie
    CHECK(host_mul_add_f32(S::kOne, S::kOne, S::kMinusOne, kInexact, kRne, r));
    CHECK(r == S::kZero);
    CHECK(host_multiply<F64>(D::kZero, D::kMinusOne, kInexact, kRne, r));
    CHECK(r == D::kMinusZero);
}

}  // namespace hartline::fp
