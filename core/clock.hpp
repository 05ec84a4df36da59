// Virtual time: nanoseconds as a function of the machine's tick.
#pragma once
#include "core/archive.hpp"
#include "core/types.hpp"

namespace hartline {

// The tick counts what a machine has executed: retired instructions, and one for a trap that follows another
// with nothing retired between (so that a guest which traps for ever still grows older).
class Clock {
public:
    static constexpr u64 kOneNanosecond = u64{1} << 32;  // nanoseconds a tick, as 32.32 fixed point

    u64 now(u64 tick) const { return s_.base_ns + scaled(tick - s_.base_tick); }
    // The first tick at which now() is at least `when`.
    u64 tick_at(u64 when) const;
    // From `tick` on, time continues at `when` (never before now(tick)) with `rate` nanoseconds a tick.
    void retime(u64 tick, u64 when, u64 rate);
    u64 rate() const { return s_.rate; }
    void reset() { s_ = State{}; }
    void describe(Archive& archive);

private:
    __extension__ using u128 = unsigned __int128;
    u64 scaled(u64 ticks) const { return static_cast<u64>((static_cast<u128>(ticks) * s_.rate) >> 32); }
    struct State {
        u64 base_tick = 0;
        u64 base_ns = 0;
        u64 rate = kOneNanosecond;
    } s_;
};
}  // namespace hartline
