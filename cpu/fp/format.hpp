// Descriptions of the IEEE 754 binary interchange formats: widths, masks, special values, and tests on raw
// bits.
#pragma once

#include "core/types.hpp"

namespace hartline::fp {

template <unsigned exponent_bits, unsigned fraction_bits>
struct Format {
    static constexpr unsigned kExponentBits = exponent_bits;
    static constexpr unsigned kFractionBits = fraction_bits;
    static constexpr unsigned kPrecision = fraction_bits + 1;
    static constexpr unsigned kWidth = 1 + exponent_bits + fraction_bits;

    static constexpr i32 kBias = (1 << (exponent_bits - 1)) - 1;
    static constexpr i32 kMaxBiasedExponent = (1 << exponent_bits) - 1;

    static constexpr u64 kSign = u64{1} << (kWidth - 1);
    static constexpr u64 kMagnitudeMask = kSign - 1;
    static constexpr u64 kMinNormal = u64{1} << fraction_bits;
    static constexpr u64 kFractionMask = kMinNormal - 1;
    static constexpr u64 kInfinity = static_cast<u64>(kMaxBiasedExponent) << fraction_bits;
    static constexpr u64 kMaxFinite = kInfinity - 1;
    static constexpr u64 kQuietBit = u64{1} << (fraction_bits - 1);
    // f, "NaN Generation and Propagation": positive, and only the most significant fraction bit set.
    static constexpr u64 kCanonicalNan = kInfinity | kQuietBit;
};

using F16 = Format<5, 10>;
using F32 = Format<8, 23>;
using F64 = Format<11, 52>;

template <class F>
constexpr u64 magnitude(u64 bits) {
    return bits & F::kMagnitudeMask;
}

template <class F>
constexpr bool is_negative(u64 bits) {
    return (bits & F::kSign) != 0;
}

template <class F>
constexpr bool is_zero(u64 bits) {
    return magnitude<F>(bits) == 0;
}

template <class F>
constexpr bool is_finite(u64 bits) {
    return magnitude<F>(bits) < F::kInfinity;
}

template <class F>
constexpr bool is_infinite(u64 bits) {
    return magnitude<F>(bits) == F::kInfinity;
}

template <class F>
constexpr bool is_nan(u64 bits) {
    return magnitude<F>(bits) > F::kInfinity;
}

template <class F>
constexpr bool is_signalling(u64 bits) {
    return is_nan<F>(bits) && (bits & F::kQuietBit) == 0;
}

template <class F>
constexpr u64 with_sign(bool negative, u64 magnitude_bits) {
    return (negative ? F::kSign : 0) | magnitude_bits;
}

}  // namespace hartline::fp
