// Numbers in network byte order, in bytes whose length the caller has checked.
#pragma once
#include <span>

#include "core/types.hpp"

namespace hartline::net {
inline u16 get16(std::span<const u8> bytes, u64 at) {
    return static_cast<u16>(bytes[at] << 8 | bytes[at + 1]);
}
inline u32 get32(std::span<const u8> bytes, u64 at) {
    return static_cast<u32>(get16(bytes, at)) << 16 | get16(bytes, at + 2);
}
inline void put16(std::span<u8> bytes, u64 at, u16 value) {
    bytes[at] = static_cast<u8>(value >> 8);
    bytes[at + 1] = static_cast<u8>(value);
}
inline void put32(std::span<u8> bytes, u64 at, u32 value) {
    put16(bytes, at, static_cast<u16>(value >> 16));
    put16(bytes, at + 2, static_cast<u16>(value));
}
}  // namespace hartline::net
