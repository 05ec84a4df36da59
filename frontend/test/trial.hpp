// One machine run to its end within limits, with nothing of the process around it: no terminal, no signals.
#pragma once
#include <string>

#include "core/device.hpp"
#include "frontend/session/board.hpp"

namespace hartline {

// How a guest ended.
struct Ending {
    enum class How : u8 {
        Exit,     // by itself, with `code`
        Limit,    // --max-instructions
        Stuck,    // every hart waits, and nothing can wake it
        Timeout,  // of wall time
    };
    How how = How::Exit;
    u32 code = 0;
    bool operator==(const Ending&) const = default;
};

std::string describe(const Ending& ending);  // "exit code 7"

struct Trial {
    Ending ending;
    u64 instructions = 0;  // retired, over all resets of the guest
    u64 hash = 0;          // of the machine's state at the end
    double seconds = 0;    // of wall time
};

// Runs `board` deterministically until it ends, `config.max_instructions` are used up, or `timeout` seconds
// have passed. Equal to `hartline run --deterministic` without input.
Trial run_trial(Board& board, const RunConfig& config, double timeout);

// Keeps the last of what a guest writes.
class Capture final : public ByteSink {
public:
    static constexpr std::size_t kMost = 16 * 1024;

    void write(std::span<const u8> bytes) override;
    std::string text() const;  // at most kMost bytes
    u64 lost() const { return written_ - text().size(); }

private:
    std::string kept_;  // up to twice kMost, so that it is moved seldom
    u64 written_ = 0;
};
}  // namespace hartline
