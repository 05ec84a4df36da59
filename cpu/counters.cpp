// Counting lazily, and overflowing at the exact instruction.
#include "cpu/counters.hpp"

#include <algorithm>

namespace hartline {
namespace {
constexpr unsigned kCycle = 0, kTime = 1, kInstret = 2, kFirstEvent = 3;
constexpr u64 kSelector = (u64{1} << 56) - 1;

u64 filter_of(Privilege privilege) {
    switch (privilege) {
        case Privilege::Machine: return counters::kNotInMachine;
        case Privilege::Supervisor: return counters::kNotInSupervisor;
        default: return counters::kNotInUser;
    }
}
bool enabled(const HartState& s, unsigned i) {
    if (i == kTime || bit(s.mcountinhibit, i) != 0) return false;
    return i < kFirstEvent || (s.event[i] & kSelector) != 0;
}
bool counts(const HartState& s, unsigned i) {
    return enabled(s, i) && (i < kFirstEvent || (s.event[i] & filter_of(s.privilege)) == 0);
}
bool may_interrupt(const HartState& s, unsigned i) {
    return i >= kFirstEvent && (s.event[i] & counters::kOverflowed) == 0;
}
}  // namespace

void check_overflow(Cpu& cpu) {
    if (cpu.s.overflow_at == ~u64{0}) return;
    const u64 now = cpu.engine->retired_now();
    if (now >= cpu.s.overflow_at) counters::settle(cpu.s, now);
}

namespace counters {
u64 legal_event(u64 value) {
    const u64 selector = value & kSelector;
    const u64 flags = value & (kOverflowed | kNotInMachine | kNotInSupervisor | kNotInUser);
    return flags | (selector <= static_cast<u64>(Event::Instructions) ? selector : 0);
}

u64 read(const Cpu& cpu, unsigned index) {
    const u64 now = std::max(cpu.engine->retired_now(), cpu.s.counters_at);
    return cpu.s.counter[index] + (counts(cpu.s, index) ? now - cpu.s.counters_at : 0);
}

void write(Cpu& cpu, unsigned index, u64 value) {
    const u64 now = cpu.engine->retired_now();
    settle(cpu.s, now);
    cpu.s.counter[index] = 0;  // what the write replaces does not overflow
    settle(cpu.s, now + 1);
    cpu.s.counter[index] = value;
    plan(cpu.s);
}
void write_event(Cpu& cpu, unsigned index, u64 value) {
    settle(cpu.s, cpu.engine->retired_now() + 1);
    cpu.s.event[index] = legal_event(value);
    plan(cpu.s);
}
void write_inhibit(Cpu& cpu, u64 value) {
    settle(cpu.s, cpu.engine->retired_now() + 1);
    cpu.s.mcountinhibit = value;
    plan(cpu.s);
}

// priv, "Count Overflow Control": OF is sticky and keeps further overflows silent.
void settle(HartState& s, u64 retired) {
    if (retired <= s.counters_at) return;
    const u64 passed = retired - s.counters_at;
    for (unsigned i = 0; i < kCounters; ++i) {
        if (!counts(s, i)) continue;
        s.counter[i] += passed;
        if (s.counter[i] >= passed || !may_interrupt(s, i)) continue;
        s.event[i] |= kOverflowed;
        s.mip_software |= line_bit(Interrupt::CounterOverflow);
    }
    s.counters_at = retired;
    plan(s);
}

void plan(HartState& s) {
    s.overflow_at = ~u64{0};
    s.counters_by_mode = false;
    constexpr u64 kFilters = kNotInMachine | kNotInSupervisor | kNotInUser;
    for (unsigned i = kFirstEvent; i < kCounters; ++i) {
        if (!enabled(s, i)) continue;
        if ((s.event[i] & kFilters) != 0) s.counters_by_mode = true;
        const u64 left = -s.counter[i];  // 0 stands for 2^64
        if (!counts(s, i) || !may_interrupt(s, i) || left == 0 || left > ~s.counters_at) continue;
        s.overflow_at = std::min(s.overflow_at, s.counters_at + left);
    }
}
}  // namespace counters
}  // namespace hartline
