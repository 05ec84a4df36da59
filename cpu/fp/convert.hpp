// Conversions on raw bits: to and from integers, to integral values, and between formats.
#pragma once

#include <limits>
#include <type_traits>

#include "core/types.hpp"
#include "cpu/fp/format.hpp"
#include "cpu/fp/number.hpp"

namespace hartline::fp {

enum class Exactness { Ignored, Reported };

// A magnitude split at the binary point; the fraction counts 2^-64 and its lowest bit is sticky.
struct Parts {
    u64 integer;
    u64 fraction;
};

// The number is below 2^64.
constexpr Parts split(Number<u64> n) {
    const i32 distance = 63 - n.exponent;
    if (distance == 0 || n.significand == 0) return {n.significand, 0};
    if (distance >= 64) return {0, shift_right_sticky(n.significand, distance - 64)};
    return {n.significand >> distance, n.significand << (64 - distance)};
}

// The integer that the mode rounds to. It fits: a value with a fraction, in these formats, is below 2^53.
constexpr u64 rounded(Parts parts, bool negative, Rounding rounding) {
    constexpr u64 kHalf = u64{1} << 63;
    const bool odd = (parts.integer & 1) != 0;
    bool up = false;
    switch (rounding) {
        case Rounding::NearestEven: up = parts.fraction > kHalf || (parts.fraction == kHalf && odd); break;
        case Rounding::NearestMaxMagnitude: up = parts.fraction >= kHalf; break;
        case Rounding::TowardZero: break;
        case Rounding::Down: up = negative && parts.fraction != 0; break;
        case Rounding::Up: up = !negative && parts.fraction != 0; break;
    }
    return parts.integer + up;
}

// f, "Single-Precision Floating-Point Conversion and Move Instructions": on RV64, 32-bit results are
// sign-extended, the unsigned ones too.
template <class Int>
constexpr u64 register_value(u64 value) {
    return static_cast<u64>(static_cast<i64>(static_cast<std::make_signed_t<Int>>(value)));
}

// As above, "Domains of float-to-integer conversions": clipped to the nearest value, NaN to the largest;
// invalid, and then not inexact. The range is checked after rounding.
template <class Int>
constexpr u64 clipped(bool negative, const Context& ctx) {
    using Limits = std::numeric_limits<Int>;
    ctx.raise(kInvalid);
    return register_value<Int>(static_cast<u64>(negative ? Limits::min() : Limits::max()));
}

template <class F, class Int>
constexpr u64 to_integer(u64 a, const Context& ctx) {
    constexpr u64 kMax = static_cast<u64>(std::numeric_limits<Int>::max());
    constexpr u64 kMaxBelowZero = std::is_signed_v<Int> ? kMax + 1 : 0;
    if (!is_finite<F>(a)) return clipped<Int>(is_negative<F>(a) && !is_nan<F>(a), ctx);
    const Number<u64> n = unpack<F>(a);
    if (n.exponent > 63) return clipped<Int>(n.negative, ctx);
    const Parts parts = split(n);
    const u64 size = rounded(parts, n.negative, ctx.rounding);
    if (size > (n.negative ? kMaxBelowZero : kMax)) return clipped<Int>(n.negative, ctx);
    if (parts.fraction != 0) ctx.raise(kInexact);
    return register_value<Int>(n.negative ? 0 - size : size);
}

// zfa, "Modular Convert-to-Integer Instruction": the truncated value modulo 2^32, infinities and NaN to zero,
// with the exceptions of a saturating conversion.
template <class F>
constexpr u64 to_modular_i32(u64 a, const Context& ctx) {
    (void)to_integer<F, i32>(a, Context{Rounding::TowardZero, ctx.flags});
    if (!is_finite<F>(a)) return 0;
    const Number<u64> n = unpack<F>(a);
    if (n.exponent >= 64 + 63) return 0;
    const u64 size = n.exponent > 63 ? n.significand << (n.exponent - 63) : split(n).integer;
    return register_value<i32>(n.negative ? 0 - size : size);
}

template <class F, class Int>
constexpr u64 from_integer(u64 a, const Context& ctx) {
    const Int value = static_cast<Int>(a);
    if (value == 0) return 0;
    const bool negative = value < 0;
    const u64 wide = static_cast<u64>(value);  // sign-extended if Int is signed
    return round<F>(normalised(Number<u64>{negative, 63, negative ? 0 - wide : wide}), ctx);
}

// zfa, "Round-to-Integer Instructions": zeros and infinities as they are; only froundnx reports inexactness.
template <class F>
constexpr u64 round_to_integral(u64 a, Exactness exactness, const Context& ctx) {
    if (is_nan<F>(a)) return nan_from<F>(ctx, a);
    if (!is_finite<F>(a) || is_zero<F>(a)) return a;
    const Number<u64> n = unpack<F>(a);
    if (n.exponent >= static_cast<i32>(F::kFractionBits)) return a;
    const Parts parts = split(n);
    if (parts.fraction == 0) return a;
    if (exactness == Exactness::Reported) ctx.raise(kInexact);
    const u64 size = rounded(parts, n.negative, ctx.rounding);
    if (size == 0) return with_sign<F>(n.negative, 0);
    return round<F>(normalised(Number<u64>{n.negative, 63, size}), ctx);
}

template <class From, class To>
constexpr u64 convert(u64 a, const Context& ctx) {
    if (is_nan<From>(a)) {
        (void)nan_from<From>(ctx, a);
        return To::kCanonicalNan;
    }
    const bool negative = is_negative<From>(a);
    if (is_infinite<From>(a)) return with_sign<To>(negative, To::kInfinity);
    if (is_zero<From>(a)) return with_sign<To>(negative, 0);
    return round<To>(unpack<From>(a), ctx);
}

}  // namespace hartline::fp
