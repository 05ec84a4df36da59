// What is recorded of a run instruction by instruction: the observer of all its harts.
#pragma once
#include <memory>
#include <optional>

#include "cpu/commit_log.hpp"
#include "cpu/coverage.hpp"
#include "frontend/host/log_file.hpp"
#include "frontend/session/config.hpp"

namespace hartline {

class Recorder final : public Observer {
public:
    // Opens the files that the configuration names. Throws InputError, HostError.
    explicit Recorder(const RunConfig& config);

    // What harts are to be made with; null when nothing is to be recorded.
    Observer* observer() { return log_ || counter_ ? this : nullptr; }
    void committed(const Commit& commit) override;
    void trapped(const TrapEntry& trap) override;

    void check() const;  // throws HostError when a file could not be written
    void finish();       // writes what is left; throws HostError

private:
    std::unique_ptr<LogFile> log_file_;
    std::optional<CommitLog> log_;
    std::string coverage_path_;
    std::unique_ptr<CoverageCounter> counter_;
};

// The filter that --log-range, --log-privilege and --log-window ask for. Throws InputError.
CommitFilter commit_filter(const RunConfig& config);
}  // namespace hartline
