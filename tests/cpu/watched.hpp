// A machine of one watched hart that runs a few instructions.
#pragma once
#include <string>
#include <vector>

#include "core/machine.hpp"
#include "cpu/hart.hpp"
#include "cpu/observer.hpp"

namespace hartline {

struct Keeper final : Observer {
    void committed(const Commit& commit) override { commits.push_back(commit); }
    void trapped(const TrapEntry& trap) override { traps.push_back(trap); }
    std::vector<Commit> commits;
    std::vector<TrapEntry> traps;
};

inline constexpr u64 kProgramAt = 0x8000'0000;

struct Watched {
    Watched(const std::vector<u32>& program, Observer* observer, unsigned pmp_entries = 16)
        : machine({.ram_bytes = 1 << 20}) {
        const HartConfig config{.reset_pc = kProgramAt, .pmp_entries = pmp_entries, .observer = observer};
        machine.add_hart([&](HartPort& port, unsigned number) { return make_hart(port, number, config); });
        u64 at = kProgramAt;
        for (const u32 word : program) {
            machine.ram().write(at, word);
            at += 4;
        }
    }
    Machine machine;
};
}  // namespace hartline
