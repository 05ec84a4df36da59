// One instruction in lockstep, from a reproducer's snapshot.
#include "frontend/test/reproduction.hpp"

#include <array>

#include "frontend/cli/options.hpp"
#include "frontend/diff/report.hpp"
#include "frontend/diff/reproducer.hpp"
#include "frontend/session/board.hpp"
#include "frontend/session/errors.hpp"
#include "frontend/test/trial.hpp"

namespace hartline {
bool is_reproducer(const std::string& path) { return path.ends_with(".conf"); }

std::string reproduce(const std::string& path) {
    const std::array<std::string, 2> arguments{"--config", path};
    RunConfig config = parse_run(arguments).config;
    config.deterministic = true;
    if (config.load.empty()) throw InputError(path, "has no 'load'", "give the run.conf of a reproducer");
    Capture console;
    const EngineKind other = config.engine.value_or(EngineKind::Ir);
    require_engine(path, other);
    config.engine = EngineKind::Interpreter;
    Board a(config, console);
    config.engine = other;
    Board b(config, console);
    load_state(a, config.load);
    load_state(b, config.load);
    LockstepOptions options;
    options.most = config.max_instructions.value_or(a.machine().tick() + 1);
    options.every = options.most;
    Lockstep lockstep(a.machine(), b.machine(), options);
    if (!lockstep.run()) return {};
    return describe_difference(lockstep, std::string(name(EngineKind::Interpreter)),
                               std::string(name(other)));
}
}  // namespace hartline
