// Making units, linking them, and dropping them.
#include <algorithm>

#include "cpu/jit/emitter.hpp"
#include "cpu/jit/engine.hpp"

namespace hartline::jit {
namespace {
constexpr u64 kPageMask = kFrameBytes - 1;
constexpr std::size_t kRoomForUnit = 64 << 10;
}  // namespace

const Unit* Engine::unit_at(u64 paddr) const {
    const Block* const block = known_block(paddr);
    return block == nullptr || block->unit == 0 ? nullptr : units_[block->unit].get();
}

void Engine::translate(Block& block) {
    std::array<u64, 2> frames{block.paddr & ~kPageMask, 0};
    Pages pages{page_of_code(frames[0]), nullptr};
    // The following page counts when it was fetched from lately: a walk for it could leave traces.
    const u64 next = (c_.block_pc & ~kPageMask) + kFrameBytes;
    if (c_.cpu.tlb.tag(Access::Fetch, next) == Tlb::key(next, 1, c_.cpu.fetch_context)) {
        frames[1] = c_.cpu.tlb.frame(Access::Fetch, next) << kFrameShift;
        pages[1] = page_of_code(frames[1]);
    }
    const Heat heat = [&](u32 offset) -> u32 {
        const Block* const known = known_block(frames[offset / kFrameBytes] + offset % kFrameBytes);
        return known == nullptr ? 0 : known->heat;
    };
    const Plan plan = make_plan(pages, static_cast<u32>(block.paddr & kPageMask), heat);
    if (!cache_.has_room(kRoomForUnit)) drop_all();
    if (plan.segments.empty() || !install(block, plan, frames)) block.entry = block.insns[0].handler;
}

bool Engine::install(Block& block, const Plan& plan, const std::array<u64, 2>& frames) {
    const auto begin = static_cast<u32>(cache_.used());
    Emitter emitter(c_, stubs_, plan,
                    {cache_.base() + begin, begin, static_cast<u32>(links_.size()), frames});
    Emitter::Result made;
    if (!emitter.emit(made) || !cache_.has_room(made.bytes)) return false;
    emitter.code().copyFlattenedData(cache_.writable(begin), made.bytes);
    cache_.take(made.bytes);
    auto unit = std::make_unique<Unit>();
    unit->paddr = block.paddr;
    unit->frames = frames;
    unit->number = static_cast<u32>(units_.size());
    unit->begin = begin;
    unit->near_entry = made.near_entry;
    unit->far_entry = made.far_entry;
    unit->charge = plan.items[0].remaining;
    unit->items = plan.items;
    unit->crossing = std::move(made.crossing);
    unit->sites = std::move(made.sites);
    unit->handed = std::move(made.handed);
    for (Link& link : made.links) {
        link.from = unit->number;
        unit->links.push_back(static_cast<u32>(links_.size()));
        links_.push_back(link);
        cache_.point(link.jump, link.stub);
    }
    block.unit = unit->number;
    block.entry = run_unit;
    by_frame_[frames[0]].push_back(unit->number);
    if (plan.crosses) {
        by_frame_[frames[1]].push_back(unit->number);
        note_code(frames[1]);
    }
    places_.push_back({begin, unit.get()});
    units_.push_back(std::move(unit));
    return true;
}

// Nothing leads to the unit any more: those who remember its far entry are sent the long way.
void Engine::drop(u32 number) {
    if (units_[number] == nullptr) return;  // with the other one of its frames
    Unit& unit = *units_[number];
    for (const u32 at : unit.incoming) {
        Link& link = links_[at];
        if (link.to != number) continue;
        link.to = 0;
        cache_.point(link.jump, link.stub);
    }
    for (const u32 at : unit.links) {
        const u32 to = links_[at].to;
        if (to != 0 && to != number) std::erase(units_[to]->incoming, at);
    }
    cache_.put_jump(unit.far_entry, stubs_.leave_indirect);
    if (Block* const block = known_block(unit.paddr); block != nullptr && block->unit == number) cool(*block);
    dropped_.push_back(std::move(units_[number]));
}

void Engine::cool(Block& block) {
    block.unit = 0;
    block.heat = 0;
    block.entry = count_entry;
}

// May be called while one of the frame's units is under way: its store ends it.
bool Engine::code_changed(u64 paddr, u64 bytes) {
    const bool held = InterpretingEngine::code_changed(paddr, bytes);
    const auto found = by_frame_.find(paddr & ~kPageMask);
    if (found == by_frame_.end()) return held;
    const std::size_t dropped = std::erase_if(found->second, [&](u32 number) {
        if (units_[number] == nullptr) return true;  // with the other one of its frames
        const Unit& unit = *units_[number];
        if (held && known_block(unit.paddr) != nullptr && !unit.overlaps(paddr, bytes)) return false;
        drop(number);
        return true;
    });
    if (dropped != 0) c_.leave = true;
    if (found->second.empty()) by_frame_.erase(found);
    return held;
}

void Engine::drop_all() {
    for (const std::unique_ptr<Unit>& unit : units_) {
        if (unit == nullptr) continue;
        if (Block* const block = known_block(unit->paddr); block != nullptr) cool(*block);
    }
    units_.clear();
    units_.emplace_back();
    links_.clear();
    by_frame_.clear();
    places_.clear();
    dropped_.clear();
    cache_.drop_from(first_unit_at_);
    context_changed();
}

void Engine::forget_code() {
    drop_all();
    InterpretingEngine::forget_code();
}

void Engine::context_changed() {
    if ((++generation_ & 0xff'ffff) == 0)
        for (JumpEntry& entry : c_.jump_entries) entry = {};
    c_.jump_tag32 = generation_ << 8 | static_cast<u32>(c_.cpu.fetch_context >> 4);
    InterpretingEngine::context_changed();
}
}  // namespace hartline::jit
