// The one door into a machine: everything from outside, stamped with when it came, so that it can come again.
#pragma once
#include <atomic>
#include <deque>
#include <functional>
#include <mutex>
#include <span>
#include <vector>

#include "core/types.hpp"

namespace hartline {

struct JournalRecord {
    u64 tick = 0;
    u64 events = 0;  // events fired before it: orders it among the things that happen at one tick
    u32 owner = 0;   // who it is for, by the machine's number
    std::vector<u8> payload;
};

class Journal {
public:
    static constexpr u64 kNever = ~u64{0};
    enum class Mode : u8 { Live, Recording, Replaying };

    Mode mode() const { return mode_; }
    void record() { mode_ = Mode::Recording; }
    // From now on nothing comes from outside but these, in order. post() is ignored.
    void replay(std::vector<JournalRecord> records);
    const std::vector<JournalRecord>& records() const { return records_; }

    // From any thread: hands something in. It gets its stamp when the machine takes it.
    void post(u32 owner, std::span<const u8> payload);
    // Called at each post(), on the thread that posts: wakes whoever waits for something to come in. It must
    // not post. Empty: nobody waits; when this returns, the one before is not called any more.
    void on_post(std::function<void()> wake);
    // Is there something that the machine has not taken yet? (Not of a replay.)
    bool waiting() const { return inbox_filled_.load(std::memory_order_acquire); }
    // By the machine, at a slice's boundary: the next record that enters now. false: none.
    bool take(u64 tick, u64 events, JournalRecord& record);
    // The tick at which the machine must stop to take the next record of a replay.
    u64 next_tick() const;

private:
    Mode mode_ = Mode::Live;
    std::vector<JournalRecord> records_;
    std::size_t replayed_ = 0;
    std::mutex inbox_lock_;
    std::atomic<bool> inbox_filled_{false};
    std::deque<JournalRecord> inbox_;
    std::function<void()> wake_;
};
}  // namespace hartline
