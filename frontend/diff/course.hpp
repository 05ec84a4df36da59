// A hermetic machine on its way, without console or input: where it is at a tick is a function of where it
// began.
#pragma once
#include "core/machine.hpp"

namespace hartline {

class Course {
public:
    enum class State : u8 {
        Running,
        Stopped,  // Machine::stop() says how
        Stuck,    // every hart waits, and nothing can wake it
    };
    explicit Course(Machine& machine) : machine_(machine) {}

    Machine& machine() { return machine_; }
    u64 tick() const { return machine_.tick(); }
    State state() const { return state_; }
    // Runs up to a tick, or until it can go no further.
    State go_to(u64 tick);
    // Throws ArchiveError.
    void load(std::span<const u8> snapshot);
    u64 hash_but_ram();

private:
    Machine& machine_;
    State state_ = State::Running;
};
}  // namespace hartline
