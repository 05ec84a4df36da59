// Addition, multiplication, fused multiply-add, division and square root on raw bits.
#pragma once

#include <type_traits>
#include <utility>

#include "core/types.hpp"
#include "cpu/fp/format.hpp"
#include "cpu/fp/number.hpp"

namespace hartline::fp {

// Wide enough for an exact product and as many bits again below it.
template <class F>
using Product = std::conditional_t<(F::kPrecision <= 24), u64, u128>;

// IEEE 754, "The sign bit": a sum of opposite zeros, or an exact cancellation, is +0 unless rounding down.
template <class F>
constexpr u64 cancelled(const Context& ctx) {
    return with_sign<F>(ctx.rounding == Rounding::Down, 0);
}

// Adds two normalised numbers or zeros, and rounds. Each has at least two spare low bits, so shifting both
// right once to make room for the carry loses nothing. When the smaller one is shifted further than its spare
// bits reach, the difference loses at most one leading bit, and the sticky bit stays below everything
// rounding looks at.
template <class F, class Word>
constexpr u64 round_sum(Number<Word> x, Number<Word> y, const Context& ctx) {
    if (x.significand == 0 && y.significand == 0) {
        return x.negative == y.negative ? with_sign<F>(x.negative, 0) : cancelled<F>(ctx);
    }
    if (x.significand == 0) return round<F>(normalised(y), ctx);
    if (y.significand == 0) return round<F>(normalised(x), ctx);
    if (x.exponent < y.exponent) std::swap(x, y);
    const Word large = x.significand >> 1;
    const Word small = shift_right_sticky(static_cast<Word>(y.significand >> 1), x.exponent - y.exponent);
    Number<Word> sum{x.negative, x.exponent + 1, large + small};
    if (x.negative != y.negative) {
        if (large == small) return cancelled<F>(ctx);
        const bool swapped = large < small;
        sum.negative = x.negative != swapped;
        sum.significand = swapped ? small - large : large - small;
    }
    return round<F>(normalised(sum), ctx);
}

template <class F>
constexpr u64 add(u64 a, u64 b, const Context& ctx) {
    if (is_finite<F>(a) && is_finite<F>(b)) return round_sum<F>(unpack<F>(a), unpack<F>(b), ctx);
    if (is_nan<F>(a) || is_nan<F>(b)) return nan_from<F>(ctx, a, b);
    if (is_infinite<F>(a) && is_infinite<F>(b) && a != b) return invalid<F>(ctx);
    return is_infinite<F>(a) ? a : b;
}

// The exact product, normalised or zero.
template <class F>
constexpr Number<Product<F>> exact_product(u64 a, u64 b) {
    using Word = Product<F>;
    constexpr unsigned kDrop = 64 - kWordBits<Word> / 2;  // bits that are zero in a format that short
    const Number<u64> x = unpack<F>(a);
    const Number<u64> y = unpack<F>(b);
    const Word product = static_cast<Word>(x.significand >> kDrop) * (y.significand >> kDrop);
    const bool short_of_top = (product >> (kWordBits<Word> - 1)) == 0;
    const i32 exponent = x.exponent + y.exponent + (short_of_top ? 0 : 1);
    return {x.negative != y.negative, exponent, short_of_top ? product << 1 : product};
}

template <class F>
constexpr u64 multiply(u64 a, u64 b, const Context& ctx) {
    const bool negative = is_negative<F>(a) != is_negative<F>(b);
    if (is_nan<F>(a) || is_nan<F>(b)) return nan_from<F>(ctx, a, b);
    if (is_infinite<F>(a) || is_infinite<F>(b)) {
        if (is_zero<F>(a) || is_zero<F>(b)) return invalid<F>(ctx);
        return with_sign<F>(negative, F::kInfinity);
    }
    if (is_zero<F>(a) || is_zero<F>(b)) return with_sign<F>(negative, 0);
    return round<F>(normalised(exact_product<F>(a, b)), ctx);
}

template <class F>
constexpr u64 multiply_add_special(u64 a, u64 b, u64 c, const Context& ctx) {
    // f, "Single-Precision Floating-Point Computational Instructions": infinity times zero is invalid even
    // when the addend is a quiet NaN.
    const bool undefined = (is_infinite<F>(a) && is_zero<F>(b)) || (is_zero<F>(a) && is_infinite<F>(b));
    if (undefined) return invalid<F>(ctx);
    if (is_nan<F>(a) || is_nan<F>(b) || is_nan<F>(c)) return nan_from<F>(ctx, a, b, c);
    if (is_finite<F>(a) && is_finite<F>(b)) return c;
    const u64 product = with_sign<F>(is_negative<F>(a) != is_negative<F>(b), F::kInfinity);
    if (is_infinite<F>(c) && c != product) return invalid<F>(ctx);
    return product;
}

template <class F>
constexpr u64 multiply_add(u64 a, u64 b, u64 c, const Context& ctx) {
    const bool finite = is_finite<F>(a) && is_finite<F>(b) && is_finite<F>(c);
    if (!finite) return multiply_add_special<F>(a, b, c, ctx);
    using Word = Product<F>;
    const Number<u64> addend = unpack<F>(c);
    const Word widened = static_cast<Word>(addend.significand) << (kWordBits<Word> - 64);
    return round_sum<F>(exact_product<F>(a, b), Number<Word>{addend.negative, addend.exponent, widened}, ctx);
}

// The quotient of two normalised significands to at least two bits more than the format keeps, sticky.
template <class F>
constexpr Number<u64> quotient(Number<u64> x, Number<u64> y) {
    const bool negative = x.negative != y.negative;
    const i32 exponent = x.exponent - y.exponent;
    if constexpr (F::kPrecision <= 24) {
        const u64 divisor = y.significand >> 32;  // the dropped bits are zero in a format that short
        const u64 digits = x.significand / divisor;
        return normalised(Number<u64>{negative, exponent + 30, digits << 1 | (x.significand % divisor != 0)});
    } else {
        const u128 dividend = static_cast<u128>(x.significand) << 63;  // its upper half is below the divisor
        const u64 digits = static_cast<u64>(dividend / y.significand);
        const bool inexact = digits * y.significand != static_cast<u64>(dividend);  // congruent modulo 2^64
        return normalised(Number<u64>{negative, exponent, digits | inexact});
    }
}

template <class F>
constexpr u64 divide(u64 a, u64 b, const Context& ctx) {
    const bool negative = is_negative<F>(a) != is_negative<F>(b);
    if (is_nan<F>(a) || is_nan<F>(b)) return nan_from<F>(ctx, a, b);
    if (is_infinite<F>(a)) return is_infinite<F>(b) ? invalid<F>(ctx) : with_sign<F>(negative, F::kInfinity);
    if (is_infinite<F>(b)) return with_sign<F>(negative, 0);
    if (is_zero<F>(b)) {
        if (is_zero<F>(a)) return invalid<F>(ctx);
        ctx.raise(kDivideByZero);
        return with_sign<F>(negative, F::kInfinity);
    }
    if (is_zero<F>(a)) return with_sign<F>(negative, 0);
    return round<F>(quotient<F>(unpack<F>(a), unpack<F>(b)), ctx);
}

// The integer square root of some n, and what n exceeds the root's square by.
struct Root {
    u64 root;
    u64 remainder;
};

// Appends `bits` bits to the root of a number's upper part, given the 2 * bits digits that follow it: Paul
// Zimmermann, "Karatsuba Square Root", 1999. As the upper part has one of its two top bits set, one
// correction is enough.
constexpr Root extended(Root upper, u64 digits, unsigned bits) {
    const u64 low_mask = (u64{1} << bits) - 1;
    const u64 dividend = upper.remainder << bits | digits >> bits;
    const u64 step = dividend / (2 * upper.root);
    const u64 left = (dividend % (2 * upper.root)) << bits | (digits & low_mask);
    const u64 root = (upper.root << bits) + step;
    if (left >= step * step) return {root, left - step * step};
    return {root - 1, left + 2 * root - 1 - step * step};
}

// The root of a number with one of its two top bits set.
constexpr Root integer_root(u64 n) {
    u64 first = 15;
    while (first * first > n >> 56) --first;
    const Root of_8{first, (n >> 56) - first * first};
    const Root of_16 = extended(of_8, n >> 48 & 0xff, 4);
    const Root of_32 = extended(of_16, n >> 32 & 0xffff, 8);
    return extended(of_32, n & 0xffff'ffff, 16);
}

template <class F>
constexpr u64 square_root(u64 a, const Context& ctx) {
    if (is_nan<F>(a)) return nan_from<F>(ctx, a);
    if (is_zero<F>(a)) return a;
    if (is_negative<F>(a)) return invalid<F>(ctx);
    if (is_infinite<F>(a)) return a;
    const Number<u64> n = unpack<F>(a);
    const bool odd = (n.exponent & 1) != 0;
    Root root = integer_root(odd ? n.significand : n.significand >> 1);
    constexpr unsigned kExtra = F::kPrecision <= 24 ? 0 : 23;  // a root of 32 bits, or else of 55, will do
    if constexpr (kExtra != 0) root = extended(root, 0, kExtra);
    const u64 digits = root.root << (32 - kExtra) | (root.remainder != 0);
    return round<F>({false, (n.exponent - (odd ? 1 : 0)) / 2, digits}, ctx);
}

}  // namespace hartline::fp
