// What the read-modify-write operations of the A extension compute.
#pragma once
#include <algorithm>
#include <type_traits>

#include "cpu/system.hpp"

namespace hartline {

template <class T>
constexpr T combine(AmoOp op, T old, T operand) {
    using S = std::make_signed_t<T>;
    switch (op) {
        case AmoOp::Add: return static_cast<T>(old + operand);
        case AmoOp::Xor: return old ^ operand;
        case AmoOp::And: return old & operand;
        case AmoOp::Or: return old | operand;
        case AmoOp::Min: return static_cast<T>(std::min(static_cast<S>(old), static_cast<S>(operand)));
        case AmoOp::Max: return static_cast<T>(std::max(static_cast<S>(old), static_cast<S>(operand)));
        case AmoOp::MinU: return std::min(old, operand);
        case AmoOp::MaxU: return std::max(old, operand);
        default: return operand;
    }
}
constexpr u64 combine(AmoOp op, unsigned width, u64 old, u64 operand) {
    switch (width) {
        case 8: return combine<u8>(op, static_cast<u8>(old), static_cast<u8>(operand));
        case 16: return combine<u16>(op, static_cast<u16>(old), static_cast<u16>(operand));
        case 32: return combine<u32>(op, static_cast<u32>(old), static_cast<u32>(operand));
        default: return combine<u64>(op, old, operand);
    }
}
}  // namespace hartline
