// Software floating point as the F, D, Zfh and Zfa extensions define it, bit for bit and flag for flag.
//
// fp_ops.def   the operations, one row each
// fp.cpp       evaluate<op>(), name()
// format.hpp   F16, F32, F64: masks and special values
// host.hpp     the same arithmetic on the host's unit, where that is provably identical
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "core/types.hpp"
#include "cpu/fp/format.hpp"

namespace hartline::fp {

// f, "Floating-Point Control and Status Register": the values of rm and frm, and the bits of fflags.
enum class Rounding : u8 { NearestEven = 0, TowardZero = 1, Down = 2, Up = 3, NearestMaxMagnitude = 4 };
enum Flag : u32 { kInexact = 1, kUnderflow = 2, kOverflow = 4, kDivideByZero = 8, kInvalid = 16 };

inline constexpr u64 kCanonicalNanH = F16::kCanonicalNan;
inline constexpr u64 kCanonicalNanS = F32::kCanonicalNan;
inline constexpr u64 kCanonicalNanD = F64::kCanonicalNan;

enum class Op : u8 {
#define FP_OP(name, ...) name,
#include "cpu/fp/fp_ops.def"
};

// Operands and floating-point results are raw bits in the low bits, the bits above zero: NaN boxing is the
// caller's. Integer results are what the ISA writes to rd: those of 32 bits are sign-extended. Unused
// operands are zero. Exceptions are ORed into flags. The rounding mode must be one of the five: reserved ones
// trap before this.
using Function = u64 (*)(u64 a, u64 b, u64 c, Rounding rounding, u32& flags);

template <Op op>
u64 evaluate(u64 a, u64 b, u64 c, Rounding rounding, u32& flags);

#define FP_OP(name, ...) \
    template <>          \
    u64 evaluate<Op::name>(u64 a, u64 b, u64 c, Rounding rounding, u32 & flags);
#include "cpu/fp/fp_ops.def"

inline constexpr auto kFunction = std::to_array<Function>({
#define FP_OP(name, ...) evaluate<Op::name>,
#include "cpu/fp/fp_ops.def"
});

inline constexpr std::size_t kOpCount = kFunction.size();

constexpr Function function(Op op) { return kFunction[static_cast<std::size_t>(op)]; }

// The row's name, such as "AddS".
std::string_view name(Op op);

}  // namespace hartline::fp
