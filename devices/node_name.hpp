// The name of a device's node: what it is, and its address in hexadecimal.
#pragma once
#include <charconv>
#include <string>
#include <string_view>

#include "core/types.hpp"

namespace hartline {
inline std::string node_name(std::string_view kind, u64 base) {
    char digits[16];
    const auto end = std::to_chars(digits, digits + sizeof digits, base, 16).ptr;
    return std::string(kind) + '@' + std::string(digits, end);
}
}  // namespace hartline
