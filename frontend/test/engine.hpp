// Which engines run a test.
#pragma once
#include <string>
#include <vector>

#include "frontend/session/config.hpp"

namespace hartline {

// The engines that `--engine NAME` asks for: one by its name, or `both` (interpreter and jit) or `all`, whose
// ends must then be equal. Throws InputError for a name that is none, and for an engine that the host cannot
// run.
std::vector<EngineKind> engine_of(const std::string& name);
}  // namespace hartline
