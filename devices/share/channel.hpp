// Between a guest's 9P transport and whoever answers its requests.
#pragma once
#include <vector>

#include "core/types.hpp"

namespace hartline::share {

// Which request an answer is to. An answer comes back to the device as input: these eight bytes, then the
// message.
struct Ticket {
    u32 epoch = 0;  // of the device: it forgets what it asked for when it is reset
    u32 number = 0;
};
static_assert(sizeof(Ticket) == 8);

class Channel {
public:
    virtual ~Channel() = default;
    // Returns at once; the answer comes through the machine's journal.
    virtual void submit(Ticket ticket, std::vector<u8> request) = 0;
    // Nobody waits for answers any more, and all that was open is closed.
    virtual void reset() = 0;
};

// Answers nothing: for a replay, whose journal has the answers.
class SilentChannel final : public Channel {
public:
    void submit(Ticket, std::vector<u8>) override {}
    void reset() override {}
};
}  // namespace hartline::share
