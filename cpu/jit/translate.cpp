// Making units, linking them, and dropping them.
#include <algorithm>
#include <chrono>

#include "cpu/jit/dump.hpp"
#include "cpu/jit/emitter.hpp"
#include "cpu/jit/engine.hpp"
#include "cpu/translation_listener.hpp"

namespace hartline::jit {
namespace {
constexpr std::size_t kRoomForUnit = 64 << 10;

// Adds the time that it lived to a sum.
class Stopwatch {
public:
    explicit Stopwatch(u64& sum_ns) : sum_ns_(sum_ns) {}
    ~Stopwatch() {
        sum_ns_ +=
            static_cast<u64>((std::chrono::steady_clock::now() - started_) / std::chrono::nanoseconds(1));
    }
    Stopwatch(const Stopwatch&) = delete;
    Stopwatch& operator=(const Stopwatch&) = delete;

private:
    u64& sum_ns_;
    const std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
};
}  // namespace

const Unit* Engine::unit_at(u64 paddr) const {
    const Block* const block = known_block(paddr);
    return block == nullptr || block->unit == 0 ? nullptr : units_[block->unit].get();
}

void Engine::translate(Block& block) {
    const Stopwatch watch(c_.stats.compile_ns);
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
    make_room();
    if (plan.segments.empty() || !install(block, plan, frames)) block.entry = block.insns[0].handler;
}

// Blocks that the unit contains are on the way to units of their own, and need none if they are only met on
// its ways: they count from the start.
void Engine::cover(const Plan& plan, const std::array<u64, 2>& frames) {
    for (const Item& item : plan.items) {
        const u64 paddr = frames[item.offset >= kPage] + static_cast<u64>(item.offset % kPage);
        if (Block* const block = known_block(paddr)) block->trigger = 0;
    }
}

bool Engine::install(Block& block, const Plan& plan, const std::array<u64, 2>& frames) {
    const auto begin = static_cast<u32>(cache_.used());
    const u32 number = new_number();
    Emitter emitter(c_, stubs_, plan, {cache_.base() + begin, begin, link_number(number), frames});
    Emitter::Result made;
    if (!emitter.emit(made) || !cache_.has_room(made.bytes) || made.links.size() > kMostLinks) {
        free_numbers_.push_back(number);
        return false;
    }
    emitter.code().copyFlattenedData(cache_.writable(begin), made.bytes);
    cache_.take(made.bytes);
    auto unit = std::make_unique<Unit>();
    unit->paddr = block.paddr;
    unit->frames = frames;
    unit->number = number;
    unit->begin = begin;
    unit->near_entry = made.near_entry;
    unit->far_entry = made.far_entry;
    unit->charge = plan.items[0].remaining;
    unit->items = plan.items;
    unit->end = begin + static_cast<u32>(made.bytes);
    unit->crossing = std::move(made.crossing);
    unit->sites = std::move(made.sites);
    unit->pieces = std::move(made.pieces);
    unit->handed = std::move(made.handed);
    unit->links = std::move(made.links);
    for (const Link& link : unit->links) cache_.point(link.jump, link.stub);
    block.unit = unit->number;
    block.entry = run_unit;
    ++c_.stats.units;
    c_.stats.instructions += unit->items.size();
    c_.stats.host_bytes += made.bytes;
    cover(plan, frames);
    by_frame_[frames[0]].push_back(number);
    if (plan.crosses) {
        by_frame_[frames[1]].push_back(number);
        note_code(frames[1]);
    }
    if (TranslationListener* const listener = c_.cpu.config.listener)
        listener->translated({.hart = c_.cpu.number,
                              .vaddr = c_.block_pc,
                              .paddr = block.paddr,
                              .code = cache_.base() + begin,
                              .bytes = made.bytes});
    places_[cache_.part()].push_back({begin, number, unit.get()});
    units_[number] = std::move(unit);
    return true;
}

std::string Engine::translations_of(const CodeRange& range) const {
    const auto found = by_frame_.find(range.paddr & ~kPageMask);
    if (found == by_frame_.end()) return "";
    std::string text;
    HostText host(c_, stubs_);
    for (const u32 number : found->second) {
        const Unit& unit = *units_[number];
        if (!unit.overlaps(range.paddr, range.bytes)) continue;
        const bool behind = unit.frames[0] != found->first;  // the unit begins in the page before
        const HostText::Code code{cache_.code(unit.begin), cache_.base() + unit.begin, unit.end - unit.begin};
        text +=
            describe_unit(unit, code, (range.vaddr & ~kPageMask) - (behind ? kFrameBytes : 0), host) + "\n";
    }
    return text;
}

u32 Engine::new_number() {
    if (free_numbers_.empty()) {
        units_.emplace_back();
        return static_cast<u32>(units_.size() - 1);
    }
    const u32 number = free_numbers_.back();
    free_numbers_.pop_back();
    return number;
}

// Nothing leads to the unit any more: those who remember its far entry are sent the long way.
void Engine::drop(u32 number) {
    Unit& unit = *units_[number];
    for (const u32 at : unit.incoming) {
        Link& from = link(at);
        from.to = 0;
        cache_.point(from.jump, from.stub);
    }
    for (u32 i = 0; i < unit.links.size(); ++i)
        if (const u32 to = unit.links[i].to; to != 0 && to != number)
            std::erase(units_[to]->incoming, link_number(number) + i);
    for (const u64 frame : unit.frames) {
        const auto found = by_frame_.find(frame);
        if (found == by_frame_.end()) continue;
        std::erase(found->second, number);
        if (found->second.empty()) by_frame_.erase(found);
    }
    cache_.put_jump(unit.far_entry, stubs_.leave_indirect);
    if (Block* const block = known_block(unit.paddr); block != nullptr && block->unit == number) cool(*block);
    ++c_.stats.dropped;
    dropped_.push_back(std::move(units_[number]));
}

void Engine::cool(Block& block) {
    block.unit = 0;
    block.heat = block.trigger = 0;
    block.entry = count_entry;
}

// May be called while one of the frame's units is under way: its store ends it.
bool Engine::code_changed(u64 paddr, u64 bytes) {
    const bool held = InterpretingEngine::code_changed(paddr, bytes);
    const auto found = by_frame_.find(paddr & ~kPageMask);
    if (found == by_frame_.end()) return held;
    std::vector<u32> stale;
    std::copy_if(found->second.begin(), found->second.end(), std::back_inserter(stale), [&](u32 number) {
        const Unit& unit = *units_[number];
        return !held || known_block(unit.paddr) == nullptr || unit.overlaps(paddr, bytes);
    });
    for (const u32 number : stale) drop(number);
    if (!stale.empty()) c_.leave = true;
    return held;
}

// No unit is under way.
void Engine::make_room() {
    if (cache_.has_room(kRoomForUnit) && (!free_numbers_.empty() || units_.size() <= kMostUnits)) return;
    const unsigned next = (cache_.part() + 1) % CodeCache::kParts;
    if (!places_[next].empty()) ++c_.stats.evictions;
    evict(next);
    cache_.begin_part(next);
}

// Drops the units of a part. Numbers are free again only now: until here places_ needs them.
void Engine::evict(unsigned part) {
    if (places_[part].empty()) return;
    for (const Place& place : places_[part]) {
        free_numbers_.push_back(place.number);
        const Unit* const unit = units_[place.number].get();
        if (unit != place.unit) continue;
        drop(place.number);
    }
    places_[part].clear();
    context_changed();
}

void Engine::drop_all() {
    for (unsigned part = 0; part < CodeCache::kParts; ++part) evict(part);
    cache_.begin_part(0);
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
