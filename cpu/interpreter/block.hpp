// Decoded basic blocks: what the interpreter executes, and the cache that finds them by physical address.
#pragma once
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "core/platform/memory.hpp"
#include "core/types.hpp"
#include "cpu/address_map.hpp"
#include "cpu/operands.hpp"

namespace hartline {

struct Context;
struct Insn;

// Why control came back to the run loop.
enum class Exit : u8 {
    Next,    // (inside a block only) go on with the next instruction
    Miss,    // (inside a handler only) the TLB does not have it: once more, the slow way
    Look,    // the block ended; Cpu::s.pc is where to go on, not in the jump cache or over the budget
    Run,     // builds without tail calls: Context::block is to be entered
    System,  // a system function did its work; Cpu::s.pc is where to go on
    Leave,   // the instruction at Context::current retired; the rest of its block must wait
    Trap,    // the instruction at Context::current did not retire; Cpu::pending
};
using Handler = Exit (*)(Context&, const Insn*);

struct Insn {
    Handler handler = nullptr;
    Operands operands;
};
static_assert(sizeof(Insn) == 16);

inline constexpr unsigned kMostInBlock = 48;

// Lies in the arena in front of its instructions (one more than `count`: the last one ends the block when no
// instruction does) and their offsets in bytes from the start (again one more: the end).
struct Block {
    static constexpr u64 kDropped = 1;  // as `paddr`, which is even: what it was decoded from has changed

    Handler entry = nullptr;  // where dispatch() enters: that of the first instruction, or a translator's
    u64 paddr = 0;
    u32 raw = 0;  // of a block of one instruction that is in no cache: its bits
    u16 count = 0;
    u16 bytes = 0;
    u32 heat = 0;     // how often it was entered, where a translator counts
    u32 trigger = 0;  // the same, since it became part of a unit that starts elsewhere
    u32 unit = 0;     // a translator's number for what it made of the block
    Insn insns[1];

    const u8* offsets() const { return reinterpret_cast<const u8*>(insns + count + 1); }
    u8* offsets() { return reinterpret_cast<u8*>(insns + count + 1); }
    // Offsets are kept in halfwords.
    u64 offset(std::size_t index) const { return u64{offsets()[index]} * 2; }
    bool overlaps(u64 at, u64 length) const { return at < paddr + bytes && paddr < at + length; }
    static std::size_t size_for(unsigned count) { return sizeof(Block) + count * sizeof(Insn) + count + 1; }
};

class BlockCache {
public:
    BlockCache();
    Block* find(u64 paddr) const {
        Block* const* const found = blocks_.find(paddr);
        return found == nullptr ? nullptr : *found;
    }
    bool has_room(unsigned count) const { return used_ + rounded_size(count) <= arena_.bytes(); }
    // Room for a block of `count` instructions in `bytes`, entered under its address (which has none yet).
    Block* add(u64 paddr, unsigned count, unsigned bytes);

    // Drops what holds any of the bytes, which are of one frame; and all that the frame has, where stores
    // to it have not been seen to be many or to come back to code. Dropped blocks stay where they are, with
    // another entry, as jumps may be remembered to lead to them.
    struct Dropped {
        bool some = false, all = false;
    };
    Dropped drop(u64 paddr, u64 bytes, Handler entry);
    void clear();

private:
    // Blocks of a frame that is written to. Its stores are slow as long as there are blocks: each time that
    // code was decoded after all of it had been dropped, the frame may take more stores between two
    // decodings.
    struct Frame {
        std::vector<Block*> blocks;
        u64 granules = 0;  // 64ths of the frame that blocks overlap
        u32 grant = 0, left = 0;
        bool dropped = false;
    };
    static u64 granules(u64 paddr, u64 bytes);
    static std::size_t rounded_size(unsigned count) {
        return (Block::size_for(count) + alignof(Block) - 1) / alignof(Block) * alignof(Block);
    }

    HostMapping arena_;
    std::size_t used_ = 0;
    AddressMap<Block*> blocks_;
    std::unordered_map<u64, Frame> by_frame_;
};
}  // namespace hartline
