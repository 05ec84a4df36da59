// Finite values taken apart into sign, exponent and significand, and the one place that rounds results.
#pragma once

#include <bit>

#include "core/types.hpp"
#include "cpu/fp/format.hpp"
#include "cpu/fp/fp.hpp"

namespace hartline::fp {

__extension__ using u128 = unsigned __int128;

struct Context {
    Rounding rounding;
    u32& flags;

    void raise(u32 exceptions) const { flags |= exceptions; }
};

template <class Word>
inline constexpr unsigned kWordBits = sizeof(Word) * 8;

// The value significand * 2^(exponent - (bits of Word - 1)): 1.x times 2^exponent when the top bit is set
// ("normalised"). A zero has a zero significand and any exponent. A significand's lowest bit may also stand
// for "and something below" ("sticky"): every format leaves at least 11 of 64 bits below its own, so that
// this bit tells exact from inexact, and a tie from more than a tie, and never means a half itself.
template <class Word>
struct Number {
    bool negative;
    i32 exponent;
    Word significand;
};

// The low bits of a u64 significand that the format has no room for.
template <class F>
inline constexpr unsigned kSpare = 63 - F::kFractionBits;

template <class F>
constexpr u64 spare_bits(u64 significand) {
    return significand & (~u64{0} >> F::kPrecision);
}

template <class Word>
constexpr Word shift_right_sticky(Word value, i32 distance) {
    if (distance <= 0) return value;
    if (distance >= static_cast<i32>(kWordBits<Word>)) return value != 0;
    const Word lost = value & ((Word{1} << distance) - 1);
    return (value >> distance) | (lost != 0);
}

constexpr Number<u64> normalised(Number<u64> n) {
    const int zeros = std::countl_zero(n.significand);
    return {n.negative, n.exponent - zeros, n.significand << zeros};
}

constexpr Number<u64> normalised(Number<u128> n) {
    const u64 high = static_cast<u64>(n.significand >> 64);
    const int zeros =
        high != 0 ? std::countl_zero(high) : 64 + std::countl_zero(static_cast<u64>(n.significand));
    const u128 shifted = n.significand << zeros;
    const bool below = static_cast<u64>(shifted) != 0;
    return {n.negative, n.exponent - zeros, static_cast<u64>(shifted >> 64) | below};
}

// Takes a finite value apart; the result is normalised unless the value is zero.
template <class F>
constexpr Number<u64> unpack(u64 bits) {
    const bool negative = is_negative<F>(bits);
    const u64 fraction = bits & F::kFractionMask;
    const i32 biased = static_cast<i32>(magnitude<F>(bits) >> F::kFractionBits);
    if (biased != 0) return {negative, biased - F::kBias, (F::kMinNormal | fraction) << kSpare<F>};
    if (fraction == 0) return {negative, 0, 0};
    return normalised(Number<u64>{negative, 1 - F::kBias, fraction << kSpare<F>});
}

// What to add to a magnitude whose lowest `spare` bits are to go; the caller clears a tie's odd bit.
constexpr u64 rounding_increment(bool negative, unsigned spare, Rounding rounding) {
    const u64 half = u64{1} << (spare - 1);
    const u64 all = (u64{1} << spare) - 1;
    switch (rounding) {
        case Rounding::NearestEven:
        case Rounding::NearestMaxMagnitude: return half;
        case Rounding::TowardZero: return 0;
        case Rounding::Down: return negative ? all : 0;
        case Rounding::Up: return negative ? 0 : all;
    }
    return half;
}

// IEEE 754, "Overflow": modes that never round towards the infinity in question stop at the largest value.
template <class F>
constexpr u64 overflow(bool negative, const Context& ctx) {
    ctx.raise(kOverflow | kInexact);
    const bool to_infinity = rounding_increment(negative, 1, ctx.rounding) != 0;
    return with_sign<F>(negative, to_infinity ? F::kInfinity : F::kMaxFinite);
}

// Drops a significand's spare bits. The result keeps the leading bit, which as an addend steps the exponent
// field, so that a carry out of the fraction, and out of the subnormals, needs no case of its own.
template <class F>
constexpr u64 rounded_significand(u64 significand, bool negative, Rounding rounding) {
    constexpr u64 kHalf = u64{1} << (kSpare<F> - 1);
    const u64 sum = significand + rounding_increment(negative, kSpare<F>, rounding);
    const u64 carry = sum < significand ? u64{1} << F::kPrecision : 0;
    const u64 kept = (sum >> kSpare<F>) | carry;
    const bool tie_to_even = rounding == Rounding::NearestEven && spare_bits<F>(significand) == kHalf;
    return tie_to_even ? kept & ~u64{1} : kept;
}

// Rounds a value below the smallest normal magnitude (before rounding).
template <class F>
constexpr u64 round_subnormal(Number<u64> n, const Context& ctx) {
    const i32 distance = 1 - F::kBias - n.exponent;
    const u64 shifted = shift_right_sticky(n.significand, distance);
    if (spare_bits<F>(shifted) != 0) {
        // f, "Floating-Point Control and Status Register": tininess is detected after rounding, that is, on
        // the result that an unbounded exponent would give. Only the binade just below the smallest normal
        // can round out of it.
        const u64 unbounded = rounded_significand<F>(n.significand, n.negative, ctx.rounding);
        const bool leaves_binade = (unbounded >> F::kPrecision) != 0;
        const bool tiny = distance > 1 || !leaves_binade;
        ctx.raise(tiny ? kUnderflow | kInexact : kInexact);
    }
    return with_sign<F>(n.negative, rounded_significand<F>(shifted, n.negative, ctx.rounding));
}

// Rounds a normalised number to the format.
template <class F>
constexpr u64 round(Number<u64> n, const Context& ctx) {
    const i32 biased = n.exponent + F::kBias;
    if (biased <= 0) return round_subnormal<F>(n, ctx);
    if (biased >= F::kMaxBiasedExponent) return overflow<F>(n.negative, ctx);
    const u64 significand = rounded_significand<F>(n.significand, n.negative, ctx.rounding);
    const u64 result = (static_cast<u64>(biased - 1) << F::kFractionBits) + significand;
    if (result >= F::kInfinity) return overflow<F>(n.negative, ctx);
    if (spare_bits<F>(n.significand) != 0) ctx.raise(kInexact);
    return with_sign<F>(n.negative, result);
}

// f, "NaN Generation and Propagation": every NaN result is canonical. Signalling operands raise invalid.
template <class F, class... Bits>
constexpr u64 nan_from(const Context& ctx, Bits... operands) {
    if ((is_signalling<F>(operands) || ...)) ctx.raise(kInvalid);
    return F::kCanonicalNan;
}

template <class F>
constexpr u64 invalid(const Context& ctx) {
    ctx.raise(kInvalid);
    return F::kCanonicalNan;
}

}  // namespace hartline::fp
