// Taking in, writing down and giving again what came from outside.
#include "core/journal.hpp"

namespace hartline {

void Journal::replay(std::vector<JournalRecord> records) {
    mode_ = Mode::Replaying;
    records_ = std::move(records);
    replayed_ = 0;
}

void Journal::post(u32 owner, std::span<const u8> payload) {
    if (mode_ == Mode::Replaying) return;
    const std::lock_guard lock(inbox_lock_);
    inbox_.push_back({0, 0, owner, {payload.begin(), payload.end()}});
    inbox_filled_.store(true, std::memory_order_release);
    if (wake_) wake_();
}

void Journal::on_post(std::function<void()> wake) {
    const std::lock_guard lock(inbox_lock_);
    wake_ = std::move(wake);
}

bool Journal::take(u64 tick, u64 events, JournalRecord& record) {
    if (mode_ == Mode::Replaying) {
        if (replayed_ == records_.size()) return false;
        const JournalRecord& next = records_[replayed_];
        if (next.tick != tick || next.events != events) return false;
        record = next;
        ++replayed_;
        return true;
    }
    if (!inbox_filled_.load(std::memory_order_acquire)) return false;
    const std::lock_guard lock(inbox_lock_);
    record = std::move(inbox_.front());
    inbox_.pop_front();
    inbox_filled_.store(!inbox_.empty(), std::memory_order_release);
    record.tick = tick;
    record.events = events;
    if (mode_ == Mode::Recording) records_.push_back(record);
    return true;
}

u64 Journal::next_tick() const {
    if (mode_ != Mode::Replaying || replayed_ == records_.size()) return kNever;
    return records_[replayed_].tick;
}
}  // namespace hartline
