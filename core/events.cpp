// The event queue: few events at a time, so a sorted vector.
#include "core/events.hpp"

#include <algorithm>

namespace hartline {

void EventQueue::schedule(u64 when, u32 owner, u32 tag) {
    cancel(owner, tag);
    const auto later = [](u64 time, const Event& event) { return time < event.when; };
    const auto at = std::upper_bound(events_.begin(), events_.end(), when, later);
    events_.insert(at, Event{when, sequence_++, owner, tag});
}

void EventQueue::cancel(u32 owner, u32 tag) {
    std::erase_if(events_, [&](const Event& event) { return event.owner == owner && event.tag == tag; });
}

bool EventQueue::take_due(u64 now, Event& event) {
    if (events_.empty() || events_.front().when > now) return false;
    event = events_.front();
    events_.erase(events_.begin());
    ++fired_;
    return true;
}

void EventQueue::clear() {
    events_.clear();
    sequence_ = 0;
    fired_ = 0;
}

void EventQueue::describe(Archive& archive) {
    constexpr u64 kMost = 1 << 16;
    const Section section(archive, "events");
    archive.field("sequence", sequence_);
    archive.field("fired", fired_);
    u64 count = events_.size();
    archive.field("count", count);
    archive.require(count <= kMost, "events.count");
    events_.resize(static_cast<std::size_t>(count));
    u64 before = 0;
    for (Event& event : events_) {
        archive.field("when", event.when);
        archive.field("sequence", event.sequence);
        archive.field("owner", event.owner);
        archive.field("tag", event.tag);
        archive.require(event.when >= before, "events.when");
        before = event.when;
    }
}
}  // namespace hartline
