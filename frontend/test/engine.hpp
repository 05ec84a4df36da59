// Which engine runs a test: the one place where `hartline test` knows of engines.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "frontend/session/config.hpp"

namespace hartline {

enum class EngineKind : u8 { Interpreter, Ir, Jit };

std::string_view name(EngineKind engine);
// The engines that `--engine NAME` asks for: interpreter, ir, jit, or both (interpreter and jit). Throws
// InputError for a name that is none, and for an engine that this Hartline was built without.
std::vector<EngineKind> engine_of(const std::string& name);
// `config` for a run on that engine.
RunConfig on_engine(const RunConfig& config, EngineKind engine);
}  // namespace hartline
