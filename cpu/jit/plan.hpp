// Which guest instructions become a unit, and in which order.
#pragma once
#include <array>
#include <functional>
#include <vector>

#include "cpu/jit/unit.hpp"

namespace hartline::jit {

inline constexpr unsigned kMostItems = 160;
inline constexpr i32 kNowhere = 1 << 20;  // no offset in a page

inline constexpr i32 kPage = static_cast<i32>(kFrameBytes), kReach = 2 * kPage;

// How control goes on behind an instruction.
enum class Flow : u8 {
    On,        // to the following one
    Branch,    // there, or to the following one
    Jump,      // there
    Indirect,  // where a register says
    Leaves,    // the code: to another mode
    System,    // not for translated code: the interpreter goes on with it
};

// Instructions that follow one another in execution.
struct Segment {
    u32 first = 0, count = 0;  // items
    i32 next = kNowhere;       // where control goes on behind the last one, when that does not say so itself
};

struct Plan {
    std::vector<Item> items;
    std::vector<Segment> segments;
    std::array<i16, kFrameBytes> item_at;  // by halfword of the two pages: the item there, or -1
    bool crosses = false;                  // some instruction is not in the first page alone
    std::vector<i32> expected_return;      // of an indirect jump: the offset that its call comes back to

    int find(i32 offset) const {
        return offset < 0 || offset >= kReach ? -1 : item_at[static_cast<u32>(offset) / 2];
    }
};

Flow flow_of(const Item& item);
// Where a branch or jump leads, from the start of the page.
i32 target_of(const Item& item);
// Where a jump by a register leads whose AUIPC is the instruction before, from the start of the page; or
// kNowhere.
i32 fixed_target(const Item& before, const Item& jump);
// How often the block at an offset was entered; 0 when nothing is known of it.
using Heat = std::function<u32(u32 offset)>;
// The page of the first instruction, and the one behind it in the address space; null: nothing is known of
// that.
using Pages = std::array<const u8*, 2>;
// From the instruction at `start` on. No segments: it is not for translated code.
Plan make_plan(const Pages& pages, u32 start, const Heat& heat);
}  // namespace hartline::jit
