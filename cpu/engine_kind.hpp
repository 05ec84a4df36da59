// The engines that a hart can be made with. All of them are the same hart to a guest.
#pragma once
#include <array>
#include <string_view>

#include "core/types.hpp"

namespace hartline {

enum class EngineKind : u8 {
    Interpreter,  // decoded blocks and threaded handlers
    Jit,          // the interpreter, and translations of what is executed often (x86-64 hosts)
    Ir,           // lifted to IR, verified, evaluated as it stands: a second opinion, slow
};
inline constexpr std::array<std::string_view, 3> kEngineNames{"interpreter", "jit", "ir"};
constexpr std::string_view name(EngineKind kind) { return kEngineNames[static_cast<std::size_t>(kind)]; }
}  // namespace hartline
