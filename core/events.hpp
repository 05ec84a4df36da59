// The one ordered queue of a machine's future events.
#pragma once
#include <vector>

#include "core/archive.hpp"
#include "core/types.hpp"

namespace hartline {

struct Event {
    u64 when = 0;      // virtual nanoseconds
    u64 sequence = 0;  // of scheduling: events of one moment fire in this order
    u32 owner = 0;     // the machine's number for the device or hart
    u32 tag = 0;       // the owner's own
};

class EventQueue {
public:
    static constexpr u64 kNever = ~u64{0};

    // An owner has at most one event a tag: a new one replaces it.
    void schedule(u64 when, u32 owner, u32 tag);
    void cancel(u32 owner, u32 tag);
    u64 next() const { return events_.empty() ? kNever : events_.front().when; }
    // Takes the first event if it is due at `now`.
    bool take_due(u64 now, Event& event);
    u64 fired() const { return fired_; }  // how many were taken since reset
    void clear();
    void describe(Archive& archive);

private:
    std::vector<Event> events_;  // sorted by (when, sequence)
    u64 sequence_ = 0;
    u64 fired_ = 0;
};
}  // namespace hartline
