// What the interpreter's handlers work on: a hart and the block that it is in.
#pragma once
#include <array>

#include "cpu/hart_engine.hpp"
#include "cpu/interpreter/block.hpp"

namespace hartline {

// Where a jump was found to lead: valid while `tag` (translation generation and fetch context) is the current
// one.
struct JumpSlot {
    u64 pc = 1;  // odd: no instruction's address
    u64 tag = 0;
    Block* block = nullptr;
};
inline constexpr std::size_t kJumpSlots = 4096;

struct Context : RunContext {
    using RunContext::RunContext;

    const Block* block = nullptr;
    u64 block_pc = 0;
    u64 jump_tag = 0;
    const Insn* current = nullptr;  // set before anything that looks at where execution is
    std::array<JumpSlot, kJumpSlots> jumps;

    static std::size_t jump_index(u64 pc) { return (pc >> 1) % kJumpSlots; }
    std::size_t current_index() const { return static_cast<std::size_t>(current - block->insns); }
    u64 current_pc() const { return block_pc + block->offset(current_index()); }
};

// HARTLINE_TAIL_CALLS is 1 where the build optimises sibling calls, so that handlers may call each other
// without end.
inline constexpr bool kTailCalls = HARTLINE_TAIL_CALLS != 0;

// Enters the block at `pc`. All instructions of a block are counted as retired when it is entered; whoever
// leaves it early takes back what did not.
[[gnu::always_inline]] inline Exit dispatch(Context& c, u64 pc) {
    const JumpSlot& slot = c.jumps[Context::jump_index(pc)];
    if (slot.pc != pc || slot.tag != c.jump_tag) [[unlikely]] {
        c.cpu.s.pc = pc;
        return Exit::Look;
    }
    const u64 after = c.cpu.s.retired + slot.block->count;
    if (after > c.limit) [[unlikely]] {
        c.cpu.s.pc = pc;
        return Exit::Look;
    }
    c.cpu.s.retired = after;
    c.block = slot.block;
    c.block_pc = pc;
    if constexpr (kTailCalls)
        return slot.block->entry(c, slot.block->insns);
    else
        return Exit::Run;
}
}  // namespace hartline
