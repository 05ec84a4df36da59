// A line for each instruction that retired, as Spike's --log-commits writes them.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "core/device.hpp"
#include "cpu/observer.hpp"

namespace hartline {

// Which instructions are logged: those that all of these let through.
struct CommitFilter {
    struct Range {
        u64 first = 0, end = ~u64{0};  // `end` is not in it
        bool operator==(const Range&) const = default;
    };
    std::vector<Range> addresses{};  // of pc; none: all
    u8 privileges = 0b1011;          // a bit each, by number: U 0, S 1, M 3
    Range window{};                  // of Commit::number
    bool operator==(const CommitFilter&) const = default;

    bool passes(const Commit& commit) const;
};

// oracle: Spike 1.1.1-dev --log-commits, line by line over riscv-tests
class CommitLog final : public Observer {
public:
    // `sink` outlives the log, and must not throw: it is called in the middle of a run.
    CommitLog(ByteSink& sink, CommitFilter filter);
    void committed(const Commit& commit) override;
    void trapped(const TrapEntry&) override {}  // Spike tells of traps by --log only
    void flush();                               // what is in the buffer, at the end

private:
    ByteSink& sink_;
    const CommitFilter filter_;
    std::vector<std::string> csr_names_;  // " c768_mstatus 0x", by number
    std::vector<u8> buffer_;
    std::size_t used_ = 0;
};
}  // namespace hartline
