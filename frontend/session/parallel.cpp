// Each hart on a thread of its own; this one looks after the world outside.
#include "frontend/session/session.hpp"

namespace hartline {

void Session::run_parallel() {
    while (!ended()) {
        machine_.run_parallel([this] {
            service(0);
            give_input(~std::size_t{0});
            if (!ended() && config_.max_instructions && total_ticks() >= *config_.max_instructions)
                end(kExitLimit);
            return ended() || reset_asked_;
        });
        if (ended()) break;
        reset_asked_ ? restart() : guest_stopped();
    }
}
}  // namespace hartline
