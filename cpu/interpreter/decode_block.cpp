// From memory to decoded blocks.

#include "cpu/decode.hpp"
#include "cpu/effects.hpp"
#include "cpu/interpreter/engine.hpp"
#include "cpu/interpreter/handlers.hpp"

namespace hartline {
namespace {

Insn make_insn(const Decoded& decoded, u64 offset, bool watched) {
    Insn insn{watched ? traced_handler_of(decoded.op) : handler_of(decoded.op), decoded.operands};
    if (decoded.op == Op::Illegal) return insn;
    const Effects& effects = kEffects[static_cast<std::size_t>(decoded.op)];
    if (effects.uses_pc) insn.operands.imm += static_cast<i32>(offset);
    if (insn.operands.rd == 0 && !effects.writes_f) insn.operands.rd = 32;
    return insn;
}
bool ends(Op op) { return op == Op::Illegal || ends_block(op); }
}  // namespace

const Block* InterpretingEngine::find_block(u64 pc) {
    JumpSlot& slot = c_.jumps[Context::jump_index(pc)];
    if (slot.pc == pc && slot.tag == c_.jump_tag && slot.block->paddr != Block::kDropped) return slot.block;
    const Fetched fetched = fetch(c_.cpu, pc);
    if (fetched.from == Fetched::From::Trap) return nullptr;
    if (fetched.from == Fetched::From::Halfword) return decode_single(pc, fetched);
    // Asked for once: on other threads a device may end its page's being fixed at any moment.
    const u8* const page = host_page(fetched.paddr);
    if (page == nullptr) return decode_single(pc, fetched);
    if (c_.cpu.port.parallel()) see(fetched.paddr, page);
    Block* block = blocks_.find(fetched.paddr);
    if (block == nullptr) block = decode_block(fetched.paddr, page);
    if (block == nullptr) return decode_single(pc, fetched);
    slot = {pc, c_.jump_tag, block};
    return block;
}

// Null: the first instruction straddles two pages.
Block* InterpretingEngine::decode_block(u64 paddr, const u8* host) {
    if (!blocks_.has_room(kMostInBlock)) forget_blocks();
    const std::lock_guard lock(seen_->mutex);
    const u8* const page = page_of_code(paddr, host);
    Insn insns[kMostInBlock];
    u8 offsets[kMostInBlock + 1];
    const u64 start = paddr % kFrameBytes;
    u64 at = start;
    unsigned count = 0;
    bool ended = false;
    while (count < kMostInBlock && at + 2 <= kFrameBytes && !ended) {
        u32 word = 0;
        if (!instruction_in(page, at, word)) break;
        const Decoded decoded = decode(word);
        offsets[count] = static_cast<u8>((at - start) / 2);
        insns[count++] = make_insn(decoded, at - start, watched());
        ended = ends(decoded.op);
        at += decoded.length;
    }
    if (count == 0) return nullptr;
    note_code(paddr);
    Block* const block = blocks_.add(paddr, count, static_cast<unsigned>(at - start));
    std::copy(insns, insns + count, block->insns);
    block->insns[count] = {end_of_block_handler(), {}};
    block->entry = entry_handler_ != nullptr && !watched() ? entry_handler_ : insns[0].handler;
    offsets[count] = static_cast<u8>((at - start) / 2);
    std::copy(offsets, offsets + count + 1, block->offsets());
    block_made(*block);
    return block;
}

// Stores to the frame are noticed from now on.
void InterpretingEngine::note_code(u64 paddr) {
    if (!c_.cpu.ram.contains(paddr, 1)) return;  // a device's tells by itself
    const u64 frame = c_.cpu.ram.frame_of(paddr);
    if (!c_.cpu.port.parallel() && (c_.cpu.ram.marks(frame) & Ram::kCode) == 0)
        c_.cpu.port.code_decoded(frame);
}

// One instruction, for once.
const Block* InterpretingEngine::decode_single(u64 pc, const Fetched& fetched) {
    u32 word = 0;
    if (!fetch_rest(c_.cpu, pc, fetched, word)) return nullptr;
    const Decoded decoded = decode(word);
    auto* const block = new (scratch_.data()) Block{};
    block->paddr = fetched.paddr;
    block->raw = word;
    block->count = 1;
    block->bytes = decoded.length;
    block->insns[0] = make_insn(decoded, 0, watched());
    block->entry = block->insns[0].handler;
    block->insns[1] = {end_of_block_handler(), {}};
    block->offsets()[0] = 0;
    block->offsets()[1] = static_cast<u8>(decoded.length / 2);
    return block;
}

const Block* InterpretingEngine::shortened(const Block* block, unsigned count) {
    auto* const copy = new (scratch_.data()) Block{};
    copy->paddr = block->paddr;
    copy->count = static_cast<u16>(count);
    copy->bytes = static_cast<u16>(block->offset(count));
    std::copy(block->insns, block->insns + count, copy->insns);
    copy->entry = copy->insns[0].handler;
    copy->insns[count] = {end_of_block_handler(), {}};
    std::copy(block->offsets(), block->offsets() + count + 1, copy->offsets());
    return copy;
}

u32 InterpretingEngine::instruction_bits() const {
    if (c_.block->raw != 0) return c_.block->raw;
    const u64 paddr = c_.block->paddr + c_.block->offset(c_.current_index());
    return code_at(c_.cpu, paddr);
}
}  // namespace hartline
