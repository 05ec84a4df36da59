// The translator's door: what the rest of the house knows of it, on hosts that it has no code for as well.
#pragma once
#include <memory>

#include "core/hart.hpp"
#include "cpu/cpu.hpp"

namespace hartline::jit {

// Can this host run translated code?
bool host_supported();
// Null where it cannot.
std::unique_ptr<Hart> make(HartPort& port, unsigned number, const HartConfig& config);
// For HartConfig::code.
std::shared_ptr<SeenCode> make_cache(const HartConfig& config);
}  // namespace hartline::jit
