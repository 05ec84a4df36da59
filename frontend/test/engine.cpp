// Names of engines.
#include "frontend/test/engine.hpp"

namespace hartline {

std::vector<EngineKind> engine_of(const std::string& name) {
    if (name == "both") return {EngineKind::Interpreter, EngineKind::Ir};
    return {parse_engine("--engine", name)};
}
}  // namespace hartline
