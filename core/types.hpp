// Integer vocabulary and bit helpers: the bottom of the dependency graph.
#pragma once
#include <bit>
#include <cstddef>
#include <cstdint>

namespace hartline {
using u8 = std::uint8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;
using i8 = std::int8_t;
using i16 = std::int16_t;
using i32 = std::int32_t;
using i64 = std::int64_t;

// Guest memory, files and host registers are all read with plain loads.
static_assert(std::endian::native == std::endian::little, "Hartline assumes a little-endian host");

// Bits hi..lo of `word`, moved down to bit 0.
constexpr u64 bits(u64 word, unsigned hi, unsigned lo) {
    return (word >> lo) & (~u64{0} >> (63 - (hi - lo)));
}
constexpr u64 bit(u64 word, unsigned at) { return (word >> at) & 1; }

// The low `width` bits (1..64) of `value`, sign-extended to 64.
constexpr u64 sign_extend(u64 value, unsigned width) {
    return static_cast<u64>(static_cast<i64>(value << (64 - width)) >> (64 - width));
}
// `value` with the bits of `mask` taken from `with`.
constexpr u64 merge(u64 value, u64 mask, u64 with) { return (value & ~mask) | (with & mask); }

static_assert(bits(0xabcd0000u, 31, 28) == 0xa && bits(~u64{0}, 63, 0) == ~u64{0});
static_assert(sign_extend(0xfff, 12) == ~u64{0} && sign_extend(0x7ff, 12) == 2047);

inline constexpr u64 kFrameBytes = 4096;  // the unit of guest memory, of translation and of sharing
inline constexpr unsigned kFrameShift = 12;
}  // namespace hartline
