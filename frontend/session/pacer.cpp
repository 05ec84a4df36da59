// The arithmetic of pacing.
#include "frontend/session/pacer.hpp"

#include <algorithm>

namespace hartline {
namespace {
__extension__ using u128 = unsigned __int128;
constexpr u64 kLeastSlice = 10'000, kMostSlice = 50'000'000;
constexpr u64 kLeastSample = 1000;  // ticks: shorter runs say nothing about speed
constexpr u64 kSlowestRate = u64{100'000} << 32;
}  // namespace

void Pacer::measure(u64 ticks, u64 elapsed) {
    if (ticks < kLeastSample || elapsed == 0) return;
    const auto sample =
        static_cast<u64>(std::min<u128>((static_cast<u128>(elapsed) << 32) / ticks, kSlowestRate));
    rate_ = std::max<u64>(1, measured_ ? rate_ - rate_ / 4 + sample / 4 : sample);
    measured_ = true;
    slice_ =
        std::clamp(static_cast<u64>((static_cast<u128>(kSliceNs) << 32) / rate_), kLeastSlice, kMostSlice);
}

std::optional<Pacer::Correction> Pacer::after_slice(u64 wall, u64 virtual_time, u64 ticks, u64 elapsed) {
    measure(ticks, elapsed);
    const u64 want = target(wall);
    if (want > virtual_time + std::max(kStallNs, 2 * elapsed)) {
        // A leap of seconds would look to the guest like a hang of its own: it goes on where it was.
        wall_base_ = wall;
        virtual_base_ = virtual_time;
        slowed_ = false;
        return Correction{virtual_time, rate_};
    }
    if (want > virtual_time + kToleranceNs) {
        slowed_ = false;
        return Correction{want, rate_};
    }
    if (virtual_time > want + kToleranceNs) {
        slowed_ = true;
        return Correction{virtual_time, std::max<u64>(1, rate_ / 2)};
    }
    if (slowed_ && virtual_time <= want) {
        slowed_ = false;
        return Correction{virtual_time, rate_};
    }
    return std::nullopt;
}

Pacer::Correction Pacer::after_idle(u64 wall, u64 next_event) {
    slowed_ = false;
    u64 when = target(wall);
    if (when > next_event + kStallNs && next_event != 0) {
        wall_base_ = wall;
        virtual_base_ = when = next_event;
    }
    return {std::max(when, next_event), rate_};
}

u64 Pacer::until(u64 wall, u64 when) const {
    const u64 have = target(wall);
    return when > have ? when - have : 0;
}
}  // namespace hartline
