// The arithmetic of virtual time.
#include "core/clock.hpp"

#include <algorithm>

namespace hartline {

u64 Clock::tick_at(u64 when) const {
    if (when <= s_.base_ns) return s_.base_tick;
    // The smallest t with floor(t * rate / 2^32) >= d is ceil(d * 2^32 / rate).
    const u128 wanted = static_cast<u128>(when - s_.base_ns) << 32;
    const u128 ticks = (wanted + s_.rate - 1) / s_.rate;
    const u128 most = ~u64{0} - s_.base_tick;
    return s_.base_tick + static_cast<u64>(std::min(ticks, most));
}

void Clock::retime(u64 tick, u64 when, u64 rate) {
    const u64 at_least = now(tick);
    s_ = State{tick, std::max(when, at_least), std::max<u64>(rate, 1)};
}

void Clock::describe(Archive& archive) {
    const Section section(archive, "clock");
    archive.field("base_tick", s_.base_tick);
    archive.field("base_ns", s_.base_ns);
    archive.field("rate", s_.rate);
    archive.require(s_.rate != 0, "clock.rate");
}
}  // namespace hartline
