// Names of engines.
#include "frontend/test/engine.hpp"

namespace hartline {
namespace {
std::vector<EngineKind> usable(std::vector<EngineKind> engines) {
    for (const EngineKind engine : engines) require_engine("--engine", engine);
    return engines;
}
}  // namespace

std::vector<EngineKind> engine_of(const std::string& name) {
    if (name == "both") return usable({EngineKind::Interpreter, EngineKind::Jit});
    if (name == "all") return usable({EngineKind::Interpreter, EngineKind::Jit, EngineKind::Ir});
    return usable({parse_engine("--engine", name)});
}
}  // namespace hartline
