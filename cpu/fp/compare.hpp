// Comparison, minimum and maximum, and classification on raw bits.
#pragma once

#include "core/types.hpp"
#include "cpu/fp/format.hpp"
#include "cpu/fp/number.hpp"

namespace hartline::fp {

enum class QuietNan { Signals, Passes };
enum class Pick { Smaller, Larger };
enum class NanInput { Other, Canonical };

// Orders values other than NaN as their bits' two's complement; -0 comes out one below +0.
template <class F>
constexpr i64 order(u64 bits) {
    const i64 size = static_cast<i64>(magnitude<F>(bits));
    return is_negative<F>(bits) ? -size - 1 : size;
}

template <class F>
constexpr bool both_zero(u64 a, u64 b) {
    return is_zero<F>(a) && is_zero<F>(b);
}

// f, "Single-Precision Floating-Point Compare Instructions": a NaN compares false; a signalling one is always
// invalid.
template <class F>
constexpr bool unordered(u64 a, u64 b, QuietNan quiet, const Context& ctx) {
    if (!is_nan<F>(a) && !is_nan<F>(b)) return false;
    if (quiet == QuietNan::Signals || is_signalling<F>(a) || is_signalling<F>(b)) ctx.raise(kInvalid);
    return true;
}

template <class F>
constexpr u64 equal(u64 a, u64 b, const Context& ctx) {
    if (unordered<F>(a, b, QuietNan::Passes, ctx)) return 0;
    return a == b || both_zero<F>(a, b);
}

template <class F>
constexpr u64 less(u64 a, u64 b, QuietNan quiet, const Context& ctx) {
    if (unordered<F>(a, b, quiet, ctx)) return 0;
    return order<F>(a) < order<F>(b) && !both_zero<F>(a, b);
}

template <class F>
constexpr u64 less_or_equal(u64 a, u64 b, QuietNan quiet, const Context& ctx) {
    if (unordered<F>(a, b, quiet, ctx)) return 0;
    return order<F>(a) <= order<F>(b) || both_zero<F>(a, b);
}

// f, "Single-Precision Floating-Point Computational Instructions" (fmin, fmax: IEEE 754-2019 minimumNumber
// and maximumNumber) and zfa, "Minimum and Maximum Instructions" (fminm, fmaxm: minimum and maximum). -0 is
// below +0.
template <class F>
constexpr u64 select(u64 a, u64 b, Pick pick, NanInput nan_input, const Context& ctx) {
    const bool a_is_nan = is_nan<F>(a);
    const bool b_is_nan = is_nan<F>(b);
    if (a_is_nan || b_is_nan) {
        const u64 canonical = nan_from<F>(ctx, a, b);
        if ((a_is_nan && b_is_nan) || nan_input == NanInput::Canonical) return canonical;
        return a_is_nan ? b : a;
    }
    const bool a_is_less = order<F>(a) < order<F>(b);
    return a_is_less == (pick == Pick::Smaller) ? a : b;
}

// f, "Single-Precision Floating-Point Classify Instruction": bits 0 to 3 are the negative classes from
// infinity to zero, 4 to 7 the positive ones from zero to infinity.
template <class F>
constexpr u64 classify(u64 a) {
    if (is_nan<F>(a)) return u64{1} << (is_signalling<F>(a) ? 8 : 9);
    const bool normal = magnitude<F>(a) >= F::kMinNormal;
    const unsigned rank = is_zero<F>(a) ? 0 : is_infinite<F>(a) ? 3 : normal ? 2 : 1;
    return u64{1} << (is_negative<F>(a) ? 3 - rank : 4 + rank);
}

}  // namespace hartline::fp
