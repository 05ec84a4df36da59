// Hermetic running: idle time is skipped.
#include "frontend/diff/course.hpp"

namespace hartline {

Course::State Course::go_to(u64 tick) {
    while (state_ == State::Running && machine_.tick() < tick) {
        const Machine::Result result = machine_.run(tick - machine_.tick());
        if (result.why == Machine::Result::Why::Stopped) state_ = State::Stopped;
        if (result.why != Machine::Result::Why::Idle) continue;
        if (result.next_event == EventQueue::kNever)
            state_ = State::Stuck;
        else
            machine_.skip_to(result.next_event);
    }
    return state_;
}

void Course::load(std::span<const u8> snapshot) {
    machine_.load(snapshot);
    state_ = State::Running;
}

u64 Course::hash_but_ram() {
    HashArchive archive;
    machine_.describe_but_ram(archive);
    return archive.digest();
}
}  // namespace hartline
