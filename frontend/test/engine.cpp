// Names of engines.
#include "frontend/test/engine.hpp"

#include <algorithm>

#include "frontend/session/errors.hpp"

namespace hartline {
namespace {
constexpr bool built(EngineKind engine) { return engine == EngineKind::Interpreter; }

std::vector<EngineKind> engines_called(const std::string& called) {
    if (called == "interpreter") return {EngineKind::Interpreter};
    if (called == "ir") return {EngineKind::Ir};
    if (called == "jit") return {EngineKind::Jit};
    if (called == "both") return {EngineKind::Interpreter, EngineKind::Jit};
    throw InputError("--engine", "'" + called + "' is unknown", "choose interpreter, ir, jit or both");
}
}  // namespace

std::string_view name(EngineKind engine) {
    switch (engine) {
        case EngineKind::Interpreter: return "interpreter";
        case EngineKind::Ir: return "ir";
        case EngineKind::Jit: break;
    }
    return "jit";
}

std::vector<EngineKind> engine_of(const std::string& called) {
    const auto engines = engines_called(called);
    const auto absent = std::find_if_not(engines.begin(), engines.end(), built);
    if (absent != engines.end())
        throw InputError(
            "--engine",
            "'" + called + "': this Hartline was built without the engine " + std::string(name(*absent)),
            "choose interpreter");
    return engines;
}

// With one engine built there is nothing to choose yet.
RunConfig on_engine(const RunConfig& config, EngineKind) { return config; }
}  // namespace hartline
