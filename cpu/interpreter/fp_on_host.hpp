// Which floating-point operations the interpreter first tries on the host's unit.
#pragma once
#include "cpu/fp/host.hpp"

namespace hartline::fp {

// true: `result` is what evaluate<kOp>() would give, and the flags would not change.
template <Op kOp>
[[gnu::always_inline]] inline bool on_host(u64 a, u64 b, u64 c, u32 flags, Rounding rounding, u64& result) {
    if constexpr (kOp == Op::AddS) return host_add<F32>(a, b, flags, rounding, result);
    if constexpr (kOp == Op::AddD) return host_add<F64>(a, b, flags, rounding, result);
    if constexpr (kOp == Op::SubS) return host_subtract<F32>(a, b, flags, rounding, result);
    if constexpr (kOp == Op::SubD) return host_subtract<F64>(a, b, flags, rounding, result);
    if constexpr (kOp == Op::MulS) return host_multiply<F32>(a, b, flags, rounding, result);
    if constexpr (kOp == Op::MulD) return host_multiply<F64>(a, b, flags, rounding, result);
    if constexpr (kOp == Op::DivS) return host_divide<F32>(a, b, flags, rounding, result);
    if constexpr (kOp == Op::DivD) return host_divide<F64>(a, b, flags, rounding, result);
    if constexpr (kOp == Op::SqrtS) return host_square_root<F32>(a, flags, rounding, result);
    if constexpr (kOp == Op::SqrtD) return host_square_root<F64>(a, flags, rounding, result);
    if constexpr (kOp == Op::MulAddS) return host_mul_add_f32(a, b, c, flags, rounding, result);
    if constexpr (kOp == Op::MulAddD) return host_mul_add_f64(a, b, c, flags, rounding, result);
    return false;
}
}  // namespace hartline::fp
