// The counters of Zicntr, Zihpm and Sscofpmf: values as of an instruction count, so that counting costs
// nothing.
//
// A cycle is an instruction. Counter i of the state holds its value as of `counters_at` retired instructions;
// it is brought forward when somebody writes what decides how it counts, and never by reads.
#pragma once
#include "cpu/cpu.hpp"

namespace hartline {

// How many more instructions may retire before check_overflow() must be called: it then finds the overflow at
// the instruction that caused it. ~0: none is due.
inline u64 instructions_until_overflow(const HartState& s, u64 retired) {
    if (s.overflow_at == ~u64{0}) return ~u64{0};
    return s.overflow_at > retired ? s.overflow_at - retired : 0;
}
// Raises LCOFI for the counters that have overflowed by now.
void check_overflow(Cpu& cpu);

namespace counters {
// mhpmeventN, "Count Overflow Control".
inline constexpr u64 kOverflowed = u64{1} << 63;
inline constexpr u64 kNotInMachine = u64{1} << 62, kNotInSupervisor = u64{1} << 61, kNotInUser = u64{1} << 60;
enum class Event : u8 { None, Cycles, Instructions };
u64 legal_event(u64 value);

u64 read(const Cpu& cpu, unsigned index);
// For instructions that write. What they write takes effect after their own retirement was counted the old
// way, which is to say instead of it for the counter that is written.
void write(Cpu& cpu, unsigned index, u64 value);
void write_event(Cpu& cpu, unsigned index, u64 value);
void write_inhibit(Cpu& cpu, u64 value);

// Counts what retired up to `retired`, in the mode that the state is in. Nothing to do for a past value.
void settle(HartState& s, u64 retired);
// Computes what follows from the counters' state; to be called after anything else changed it (mode, a
// snapshot).
void plan(HartState& s);
}  // namespace counters
}  // namespace hartline
