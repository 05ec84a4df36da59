// What a translating hart tells of its translator. Counting is cheap enough to be always on.
#pragma once
#include <array>
#include <string_view>

#include "core/types.hpp"

namespace hartline {

// A piece of a page of guest code.
struct CodeRange {
    u64 paddr = 0, bytes = 1;
    u64 vaddr = 0;  // of paddr, as it is to be shown
};

struct TranslatorStats {
    // Why translated code was left for the translator or the interpreter.
    enum class Exit : u8 {
        Link,       // a jump to a fixed place that was not linked yet
        Indirect,   // a jump that the jump cache did not have
        Interpret,  // the budget ends, or floating point is off
        Trap,
        Stop,    // something must be looked at: a device, an interrupt, a store to code
        Handed,  // the same two of an instruction that the interpreter's handler executed
    };
    static constexpr std::array<std::string_view, 6> kExitNames{"link", "indirect", "interpret",
                                                                "trap", "stop",     "handed"};

    u64 units = 0;         // made
    u64 instructions = 0;  // in them: of the guest
    u64 host_bytes = 0;
    u64 compile_ns = 0;
    u64 dropped = 0;    // units: their code was stored to, forgotten, or evicted
    u64 evictions = 0;  // times that a part of the cache was cleared for want of room
    u64 linked = 0;     // jumps
    u64 jump_inserts = 0;
    u64 retired = 0;  // instructions, in translated code
    u64 load_misses = 0, store_misses = 0;
    std::array<u64, kExitNames.size()> exits{};

    TranslatorStats& operator+=(const TranslatorStats& other);
};
}  // namespace hartline
