// Random floating-point cases against two oracles that share nothing with what they judge.
//
// One is the host's unit in its four rounding modes, flags included. The other, for half and single precision
// in all five modes, is exact arithmetic in double, rounded by searching for the neighbours.
#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cfenv>
#include <cmath>
#include <limits>
#include <random>
#include <span>
#include <sstream>
#include <string>
#include <type_traits>

#include "cpu/fp/fp.hpp"
#include "cpu/fp/host.hpp"

namespace hartline::fp {
namespace {

constexpr int kIterations = 40'000;
constexpr std::array kHostRoundings{Rounding::NearestEven, Rounding::TowardZero, Rounding::Down,
                                    Rounding::Up};
constexpr std::array kAllRoundings{Rounding::NearestEven, Rounding::TowardZero, Rounding::Down, Rounding::Up,
                                   Rounding::NearestMaxMagnitude};

using Random = std::mt19937_64;  // the standard fixes its sequence, so equal seeds give equal tests

u64 below(Random& random, u64 limit) { return random() % limit; }

// Zeros, subnormals, the ends of the range, infinities and NaNs, exponents near each other, and fractions
// that make powers of two, their neighbours, and ties.
template <class F>
u64 random_operand(Random& random) {
    const u64 last = static_cast<u64>(F::kMaxBiasedExponent);
    u64 exponent = below(random, last + 1);
    switch (below(random, 8)) {
        case 0: exponent = below(random, 3); break;
        case 1: exponent = last - below(random, 4); break;
        case 2:
        case 3: exponent = last / 2 + below(random, 8) - 4; break;
        case 4:
            exponent = (last / 2 + below(random, 2 * F::kPrecision + 8) - F::kPrecision - 4) % last;
            break;
        default: break;
    }
    const u64 power = u64{1} << below(random, F::kFractionBits);
    u64 fraction = random();
    switch (below(random, 8)) {
        case 0: fraction = below(random, 2); break;
        case 1: fraction = 0 - power; break;
        case 2: fraction = power + below(random, 3) - 1; break;
        case 3: fraction &= random() & random(); break;
        default: break;
    }
    const u64 size = exponent << F::kFractionBits | (fraction & F::kFractionMask);
    return with_sign<F>(below(random, 2) != 0, size);
}

struct Operands {
    u64 a, b, c;
};

// Sometimes b is next to a (cancellation, halves of quotients), and c next to -(a * b).
template <class F>
Operands random_operands(Random& random, Op multiply) {
    Operands o{random_operand<F>(random), random_operand<F>(random), random_operand<F>(random)};
    if (below(random, 8) == 0) o.b = o.a ^ below(random, 4);
    u32 ignored = 0;
    if (below(random, 4) == 0) {
        o.c = function(multiply)(o.a, o.b, 0, Rounding::NearestEven, ignored) ^ F::kSign ^ below(random, 2);
    }
    return o;
}

struct Outcome {
    u64 bits;
    u32 flags;
    bool operator==(const Outcome&) const = default;
};

Outcome evaluate_with_flags(Op op, const Operands& o, Rounding rounding) {
    Outcome outcome{0, 0};
    outcome.bits = function(op)(o.a, o.b, o.c, rounding, outcome.flags);
    return outcome;
}

std::string describe(Op op, const Operands& o, Rounding rounding, const Outcome& got,
                     const Outcome& expected) {
    std::ostringstream text;
    text << name(op) << std::hex << " rm " << static_cast<u32>(rounding) << ' ' << o.a << ' ' << o.b << ' '
         << o.c << ": got " << got.bits << '/' << got.flags << ", expected " << expected.bits << '/'
         << expected.flags;
    return text.str();
}

// Counts rather than asserts each case, which in a loop of this length would cost more than the arithmetic.
template <class Generate, class Oracle>
void check_random(Op op, std::span<const Rounding> roundings, Generate generate, Oracle oracle) {
    Random random(static_cast<u64>(op));
    u64 mismatches = 0;
    std::string first;
    for (int i = 0; i < kIterations; ++i) {
        const Operands o = generate(random);
        for (const Rounding rounding : roundings) {
            const Outcome expected = oracle(o, rounding);
            const Outcome got = evaluate_with_flags(op, o, rounding);
            if (got == expected) continue;
            if (mismatches++ == 0) first = describe(op, o, rounding, got, expected);
        }
    }
    INFO(first);
    CHECK(mismatches == 0);
}

int host_rounding(Rounding rounding) {
    switch (rounding) {
        case Rounding::TowardZero: return FE_TOWARDZERO;
        case Rounding::Down: return FE_DOWNWARD;
        case Rounding::Up: return FE_UPWARD;
        default: return FE_TONEAREST;
    }
}

u32 host_flags() {
    const int raised = std::fetestexcept(FE_ALL_EXCEPT);
    return ((raised & FE_INEXACT) != 0 ? kInexact : 0u) | ((raised & FE_UNDERFLOW) != 0 ? kUnderflow : 0u) |
           ((raised & FE_OVERFLOW) != 0 ? kOverflow : 0u) |
           ((raised & FE_DIVBYZERO) != 0 ? kDivideByZero : 0u) | ((raised & FE_INVALID) != 0 ? kInvalid : 0u);
}

template <class Real>
using FormatOf = std::conditional_t<std::is_same_v<Real, float>, F32, F64>;

template <class Real>
u64 canonical_bits(Real value) {
    return std::isnan(value) ? FormatOf<Real>::kCanonicalNan : from_host<FormatOf<Real>>(value);
}

// Runs compute() on the host. The volatile copies keep the compiler, which assumes the default environment,
// from moving arithmetic across the calls that change and read it.
template <class Real, class Compute>
Outcome on_host(Real x, Real y, Real z, Rounding rounding, Compute compute) {
    volatile Real inputs[] = {x, y, z};
    std::fesetround(host_rounding(rounding));
    std::feclearexcept(FE_ALL_EXCEPT);
    volatile auto result = compute(Real{inputs[0]}, Real{inputs[1]}, Real{inputs[2]});
    const u32 flags = host_flags();
    std::fesetround(FE_TONEAREST);
    return {canonical_bits(+result), flags};
}

template <class F>
bool is_invalid_product(const Operands& o) {
    return (is_infinite<F>(o.a) && is_zero<F>(o.b)) || (is_zero<F>(o.a) && is_infinite<F>(o.b));
}

template <class F, class Compute>
void check_against_host(Op op, Op multiply, Compute compute) {
    const auto generate = [multiply](Random& random) {
        Operands o = random_operands<F>(random, multiply);
        // IEEE 754 leaves infinity * 0 + quiet NaN open, and the host and RISC-V differ.
        if (is_invalid_product<F>(o) && is_nan<F>(o.c)) o.c = 0;
        return o;
    };
    check_random(op, kHostRoundings, generate, [compute](const Operands& o, Rounding rounding) {
        return on_host(to_host<F>(o.a), to_host<F>(o.b), to_host<F>(o.c), rounding, compute);
    });
}

struct ArithmeticOps {
    Op add, sub, mul, div, sqrt, mul_add;
};
constexpr ArithmeticOps kHalf{Op::AddH, Op::SubH, Op::MulH, Op::DivH, Op::SqrtH, Op::MulAddH};
constexpr ArithmeticOps kSingle{Op::AddS, Op::SubS, Op::MulS, Op::DivS, Op::SqrtS, Op::MulAddS};
constexpr ArithmeticOps kDouble{Op::AddD, Op::SubD, Op::MulD, Op::DivD, Op::SqrtD, Op::MulAddD};

template <class F, class Real = HostReal<F>>
void check_arithmetic_against_host(const ArithmeticOps& ops) {
    check_against_host<F>(ops.add, ops.mul, [](Real x, Real y, Real) { return x + y; });
    check_against_host<F>(ops.sub, ops.mul, [](Real x, Real y, Real) { return x - y; });
    check_against_host<F>(ops.mul, ops.mul, [](Real x, Real y, Real) { return x * y; });
    check_against_host<F>(ops.div, ops.mul, [](Real x, Real y, Real) { return x / y; });
    check_against_host<F>(ops.sqrt, ops.mul, [](Real x, Real, Real) { return std::sqrt(x); });
    check_against_host<F>(ops.mul_add, ops.mul, [](Real x, Real y, Real z) { return std::fma(x, y, z); });
}

// The value of any of the formats' bits; a signalling NaN stays one.
template <class F>
double decoded(u64 bits) {
    const u64 size = magnitude<F>(bits);
    if (size >= F::kInfinity) {
        const u64 fraction = (bits & F::kFractionMask) << (F64::kFractionBits - F::kFractionBits);
        return to_host<F64>(with_sign<F64>(is_negative<F>(bits), F64::kInfinity | fraction));
    }
    const i32 biased = static_cast<i32>(size >> F::kFractionBits);
    const u64 significand = (bits & F::kFractionMask) | (biased != 0 ? F::kMinNormal : 0);
    const i32 scale = (biased != 0 ? biased : 1) - F::kBias - static_cast<i32>(F::kFractionBits);
    const double value = std::ldexp(static_cast<double>(significand), scale);
    return is_negative<F>(bits) ? -value : value;
}

bool rounds_away(double x, double low, double high, bool low_is_odd, bool negative, Rounding rounding) {
    const double middle = (low + high) / 2;
    switch (rounding) {
        case Rounding::NearestEven: return x > middle || (x == middle && low_is_odd);
        case Rounding::NearestMaxMagnitude: return x >= middle;
        case Rounding::TowardZero: return false;
        case Rounding::Down: return negative;
        case Rounding::Up: return !negative;
    }
    return false;
}

// The magnitude of a format's bits; those of infinity count as the power of two that follows the largest
// value.
template <class F>
double size_of(u64 bits) {
    return bits == F::kInfinity ? 2 * decoded<F>(bits - F::kMinNormal) : decoded<F>(bits);
}

// Rounds a value by finding its neighbours in the format. It may be anything that compares with every value
// of the format, and with every midpoint of two of them, as the exact result does.
template <class F>
Outcome nearest(double value, Rounding rounding) {
    if (std::isnan(value)) return {F::kCanonicalNan, 0};
    const bool negative = std::signbit(value);
    const double x = std::fabs(value);
    if (std::isinf(value)) return {with_sign<F>(negative, F::kInfinity), 0};
    u64 low = 0;
    for (u64 step = F::kSign / 2; step != 0; step /= 2) {
        if (low + step <= F::kInfinity && size_of<F>(low + step) <= x) low += step;
    }
    if (low == F::kInfinity) {
        const bool away = rounds_away(1, 0, 1, false, negative, rounding);
        return {with_sign<F>(negative, away ? F::kInfinity : F::kMaxFinite), kOverflow | kInexact};
    }
    const double floor = size_of<F>(low);
    if (floor == x) return {with_sign<F>(negative, low), 0};
    const bool away = rounds_away(x, floor, size_of<F>(low + 1), (low & 1) != 0, negative, rounding);
    const u64 size = low + away;
    u32 flags = size == F::kInfinity ? kOverflow | kInexact : u32{kInexact};
    // Tiny after rounding: with an unbounded exponent there is one more value between the largest subnormal
    // and the smallest normal one, and only from above it can rounding reach the latter.
    const double normal = size_of<F>(F::kMinNormal);
    const double below = normal - size_of<F>(1) / 2;
    const bool reaches_normal = x > below && rounds_away(x, below, normal, true, negative, rounding);
    if (x < normal && !reaches_normal) flags |= kUnderflow;
    return {with_sign<F>(negative, size), flags};
}

// Every value is one of double precision's, where there is nothing to search for.
template <class F>
Outcome to_format(double value, Rounding rounding) {
    if constexpr (F::kPrecision == F64::kPrecision) return {canonical_bits(value), 0};
    return nearest<F>(value, rounding);
}

// x + y as a double that compares as the exact sum does: the sum is rounded to odd, using its exactly
// representable error. Odd 53-bit values are neither values nor midpoints of formats of fewer than 52 bits.
double sum_to_odd(double x, double y, Rounding rounding) {
    const double sum = x + y;
    if (!std::isfinite(sum)) return sum;
    if (sum == 0) return std::signbit(x) == std::signbit(y) ? x : rounding == Rounding::Down ? -0.0 : 0.0;
    const double part = sum - x;
    const double error = (x - (sum - part)) + (y - part);
    if (error == 0 || (std::bit_cast<u64>(sum) & 1) != 0) return sum;
    return std::nextafter(sum, error > 0 ? HUGE_VAL : -HUGE_VAL);
}

// Quotients and roots of 24-bit operands that are not themselves values or midpoints (25 bits) differ from
// those by more than 2^-51 of their size, so that rounding to double keeps them on their side. Products are
// exact.
template <class F, class Compute>
void check_against_exact(Op op, Op multiply, Compute compute) {
    const auto generate = [multiply](Random& random) { return random_operands<F>(random, multiply); };
    check_random(op, kAllRoundings, generate, [compute](const Operands& o, Rounding rounding) {
        volatile double inputs[] = {decoded<F>(o.a), decoded<F>(o.b), decoded<F>(o.c)};
        std::feclearexcept(FE_ALL_EXCEPT);
        volatile double exact = compute(inputs[0], inputs[1], inputs[2], rounding);
        const u32 flags = host_flags() & (kInvalid | kDivideByZero);
        const Outcome rounded = nearest<F>(exact, rounding);
        return Outcome{rounded.bits, rounded.flags | flags};
    });
}

template <class F>
void check_arithmetic_against_exact(const ArithmeticOps& ops) {
    check_against_exact<F>(ops.add, ops.mul,
                           [](double x, double y, double, Rounding r) { return sum_to_odd(x, y, r); });
    check_against_exact<F>(ops.sub, ops.mul,
                           [](double x, double y, double, Rounding r) { return sum_to_odd(x, -y, r); });
    check_against_exact<F>(ops.mul, ops.mul, [](double x, double y, double, Rounding) { return x * y; });
    check_against_exact<F>(ops.div, ops.mul, [](double x, double y, double, Rounding) { return x / y; });
    check_against_exact<F>(ops.sqrt, ops.mul,
                           [](double x, double, double, Rounding) { return std::sqrt(x); });
    check_against_exact<F>(ops.mul_add, ops.mul, [](double x, double y, double z, Rounding r) {
        const double product = x * y;
        return sum_to_odd(product, z, r);
    });
}

// An integer as a double that compares as it does, as above.
double integer_to_odd(u64 size) {
    const int drop = std::max(0, 11 - std::countl_zero(size));
    const u64 kept = (size >> drop) | ((size & ((u64{1} << drop) - 1)) != 0);
    return std::ldexp(static_cast<double>(kept), drop);
}

template <class F, class Int>
Outcome converted(Int value, Rounding rounding) {
    if constexpr (F::kPrecision == F64::kPrecision) {
        volatile Int opaque = value;
        return on_host(0.0, 0.0, 0.0, rounding, [&](auto...) { return static_cast<double>(opaque); });
    } else {
        const u64 bits = static_cast<u64>(value);
        return nearest<F>(value < 0 ? -integer_to_odd(0 - bits) : integer_to_odd(bits), rounding);
    }
}

template <class F, class Int>
void check_from_integer(Op op) {
    const auto generate = [](Random& random) {
        const u64 power = u64{1} << below(random, 64);
        const u64 size = below(random, 2) != 0 ? random() >> below(random, 64) : power + below(random, 3) - 1;
        return Operands{below(random, 2) != 0 ? size : 0 - size, 0, 0};
    };
    constexpr std::size_t kModes = F::kPrecision == F64::kPrecision ? 4 : 5;
    check_random(
        op, std::span(kAllRoundings).first(kModes), generate,
        [](const Operands& o, Rounding rounding) { return converted<F>(static_cast<Int>(o.a), rounding); });
}

template <class F>
void check_from_integers(Op i32_op, Op u32_op, Op i64_op, Op u64_op) {
    check_from_integer<F, i32>(i32_op);
    check_from_integer<F, u32>(u32_op);
    check_from_integer<F, i64>(i64_op);
    check_from_integer<F, u64>(u64_op);
}

// The integral value that the host's library rounds to, in all five modes.
double integral(double x, Rounding rounding) {
    switch (rounding) {
        case Rounding::NearestEven: return std::nearbyint(x);
        case Rounding::TowardZero: return std::trunc(x);
        case Rounding::Down: return std::floor(x);
        case Rounding::Up: return std::ceil(x);
        case Rounding::NearestMaxMagnitude: return std::round(x);
    }
    return x;
}

template <class Int>
Outcome saturated(double x, Rounding rounding) {
    using Limits = std::numeric_limits<Int>;
    const auto to_register = [](Int value) {
        return static_cast<u64>(static_cast<i64>(std::make_signed_t<Int>(value)));
    };
    const double whole = integral(x, rounding);
    const double end = std::ldexp(1.0, Limits::digits);
    if (std::isnan(x) || whole >= end) return {to_register(Limits::max()), kInvalid};
    if (whole < (Limits::is_signed ? -end : 0.0)) return {to_register(Limits::min()), kInvalid};
    return {to_register(static_cast<Int>(whole)), whole == x ? 0u : u32{kInexact}};
}

template <class F>
Operands random_near_integers(Random& random) {
    const u64 bits = random_operand<F>(random);
    if (below(random, 4) == 0) return {bits, 0, 0};
    const u64 last = static_cast<u64>(F::kMaxBiasedExponent);
    const u64 exponent = std::min(last / 2 + below(random, 68) - 3, last);
    return {(bits & ~F::kInfinity) | exponent << F::kFractionBits, 0, 0};
}

template <class F, class Int>
void check_to_integer(Op op) {
    check_random(op, kAllRoundings, random_near_integers<F>, [](const Operands& o, Rounding rounding) {
        return saturated<Int>(decoded<F>(o.a), rounding);
    });
}

template <class F>
void check_to_integers(Op i32_op, Op u32_op, Op i64_op, Op u64_op) {
    check_to_integer<F, i32>(i32_op);
    check_to_integer<F, u32>(u32_op);
    check_to_integer<F, i64>(i64_op);
    check_to_integer<F, u64>(u64_op);
}

template <class F>
void check_round_to_integral(Op op, u32 reported) {
    check_random(op, kAllRoundings, random_near_integers<F>,
                 [reported](const Operands& o, Rounding rounding) {
                     const double x = decoded<F>(o.a);
                     const double whole = integral(x, rounding);
                     const u32 inexact = whole != x && !std::isnan(x) ? kInexact & reported : 0;
                     // The format has every integral value that it can round to, so that no mode changes it
                     // here.
                     const u64 bits = to_format<F>(whole, rounding).bits;
                     return Outcome{bits, is_signalling<F>(o.a) ? u32{kInvalid} : inexact};
                 });
}

template <class From, class To>
void check_conversion(Op op) {
    const auto generate = [](Random& random) {
        const u64 a = random_operand<From>(random);
        if (From::kWidth < To::kWidth || below(random, 2) != 0) return Operands{a, 0, 0};
        // A wider format's exponents are rarely near the narrower one's range.
        constexpr i32 kLowest = From::kBias - To::kBias - static_cast<i32>(To::kPrecision) - 2;
        const u64 exponent =
            static_cast<u64>(kLowest) + below(random, To::kMaxBiasedExponent + To::kPrecision + 4);
        return Operands{(a & ~From::kInfinity) | exponent << From::kFractionBits, 0, 0};
    };
    check_random(op, kAllRoundings, generate, [](const Operands& o, Rounding rounding) {
        Outcome expected = to_format<To>(decoded<From>(o.a), rounding);
        if (is_signalling<From>(o.a)) expected.flags = kInvalid;
        return expected;
    });
}

template <class F, class Compute>
void check_comparison(Op op, Compute compute) {
    const auto generate = [](Random& random) { return random_operands<F>(random, kSingle.mul); };
    check_random(op, kAllRoundings, generate, [compute](const Operands& o, Rounding) {
        volatile double inputs[] = {decoded<F>(o.a), decoded<F>(o.b)};
        std::feclearexcept(FE_ALL_EXCEPT);
        volatile u64 result = compute(inputs[0], inputs[1]);
        return Outcome{result, host_flags()};
    });
}

template <class F>
void check_comparisons(Op eq, Op lt, Op le, Op ltq, Op leq) {
    check_comparison<F>(eq, [](double x, double y) { return u64{x == y}; });
    check_comparison<F>(lt, [](double x, double y) { return u64{x < y}; });
    check_comparison<F>(le, [](double x, double y) { return u64{x <= y}; });
    check_comparison<F>(ltq, [](double x, double y) { return u64{std::isless(x, y)}; });
    check_comparison<F>(leq, [](double x, double y) { return u64{std::islessequal(x, y)}; });
}

}  // namespace

TEST_CASE("single_arithmetic_matches_the_host", "[fp]") { check_arithmetic_against_host<F32>(kSingle); }

TEST_CASE("double_arithmetic_matches_the_host", "[fp]") { check_arithmetic_against_host<F64>(kDouble); }

TEST_CASE("half_arithmetic_matches_exact_arithmetic", "[fp]") { check_arithmetic_against_exact<F16>(kHalf); }

TEST_CASE("single_arithmetic_matches_exact_arithmetic", "[fp]") {
    check_arithmetic_against_exact<F32>(kSingle);
}

TEST_CASE("conversions_to_integers_match_the_host", "[fp]") {
    check_to_integers<F16>(Op::ToI32H, Op::ToU32H, Op::ToI64H, Op::ToU64H);
    check_to_integers<F32>(Op::ToI32S, Op::ToU32S, Op::ToI64S, Op::ToU64S);
    check_to_integers<F64>(Op::ToI32D, Op::ToU32D, Op::ToI64D, Op::ToU64D);
}

TEST_CASE("conversions_from_integers_match_the_host_and_exact_arithmetic", "[fp]") {
    check_from_integers<F16>(Op::FromI32H, Op::FromU32H, Op::FromI64H, Op::FromU64H);
    check_from_integers<F32>(Op::FromI32S, Op::FromU32S, Op::FromI64S, Op::FromU64S);
    check_from_integers<F64>(Op::FromI32D, Op::FromU32D, Op::FromI64D, Op::FromU64D);
}

TEST_CASE("rounding_to_integral_matches_the_host", "[fp]") {
    check_round_to_integral<F16>(Op::RoundH, 0);
    check_round_to_integral<F16>(Op::RoundNxH, kInexact);
    check_round_to_integral<F32>(Op::RoundS, 0);
    check_round_to_integral<F32>(Op::RoundNxS, kInexact);
    check_round_to_integral<F64>(Op::RoundD, 0);
    check_round_to_integral<F64>(Op::RoundNxD, kInexact);
}

TEST_CASE("conversions_between_formats_match_exact_arithmetic", "[fp]") {
    check_conversion<F16, F32>(Op::HToS);
    check_conversion<F16, F64>(Op::HToD);
    check_conversion<F32, F16>(Op::SToH);
    check_conversion<F32, F64>(Op::SToD);
    check_conversion<F64, F16>(Op::DToH);
    check_conversion<F64, F32>(Op::DToS);
}

TEST_CASE("comparisons_match_the_host", "[fp]") {
    check_comparisons<F16>(Op::EqH, Op::LtH, Op::LeH, Op::LtQH, Op::LeQH);
    check_comparisons<F32>(Op::EqS, Op::LtS, Op::LeS, Op::LtQS, Op::LeQS);
    check_comparisons<F64>(Op::EqD, Op::LtD, Op::LeD, Op::LtQD, Op::LeQD);
}

}  // namespace hartline::fp
