// An exact run: everything that happens is a function of the machine and its input, never of the host's time.
#include <algorithm>

#include "frontend/session/session.hpp"

namespace hartline {
namespace {
// Input is handed in where the tick is a multiple of this, or where every hart waits.
constexpr u64 kQuantum = 1 << 20;
constexpr u64 kIdleTurnsAService = 4096;
}  // namespace

void Session::run_hermetic() {
    u64 idle_turns = 0;
    for (check_limits(); !ended(); check_limits()) {
        const u64 tick = machine_.tick();
        if (tick % kQuantum == 0) give_hermetic();
        const Machine::Result result = machine_.run(budget(kQuantum - tick % kQuantum));
        if (result.why == Machine::Result::Why::Stopped) {
            guest_stopped();
        } else if (result.why == Machine::Result::Why::Idle) {
            if (give_hermetic()) continue;
            if (result.next_event == EventQueue::kNever) {
                end_stuck("every hart waits, and nothing can wake it");
                break;
            }
            machine_.skip_to(result.next_event);
            if (++idle_turns % kIdleTurnsAService != 0) continue;
        }
        service(0);
        if (reset_asked_) restart();
    }
}

// true: something was handed in.
bool Session::give_hermetic() {
    input_open_ = input_open_ || tap_.input_allowed();
    const std::size_t before = waiting_.size() - given_;
    if (input_open_) give_input(before);
    return waiting_.size() - given_ != before;
}
}  // namespace hartline
