// Writing a reproducer's files: state.snapshot, run.conf, README.txt.
#include "frontend/diff/reproducer.hpp"

#include <algorithm>
#include <filesystem>

#include "frontend/host/files.hpp"
#include "frontend/session/errors.hpp"
#include "frontend/session/snapshot.hpp"

namespace hartline {
namespace {
void write_text(const std::string& path, const std::string& text) {
    write_file(path, std::span(reinterpret_cast<const u8*>(text.data()), text.size()));
}
}  // namespace

void load_state(Board& board, const std::string& path) {
    if (path.empty()) return;
    const Snapshot snapshot = read_snapshot(path, board.summary());
    try {
        board.machine().load(snapshot.state);
    } catch (const ArchiveError& error) {
        throw InputError(path, error.what(), "save it again with this Hartline");
    }
}

std::string write_reproducer(const Reproducer& reproducer, const Lockstep& lockstep) {
    std::error_code failed;
    std::filesystem::create_directories(reproducer.folder, failed);
    const std::filesystem::path folder = std::filesystem::absolute(reproducer.folder, failed);
    if (failed) throw InputError(reproducer.folder, failed.message(), "name a folder that can be made");
    Snapshot snapshot;
    snapshot.machine = reproducer.summary;
    snapshot.state = lockstep.snapshot();
    write_snapshot((folder / "state.snapshot").string(), snapshot);
    const std::string last = std::to_string(std::max(lockstep.differs_at(), lockstep.snapshot_tick() + 1));
    write_text((folder / "run.conf").string(), reproducer.options +
                                                   "load = " + (folder / "state.snapshot").string() +
                                                   "\nmax-instructions = " + last + "\n");
    const std::string command = "hartline diff --config " + (folder / "run.conf").string() + " --engines " +
                                reproducer.engines + " --every " + last + " --max-instructions " + last;
    write_text((folder / "README.txt").string(), command + "\n\n" + reproducer.report);
    return command;
}
}  // namespace hartline
