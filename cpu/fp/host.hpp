// Arithmetic on the host's floating-point unit, where bits and flags provably equal those of evaluate().
//
//     u64 sum = 0;
//     if (!host_add<F64>(a, b, flags, rounding, sum)) sum = evaluate<Op::AddD>(a, b, 0, rounding, flags);
//
// Assumptions about the host, which nothing in Hartline changes: float and double are the IEEE 754 formats,
// evaluated without excess precision; the control register is at its default (nearest even, no traps,
// subnormals neither flushed nor read as zero); expressions are not contracted (-ffp-contract=off). The
// host's own sticky flags are never read.
//
// Every function requires NearestEven, and inexact already set: flags are sticky, so raising it once more
// shows nowhere and need not be detected. It then remains to prove that a result which is returned is not NaN
// (ours are canonical, the host's are not) and raised none of the other four:
//   invalid         gives NaN in each of these operations;
//   divide by zero  gives an infinity;
//   overflow        gives an infinity when rounding to nearest.
// So a finite result rules out all three, and in multiplication, addition, square root and fused multiply-add
// a NaN or infinite operand as well. Only underflow is left:
//   underflow       needs a result that is tiny after rounding, which is then stored as at most the smallest
//                   normal magnitude. One strictly above that excludes underflow; that one itself does not.
// Sums and differences need not even that: both operands are multiples of the smallest subnormal value, hence
// so is the exact sum, and one that is below twice the smallest normal value is representable. What is tiny
// is thus exact, and underflow (with default handling) is raised only with inexact. Nor is a square root ever
// tiny: the root of the smallest subnormal value is far above the smallest normal one. Zero results of other
// operations are accepted when a zero operand proves them exact. Signs of zeros are IEEE 754's on both sides.
#pragma once

#include <bit>
#include <cfloat>
#include <cmath>
#include <limits>
#include <type_traits>

#include "core/types.hpp"
#include "cpu/fp/format.hpp"
#include "cpu/fp/fp.hpp"

namespace hartline::fp {

static_assert(FLT_EVAL_METHOD == 0, "excess precision would round twice");
static_assert(std::numeric_limits<float>::is_iec559 && std::numeric_limits<double>::is_iec559);

template <class F>
using HostReal = std::conditional_t<(F::kWidth == 32), float, double>;

template <class F>
using HostBits = std::conditional_t<(F::kWidth == 32), u32, u64>;

template <class F>
inline HostReal<F> to_host(u64 bits) {
    return std::bit_cast<HostReal<F>>(static_cast<HostBits<F>>(bits));
}

template <class F>
inline u64 from_host(HostReal<F> value) {
    return std::bit_cast<HostBits<F>>(value);
}

inline bool host_applies(u32 flags, Rounding rounding) {
    return rounding == Rounding::NearestEven && (flags & kInexact) != 0;
}

template <class F>
inline bool is_finite_above_min_normal(u64 bits) {
    constexpr u64 kLowest = F::kMinNormal + 1;
    return magnitude<F>(bits) - kLowest < F::kInfinity - kLowest;  // what is below wraps
}

template <class F>
inline bool host_add(u64 a, u64 b, u32 flags, Rounding rounding, u64& result) {
    if (!host_applies(flags, rounding)) return false;
    result = from_host<F>(to_host<F>(a) + to_host<F>(b));
    return is_finite<F>(result);
}

template <class F>
inline bool host_subtract(u64 a, u64 b, u32 flags, Rounding rounding, u64& result) {
    if (!host_applies(flags, rounding)) return false;
    result = from_host<F>(to_host<F>(a) - to_host<F>(b));
    return is_finite<F>(result);
}

template <class F>
inline bool host_multiply(u64 a, u64 b, u32 flags, Rounding rounding, u64& result) {
    if (!host_applies(flags, rounding)) return false;
    result = from_host<F>(to_host<F>(a) * to_host<F>(b));
    if (is_finite_above_min_normal<F>(result)) return true;
    return is_zero<F>(result) && (is_zero<F>(a) || is_zero<F>(b));
}

// A result above the smallest normal value has a finite divisor, since x / infinity is zero; 0 / x is exact
// and valid unless its result is NaN, which is not zero.
template <class F>
inline bool host_divide(u64 a, u64 b, u32 flags, Rounding rounding, u64& result) {
    if (!host_applies(flags, rounding)) return false;
    result = from_host<F>(to_host<F>(a) / to_host<F>(b));
    if (is_finite_above_min_normal<F>(result)) return true;
    return is_zero<F>(result) && is_zero<F>(a);
}

template <class F>
inline bool host_square_root(u64 a, u32 flags, Rounding rounding, u64& result) {
    if (!host_applies(flags, rounding) || is_negative<F>(a)) return false;
    result = from_host<F>(std::sqrt(to_host<F>(a)));
    return is_finite<F>(result);
}

// Single precision by way of double, with no fused instruction. The product of two 24-bit significands is
// exact in double (48 bits, and the exponents are far inside its range). The sum is rounded to 53 bits, then
// to 24. The second rounding gives what rounding the exact sum once would, unless the intermediate sits on
// the midpoint of two adjacent floats: midpoints m are doubles and rounding is monotonic, so exact < m
// implies intermediate <= m, and with the midpoint itself excluded, intermediate < m; the same above. Above
// float's smallest normal value, midpoints (that of the largest float and infinity, too) are the doubles
// whose 29 bits below float's fraction are 100...0. A zero intermediate is an exact zero, since double sums
// do not underflow. An infinite operand or a NaN reaches the result.
inline bool host_mul_add_f32(u64 a, u64 b, u64 c, u32 flags, Rounding rounding, u64& result) {
    constexpr unsigned kBelowFloat = F64::kFractionBits - F32::kFractionBits;
    if (!host_applies(flags, rounding)) return false;
    const double product = static_cast<double>(to_host<F32>(a)) * static_cast<double>(to_host<F32>(b));
    const double sum = product + static_cast<double>(to_host<F32>(c));
    const u64 below = from_host<F64>(sum) & ((u64{1} << kBelowFloat) - 1);
    if (below == u64{1} << (kBelowFloat - 1)) return false;
    result = from_host<F32>(static_cast<float>(sum));
    return is_finite_above_min_normal<F32>(result) || is_zero<F64>(from_host<F64>(sum));
}

// Double precision is std::fma, which rounds once whatever the host: the C library picks the fused
// instruction where there is one, and emulates it exactly (and slowly, but with the control register
// restored) where there is none.
inline bool host_mul_add_f64(u64 a, u64 b, u64 c, u32 flags, Rounding rounding, u64& result) {
    if (!host_applies(flags, rounding)) return false;
    result = from_host<F64>(std::fma(to_host<F64>(a), to_host<F64>(b), to_host<F64>(c)));
    return is_finite_above_min_normal<F64>(result);
}

}  // namespace hartline::fp
