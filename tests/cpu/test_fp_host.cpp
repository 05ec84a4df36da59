// The host fast path against the software it stands in for, and ties away from zero in double precision.
#include <catch2/catch.hpp>

#include <bit>
#include <cmath>
#include <ios>
#include <random>
#include <sstream>
#include <string>

#include "cpu/fp/fp.hpp"
#include "cpu/fp/host.hpp"

namespace hartline::fp {
namespace {

constexpr int kIterations = 200'000;
constexpr Rounding kNearest = Rounding::NearestEven;

using Random = std::mt19937_64;  // the standard fixes its sequence, so equal seeds give equal tests

// Mostly values of like size with few or many fraction bits, and some from each end of the range and beyond.
template <class F>
u64 random_operand(Random& random) {
    const u64 bits = random() & (F::kSign | F::kMagnitudeMask);
    const u64 sparse = random() % 2 != 0 ? bits & ~(random() & F::kFractionMask & ~u64{1}) : bits;
    const u64 one = static_cast<u64>(F::kBias);
    const auto with_exponent = [sparse](u64 e) { return (sparse & ~F::kInfinity) | e << F::kFractionBits; };
    switch (random() % 8) {
        case 0: return bits;
        case 1: return with_exponent(random() % 4);
        case 2: return with_exponent(2 * one + 1 - random() % 4);
        case 3: return with_exponent(one / 2 + random() % 4);  // products near the smallest normal value
        case 4: return with_exponent(one - F::kPrecision + random() % 4);
        case 5: return bits & F::kSign;
        default: return with_exponent(one + random() % 8 - 4);
    }
}

// A path is a lambda (a, b, c, result) -> whether it took the case.
template <class F, class Path>
void check_path(Op op, Op multiply, Path path) {
    Random random(static_cast<u64>(op));
    int taken = 0, wrong = 0;
    std::ostringstream last;
    for (int i = 0; i < kIterations; ++i) {
        const u64 a = random_operand<F>(random);
        const u64 b = random() % 8 != 0 ? random_operand<F>(random) : a ^ (random() % 2 != 0 ? F::kSign : 1);
        u32 flags = kInexact;
        const u64 cancelling = function(multiply)(a, b, 0, kNearest, flags) ^ F::kSign;
        const u64 c = random() % 4 != 0 ? random_operand<F>(random) : cancelling;
        u64 got = 0;
        if (!path(a, b, c, got)) continue;
        ++taken;
        flags = kInexact;
        const u64 expected = function(op)(a, b, c, kNearest, flags);
        if (got == expected && flags == kInexact) continue;
        ++wrong;
        last << name(op) << std::hex << ' ' << a << ' ' << b << ' ' << c << ": got " << got << ", expected "
             << expected << '/' << flags << '\n';
    }
    INFO(last.str());
    CHECK(wrong == 0);
    CHECK(taken > kIterations / 4);  // the path must be worth having, and its test worth running
}

// The sum or product, ties away from zero, given the host's (even) result and its exact error: they differ
// only if the exact value is the midpoint between the result and its neighbour further from zero.
double ties_away(double result, double error) {
    const double away = std::nextafter(result, std::copysign(HUGE_VAL, result));
    return 2 * error == away - result ? away : result;
}

// Operands whose sums and products have short enough tails to be ties often, far from both ends of the range.
double random_short(Random& random) {
    const double significand = static_cast<double>(random() >> (11 + random() % 53));
    return std::ldexp(random() % 2 != 0 ? significand : -significand, static_cast<int>(random() % 16));
}

template <class Host>
void check_ties_away(Op op, Host host) {
    Random random(static_cast<u64>(op));
    int wrong = 0, ties = 0;
    for (int i = 0; i < kIterations; ++i) {
        const double x = random_short(random);
        const double y = random_short(random);
        const auto [result, error] = host(x, y);
        const double expected = ties_away(result, error);
        u32 flags = 0;
        const u64 got =
            function(op)(from_host<F64>(x), from_host<F64>(y), 0, Rounding::NearestMaxMagnitude, flags);
        ties += expected != result;
        wrong += got != from_host<F64>(expected) || flags != (error != 0 ? u32{kInexact} : 0u);
    }
    CHECK(wrong == 0);
    CHECK(ties > kIterations / 1000);
}

struct Rounded {
    double result, error;
};

}  // namespace

TEST_CASE("seen 26: the host path equals software in single precision", "[fp]") {
    check_path<F32>(Op::AddS, Op::MulS,
                    [](u64 a, u64 b, u64, u64& r) { return host_add<F32>(a, b, kInexact, kNearest, r); });
    check_path<F32>(Op::SubS, Op::MulS, [](u64 a, u64 b, u64, u64& r) {
        return host_subtract<F32>(a, b, kInexact, kNearest, r);
    });
    check_path<F32>(Op::MulS, Op::MulS, [](u64 a, u64 b, u64, u64& r) {
        return host_multiply<F32>(a, b, kInexact, kNearest, r);
    });
    check_path<F32>(Op::DivS, Op::MulS,
                    [](u64 a, u64 b, u64, u64& r) { return host_divide<F32>(a, b, kInexact, kNearest, r); });
    check_path<F32>(Op::SqrtS, Op::MulS,
                    [](u64 a, u64, u64, u64& r) { return host_square_root<F32>(a, kInexact, kNearest, r); });
    check_path<F32>(Op::MulAddS, Op::MulS, [](u64 a, u64 b, u64 c, u64& r) {
        return host_mul_add_f32(a, b, c, kInexact, kNearest, r);
    });
}

TEST_CASE("seen 26: the host path equals software in double precision", "[fp]") {
    check_path<F64>(Op::AddD, Op::MulD,
                    [](u64 a, u64 b, u64, u64& r) { return host_add<F64>(a, b, kInexact, kNearest, r); });
    check_path<F64>(Op::SubD, Op::MulD, [](u64 a, u64 b, u64, u64& r) {
        return host_subtract<F64>(a, b, kInexact, kNearest, r);
    });
    check_path<F64>(Op::MulD, Op::MulD, [](u64 a, u64 b, u64, u64& r) {
        return host_multiply<F64>(a, b, kInexact, kNearest, r);
    });
    check_path<F64>(Op::DivD, Op::MulD,
                    [](u64 a, u64 b, u64, u64& r) { return host_divide<F64>(a, b, kInexact, kNearest, r); });
    check_path<F64>(Op::SqrtD, Op::MulD,
                    [](u64 a, u64, u64, u64& r) { return host_square_root<F64>(a, kInexact, kNearest, r); });
    check_path<F64>(Op::MulAddD, Op::MulD, [](u64 a, u64 b, u64 c, u64& r) {
        return host_mul_add_f64(a, b, c, kInexact, kNearest, r);
    });
}

TEST_CASE("checklist 19: double ties go away from zero in RMM", "[fp]") {
    check_ties_away(Op::AddD, [](double x, double y) {
        const double sum = x + y;
        const double part = sum - x;
        return Rounded{sum, (x - (sum - part)) + (y - part)};
    });
    check_ties_away(Op::MulD, [](double x, double y) {
        const double product = x * y;
        return Rounded{product, std::fma(x, y, -product)};
    });
}

}  // namespace hartline::fp
