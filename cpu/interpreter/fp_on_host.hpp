// Which floating-point operations the interpreter first tries on the host's unit.
#pragma once
#include "cpu/fp/host.hpp"

namespace hartline::fp {

// true: `result` is what evaluate<kOp>() would give, and the flags would not change.
template <Op kOp>
[[gnu::always_inline]] inline bool on_host(u64 a, u64 b, u64 c, u32 flags, Rounding rounding, u64& result) {
    if constexpr (kOp == Op::AddS) return host_add_f32(a, b, flags, rounding, result);
    if constexpr (kOp == Op::AddD) return host_add_f64(a, b, flags, rounding, result);
    if constexpr (kOp == Op::SubS) return host_sub_f32(a, b, flags, rounding, result);
    if constexpr (kOp == Op::SubD) return host_sub_f64(a, b, flags, rounding, result);
    if constexpr (kOp == Op::MulS) return host_mul_f32(a, b, flags, rounding, result);
    if constexpr (kOp == Op::MulD) return host_mul_f64(a, b, flags, rounding, result);
    if constexpr (kOp == Op::DivS) return host_div_f32(a, b, flags, rounding, result);
    if constexpr (kOp == Op::DivD) return host_div_f64(a, b, flags, rounding, result);
    if constexpr (kOp == Op::SqrtS) return host_sqrt_f32(a, flags, rounding, result);
    if constexpr (kOp == Op::SqrtD) return host_sqrt_f64(a, flags, rounding, result);
    if constexpr (kOp == Op::MulAddS) return host_mul_add_f32(a, b, c, flags, rounding, result);
    if constexpr (kOp == Op::MulAddD) return host_mul_add_f64(a, b, c, flags, rounding, result);
    return false;
}
}  // namespace hartline::fp
