// What translated code works on: a hart as the interpreter knows it, and the translator's own cells beside
// it.
#pragma once
#include <exception>

#include "cpu/fp/fp.hpp"
#include "cpu/interpreter/context.hpp"

namespace hartline::jit {

class Engine;

// Where a jump was found to lead in translated code. The entry is chosen by bits 1 to 12 of the address ^
// JitContext::jump_key, so that one compare says whether it is the address, and whether what was found still
// holds: under another key the same address has another entry. What an entry held before is kept beside it,
// and takes its place again when it is asked for.
struct JumpEntry {
    static constexpr u64 kNowhere = 1;  // no instruction's address

    u64 pc = kNowhere;
    u64 code = 0;  // executable address of the far entry; of an empty one: of what finds the way
};
inline constexpr std::size_t kJumpEntries = 4096;
inline constexpr u32 kFarKeys = 2048;
// A jump tag is the fetch context's number in so many bits, and the generation above them. Keys have the
// lowest bits of it: when these come up again, what they were the keys of is forgotten.
inline constexpr unsigned kTagContextBits = 8;
constexpr u32 generations(u32 keys) { return keys >> kTagContextBits; }
// Of a unit that goes on in the following page: when that page was last known to be where the unit takes it
// to be.
struct CrossingEntry {
    u64 page = 1;  // JitContext::page then
    u32 tag = 0;   // and jump_tag32
    u32 unit = 0;
};
inline constexpr std::size_t kCrossingEntries = 1024;  // a unit's: its number modulo this
inline constexpr unsigned kBudgetShift = 16;           // of JitContext::left

// Why translated code was left.
enum class Leave : u32 {
    Link,        // at a Link (its number: leave_detail)
    Indirect,    // to leave_pc, which the jump cache does not have
    Interpret,   // leave_pc is to be interpreted, at least one instruction
    Trap,        // the instruction of `site` did not retire; Cpu::pending
    Stop,        // the instruction of `site` retired; the rest must wait
    StopLoaded,  // the same, but its value (`loaded`) has not reached its register
    HandedTrap,  // the same two of an instruction that was handed to the interpreter, with `handed`
    HandedStop,
    Settled,  // all is done: run() is to be returned to
};

inline constexpr u32 kMxcsrFlags = 0x3f;
// MXCSR's flags are invalid, denormal, divide by zero, overflow, underflow, inexact from bit 0 on; fflags has
// them the other way, without the second.
constexpr std::array<u8, 64> fflags_of_mxcsr() {
    std::array<u8, 64> flags{};
    for (u64 i = 0; i < flags.size(); ++i)
        flags[i] =
            static_cast<u8>(bit(i, 5) | bit(i, 4) << 1 | bit(i, 3) << 2 | bit(i, 2) << 3 | bit(i, 0) << 4);
    return flags;
}
inline constexpr u32 kMxcsrDefault = 0x1f80;  // all exceptions masked

// Operands in memory for the host's vector instructions.
struct FloatConstants {
    alignas(16) u64 sign_s[2] = {0x8000'0000, 0};
    u64 sign_d[2] = {u64{1} << 63, 0};
    u64 magnitude_s[2] = {0x7fff'ffff, 0};
    u64 magnitude_d[2] = {~u64{0} >> 1, 0};
    u64 box[2] = {~u64{0} << 32, 0};
    std::array<u8, 64> fflags = fflags_of_mxcsr();
    u64 nan_s = fp::kCanonicalNanS, nan_d = fp::kCanonicalNanD;
};

struct JitContext : Context {
    using Context::Context;

    // Of the code under way. What is left of the budget is in the upper 48 bits; see registers.hpp for the
    // others.
    u64 left = 0;
    u64 limit_at_entry = 0;  // value of s.retired at which `left` would be zero
    u64 page = 0;            // virtual address of the page that the code is of
    u64 site = 0;            // return address of the call under way, 0 when there is none
    u64 leave_pc = 0;
    u64 loaded = 0;
    u32 leave_detail = 0;
    u32 jump_tag32 = 0;
    u64 jump_key = 0;    // jump_tag32's lowest bits, in an address's bits 1 to 12
    u64 far_key = 1;     // the same in bits 1 to 11, and bit 0: no page ^ far_key is Link::kNoPage
    u32 far_misses = 0;  // of jumps to other pages: how many more until one is linked anew
    u64 code_base = 0;   // executable address of the cache's start
    // Floating point: does the host's control register hold the guest's rounding mode and new flags?
    u8 fp_live = 0;
    u32 mxcsr_clear = 0;                  // the guest's without flags
    u32 mxcsr_guest = 0, mxcsr_host = 0;  // while they are put away; the guest's gathers flags
    FloatConstants floats;
    std::exception_ptr failure;  // of the host, in what translated code called
    Engine* engine = nullptr;
    TranslatorStats stats;
    std::array<JumpEntry, kJumpEntries> jump_entries, jumps_before;
    std::array<CrossingEntry, kCrossingEntries> crossings;

    std::size_t jump_index(u64 pc) const { return ((pc ^ jump_key) >> 1) % kJumpEntries; }
};
}  // namespace hartline::jit
