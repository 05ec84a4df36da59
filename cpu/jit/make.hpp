// The translator's door: what the rest of the house knows of it, on hosts that it has no code for as well.
#pragma once
#include <memory>
#include <new>

#include "core/hart.hpp"
#include "cpu/cpu.hpp"

namespace hartline::jit {

// Can this host run translated code?
bool host_supported();
struct NoMemoryForCode final : std::bad_alloc {};
// Null where it cannot. Throws NoMemoryForCode where the host has too little, or a policy against it.
std::unique_ptr<Hart> make(HartPort& port, unsigned number, const HartConfig& config);
// For HartConfig::code. The same.
std::shared_ptr<SeenCode> make_cache(const HartConfig& config);
}  // namespace hartline::jit
