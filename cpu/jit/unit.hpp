// What the translator makes: units of host code, each from guest instructions of one frame, and their table.
//
// A unit is the code for a piece of a page's control flow: segments of guest instructions that follow one
// another, joined by branches. It knows no virtual address (only offsets within its page), so that every
// address space and process that maps the frame runs the same unit.
#pragma once
#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "cpu/decode.hpp"
#include "cpu/interpreter/block.hpp"

namespace hartline::jit {

inline constexpr u64 kPageMask = kFrameBytes - 1;

// One guest instruction of a unit.
struct Item {
    Decoded decoded;
    u32 word = 0;
    i16 offset = 0;     // in bytes from the start of the page
    u16 remaining = 0;  // instructions from this one to the end of its segment, itself included
};

// A call from translated code that may fault or look at the time: which instruction it belongs to.
struct Site {
    u32 after;  // the return address, in bytes from the start of the cache
    u16 item;
};

// Host code of one guest instruction, up to the next piece.
struct Piece {
    static constexpr u16 kEntry = 0xffff, kCells = 0xfffe;  // of none: the way in; what is not code

    u32 begin;  // in bytes from the start of the unit
    u16 item;
    bool cold;  // behind the main path
};

// A jump to a fixed place: to the stub that asks for the place, or to its unit. Where a place of another page
// is depends on the address space: that jump is taken when the cell before it (an inline cache of one entry)
// tells that page and space are those that it was linked for. Links are numbered: see link_number().
struct Link {
    u32 jump = 0;    // where the jump's displacement is, in bytes from the start of the cache
    u32 stub = 0;    // what it points to while it is not linked
    u32 to = 0;      // unit that it is linked to; 0: none
    u32 cell = 0;    // of a jump to another page: where JitContext::page ^ far_key is, or kNoPage
    u64 frame = 0;   // of the target; unused with a cell
    i32 offset = 0;  // of the target, from the start of its page; with a cell: of the jump's own

    static constexpr u64 kNoPage = 0;
};

// An instruction that the interpreter's handler executes on behalf of translated code, as a block of its own.
struct Handed {
    u32 item = 0;
    i32 offset = 0;
    u16 remaining = 0;
    bool uses_fp = false;  // the unit relies on FS and frm
    bool leaves = false;   // no code follows
    // Set when all of it is there. Who comes by code sees that anyway: x86-64 keeps the order of stores, of
    // which the jump to the unit is the last; but C++ does not know of that one.
    std::atomic<bool> made{false};
    alignas(8) u8 block[sizeof(Block) + sizeof(Insn) + 8] = {};
};

// Of the unit's first link; the others follow.
inline constexpr u32 kMostLinks = 1 << 10;
constexpr u32 link_number(u32 unit) { return unit * kMostLinks; }
inline constexpr u32 kMostUnits = ~u32{0} / kMostLinks;

struct alignas(64) Unit {  // what a jump to it looks at is in one cache line of the host
    u64 paddr = 0;
    std::array<u64, 2> frames{};  // of its page, and of the following one where it goes on there
    u32 number = 0;
    u32 begin = 0, end = 0;  // in bytes from the start of the cache
    u32 near_entry = 0;      // the page's virtual address is known to the code (JitContext::page)
    u32 far_entry = 0;       // the address of the first instruction is in rax
    u16 charge = 0;          // what its first segment takes from the budget at once
    u32 heat = 0;            // of the block that it was made for, then
    std::atomic<bool> dropped{false};
    std::vector<Item> items;
    std::vector<Site> sites;    // by `after`
    std::vector<Piece> pieces;  // by `begin`
    std::vector<Link> links;    // of its own
    std::vector<u32> incoming;  // links to it, by number
    std::vector<std::unique_ptr<Handed>> handed;

    bool overlaps(u64 at, u64 length) const {
        const auto half = [&](i32 offset) {
            const u64 begin =
                frames[offset >= static_cast<i32>(kFrameBytes)] + static_cast<u64>(offset) % kFrameBytes;
            return at < begin + 2 && begin < at + length;
        };
        return std::any_of(items.begin(), items.end(), [&](const Item& item) {
            return half(item.offset) || (item.decoded.length == 4 && half(item.offset + 2));
        });
    }
};
}  // namespace hartline::jit
