// Running a machine to its end.
#include "frontend/test/trial.hpp"

#include <algorithm>
#include <chrono>
#include <optional>

namespace hartline {
namespace {
using Clock = std::chrono::steady_clock;
// Instructions between two looks at the wall clock: a few milliseconds.
constexpr u64 kSlice = 1 << 20;

class Run {
public:
    Run(Board& board, const RunConfig& config, double timeout)
        : board_(board), machine_(board.machine()), config_(config), timeout_(timeout) {}

    Trial to_end() {
        std::optional<Ending> ending;
        while (!ending) ending = slice();
        return {*ending, earlier_retired_ + machine_.retired(), machine_.hash(), seconds()};
    }

private:
    double seconds() const { return std::chrono::duration<double>(Clock::now() - started_).count(); }

    std::optional<Ending> slice() {
        u64 budget = kSlice;
        if (config_.max_instructions) {
            const u64 used = earlier_ticks_ + machine_.tick();
            if (used >= *config_.max_instructions) return Ending{Ending::How::Limit};
            budget = std::min(budget, *config_.max_instructions - used);
        }
        const Machine::Result result = machine_.run(budget);
        if (result.why == Machine::Result::Why::Stopped) {
            if (machine_.stop()->kind != StopRequest::Kind::Reset)
                return Ending{Ending::How::Exit, machine_.stop()->code};
            restart();
        }
        if (result.why == Machine::Result::Why::Idle) {
            if (result.next_event == EventQueue::kNever) return Ending{Ending::How::Stuck};
            machine_.skip_to(result.next_event);
        }
        if (seconds() >= timeout_) return Ending{Ending::How::Timeout};
        return std::nullopt;
    }

    void restart() {
        earlier_ticks_ += machine_.tick();
        earlier_retired_ += machine_.retired();
        board_.reset();
    }

    Board& board_;
    Machine& machine_;
    const RunConfig& config_;
    const double timeout_;
    const Clock::time_point started_ = Clock::now();
    u64 earlier_ticks_ = 0, earlier_retired_ = 0;  // before the last reset
};
}  // namespace

std::string describe(const Ending& ending) {
    switch (ending.how) {
        case Ending::How::Limit: return "the limit of --max-instructions";
        case Ending::How::Stuck: return "stuck: every hart waits, and nothing can wake it";
        case Ending::How::Timeout: return "no end within --timeout";
        case Ending::How::Exit: break;
    }
    return "exit code " + std::to_string(ending.code);
}

Trial run_trial(Board& board, const RunConfig& config, double timeout) {
    return Run(board, config, timeout).to_end();
}

void Capture::write(std::span<const u8> bytes) {
    written_ += bytes.size();
    const auto last = bytes.last(std::min(bytes.size(), kMost));
    kept_.append(last.begin(), last.end());
    if (kept_.size() > 2 * kMost) kept_.erase(0, kept_.size() - kMost);
}

std::string Capture::text() const { return kept_.substr(kept_.size() - std::min(kept_.size(), kMost)); }
}  // namespace hartline
