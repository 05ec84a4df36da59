// Steers virtual time to the wall clock. Pure: it is told what time it is.
#pragma once
#include <optional>

#include "core/types.hpp"

namespace hartline {

class Pacer {
public:
    // All times in nanoseconds; `wall` is monotonic.
    Pacer(u64 wall, u64 virtual_time) : wall_base_(wall), virtual_base_(virtual_time) {}

    struct Correction {
        u64 when;  // for Machine::retime()
        u64 rate;
    };
    // After `ticks` were run in `elapsed` nanoseconds of wall time: what to correct, if anything.
    std::optional<Correction> after_slice(u64 wall, u64 virtual_time, u64 ticks, u64 elapsed);
    // After waiting with nothing to do: virtual time goes on where the wall clock is, but at least at
    // `next_event` when that was waited for (0: it was not).
    Correction after_idle(u64 wall, u64 next_event);
    // How many ticks take about kSliceNs.
    u64 slice_ticks() const { return slice_; }
    // When virtual time is to reach `when`: nanoseconds from `wall` on.
    u64 until(u64 wall, u64 when) const;
    // May virtual time be at `when` already? A little before its time is nothing to a person, but a host that
    // sleeps for each of a disk's many short waits wakes late from all of them.
    bool may_lead_to(u64 wall, u64 when) const { return until(wall, when) <= kLeadNs; }

    static constexpr u64 kSliceNs = 5'000'000;       // between two looks at the world outside
    static constexpr u64 kToleranceNs = 10'000'000;  // of virtual time against the wall clock
    static constexpr u64 kLeadNs = 1'000'000;        // of virtual time that need not be waited for
    static constexpr u64 kStallNs =
        1'000'000'000;  // behind by more: the host slept, the guest has not noticed

private:
    u64 target(u64 wall) const { return virtual_base_ + (wall - wall_base_); }
    void measure(u64 ticks, u64 elapsed);

    u64 wall_base_, virtual_base_;
    u64 slice_ = 100'000;
    u64 rate_ = u64{1} << 32;  // estimated nanoseconds a tick, 32.32
    bool measured_ = false;
    bool slowed_ = false;
};
}  // namespace hartline
