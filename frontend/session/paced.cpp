// A machine beside a person: virtual time follows the wall clock, and an idle guest costs nothing.
#include <algorithm>

#include "frontend/session/session.hpp"

namespace hartline {
namespace {
// What comes from outside while the guest is busy (packets, answers of a shared folder) is taken in at the
// start of a run: in a slice there are so many.
constexpr u64 kLooksASlice = 25;
}  // namespace

Machine::Result Session::run_slice(u64 ticks) {
    Machine::Result result;
    for (u64 end = machine_.tick() + ticks; machine_.tick() < end;) {
        result = machine_.run(std::min(end - machine_.tick(), ticks / kLooksASlice + 1));
        if (result.why != Machine::Result::Why::Budget) break;
    }
    return result;
}

void Session::run_paced() {
    Pacer pacer(wall_ns(), machine_.now());
    for (check_limits(); !ended(); check_limits()) {
        give_input(~std::size_t{0});
        const u64 tick = machine_.tick(), began = wall_ns();
        const Machine::Result result = run_slice(budget(pacer.slice_ticks()));
        const u64 wall = wall_ns();
        service(0);
        if (result.why == Machine::Result::Why::Stopped || reset_asked_) {
            reset_asked_ ? restart() : guest_stopped();
            pacer = Pacer(wall_ns(), machine_.now());
        } else if (result.why == Machine::Result::Why::Idle) {
            wait_paced(pacer, result.next_event);
        } else if (const auto correction =
                       pacer.after_slice(wall, machine_.now(), machine_.tick() - tick, wall - began)) {
            machine_.retime(correction->when, correction->rate);
        }
    }
}

// Every hart waits: so does this thread, for the next event or for somebody to type.
void Session::wait_paced(Pacer& pacer, u64 next_event) {
    const bool event = next_event != EventQueue::kNever;
    u64 wall = wall_ns();
    const bool at_once = event && pacer.may_lead_to(wall, next_event);
    while (!at_once && !ended() && !reset_asked_) {
        const bool input = given_ < waiting_.size() && board_.console().input_room() != 0;
        if (input || machine_.journal().waiting() || (event && pacer.until(wall, next_event) == 0)) break;
        if (!event && console_.input_ended() && !answers_may_come())
            return end_stuck("it waits for input, and that has ended");
        service(event ? pacer.until(wall, next_event) : Console::kForever);
        wall = wall_ns();
    }
    const bool due = at_once || (event && pacer.until(wall, next_event) == 0);
    const Pacer::Correction correction = pacer.after_idle(wall, due ? next_event : 0);
    machine_.retime(correction.when, correction.rate);
}
}  // namespace hartline
