// Which engines run a test.
#pragma once
#include <string>
#include <vector>

#include "frontend/session/config.hpp"

namespace hartline {

// The engines that `--engine NAME` asks for: one by its name, or `both`, whose ends must then be equal.
// Throws InputError for a name that is none.
std::vector<EngineKind> engine_of(const std::string& name);
}  // namespace hartline
