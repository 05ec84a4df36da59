// Making units, linking them, and dropping them.
#include <algorithm>
#include <chrono>

#include "cpu/jit/dump.hpp"
#include "cpu/jit/emitter.hpp"
#include "cpu/jit/engine.hpp"
#include "cpu/translation_listener.hpp"

namespace hartline::jit {
namespace {
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

void Engine::translate(Block& block) {
    const std::lock_guard lock(cache_.mutex);
    if (adopt(block)) return;
    const Stopwatch watch(c_.stats.compile_ns);
    std::array<u64, 2> frames{block.paddr & ~kPageMask, 0};
    Pages pages{page_of_code(frames[0], host_page(frames[0])), nullptr};
    if (pages[0] == nullptr) {  // a device's, which is not fixed any more
        block.trigger = 0;
        return;
    }
    // The following page counts when it was fetched from lately: a walk for it could leave traces.
    const u64 next = (c_.block_pc & ~kPageMask) + kFrameBytes;
    if (c_.cpu.tlb.tag(Access::Fetch, next) == Tlb::key(next, 1, c_.cpu.fetch_context)) {
        frames[1] = c_.cpu.tlb.frame(Access::Fetch, next) << kFrameShift;
        pages[1] = page_of_code(frames[1], host_page(frames[1]));
    }
    const Heat heat = [&](u32 offset) -> u32 {
        const u64 paddr = frames[offset / kFrameBytes] + offset % kFrameBytes;
        const Block* const known = known_block(paddr);
        const Unit* const unit = cache_.find(paddr);
        return std::max(known == nullptr ? 0 : known->heat, unit == nullptr ? 0 : unit->heat);
    };
    const Plan plan = make_plan(pages, static_cast<u32>(block.paddr & kPageMask), heat);
    if (!make_room()) {
        block.trigger = 0;
        return;
    }
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
    CodeCache& code = cache_.code();
    const auto begin = static_cast<u32>(code.used());
    const u32 number = cache_.new_number();
    Emitter emitter(c_, cache_.stubs(), plan, {code.base() + begin, begin, number, frames});
    Emitter::Result made;
    if (!emitter.emit(made) || !code.has_room(made.bytes) || made.links.size() > kMostLinks) {
        cache_.give_back(number);
        return false;
    }
    emitter.code().copyFlattenedData(code.writable(begin), made.bytes);
    code.take(made.bytes);
    auto unit = std::make_unique<Unit>();
    unit->paddr = block.paddr;
    unit->frames = {frames[0], plan.crosses ? frames[1] : 0};
    unit->number = number;
    unit->begin = begin;
    unit->near_entry = made.near_entry;
    unit->far_entry = made.far_entry;
    unit->charge = plan.items[0].remaining;
    unit->heat = block.heat;
    unit->items = plan.items;
    unit->end = begin + static_cast<u32>(made.bytes);
    unit->sites = std::move(made.sites);
    unit->pieces = std::move(made.pieces);
    unit->handed = std::move(made.handed);
    unit->links = std::move(made.links);
    block.unit = unit->number;
    block.entry = run_unit;
    ++c_.stats.units;
    c_.stats.instructions += unit->items.size();
    c_.stats.host_bytes += made.bytes;
    cover(plan, frames);
    if (plan.crosses) note_code(frames[1]);
    if (TranslationListener* const listener = c_.cpu.config.listener)
        listener->translated({.hart = c_.cpu.number,
                              .vaddr = c_.block_pc,
                              .paddr = block.paddr,
                              .code = code.base() + begin,
                              .bytes = made.bytes});
    cache_.add(std::move(unit));
    return true;
}

std::string Engine::translations_of(const CodeRange& range) const {
    std::string text;
    const std::lock_guard lock(cache_.mutex);
    const CodeCache& cache = cache_.code();
    HostText host(c_, cache_.stubs());
    const u64 frame = range.paddr & ~kPageMask;
    for (const Unit* const unit : cache_.units_of(frame)) {
        if (!unit->overlaps(range.paddr, range.bytes)) continue;
        const bool behind = unit->frames[0] != frame;  // the unit begins in the page before
        const HostText::Code code{cache.code(unit->begin), cache.base() + unit->begin,
                                  unit->end - unit->begin};
        text +=
            describe_unit(*unit, code, (range.vaddr & ~kPageMask) - (behind ? kFrameBytes : 0), host) + "\n";
    }
    return text;
}

const Unit* Engine::unit_of(Block& block) const {
    if (block.unit == 0) return nullptr;
    const Unit* const unit = cache_.unit(block.unit);
    if (unit != nullptr && !unit->dropped && unit->paddr == block.paddr) return unit;
    block.unit = 0;
    block.heat = block.trigger = 0;
    block.entry = count_entry;
    return nullptr;
}

bool Engine::adopt(Block& block) const {
    const Unit* const unit = watched() ? nullptr : cache_.find(block.paddr);
    if (unit == nullptr) return false;
    block.unit = unit->number;
    block.entry = run_unit;
    return true;
}

bool Engine::make_room() {
    const TranslationCache::Room room = cache_.make_room(here_);
    c_.stats.dropped += room.dropped;
    c_.stats.evictions += room.evicted;
    follow_epoch();
    return room.made;
}

// Some code is gone since the hart was here: it forgets where jumps lead.
void Engine::follow_epoch() {
    if (here_.epoch == epoch_) return;
    epoch_ = here_.epoch;
    context_changed();
}

// May be called while one of the frame's units is under way: its store ends it.
bool Engine::code_changed(u64 paddr, u64 bytes) {
    const bool held = InterpretingEngine::code_changed(paddr, bytes);
    const std::lock_guard lock(cache_.mutex);
    const u64 dropped = cache_.drop(paddr, bytes, !held);
    c_.stats.dropped += dropped;
    if (dropped != 0) c_.leave = true;
    return held;
}

void Engine::code_replaced(u64 paddr, u64 bytes) { c_.stats.dropped += cache_.drop(paddr, bytes, false); }

void Engine::forget_code() {
    {
        const std::lock_guard lock(cache_.mutex);
        c_.stats.dropped += cache_.drop_all();
    }
    InterpretingEngine::forget_code();
}

void Engine::context_changed() {
    ++generation_;
    if (generation_ % generations(kJumpEntries) == 0) forget_jumps();
    if (generation_ % generations(kFarKeys) == 0 && !c_.cpu.port.parallel()) cache_.forget_far();
    if (generation_ << kTagContextBits == 0) c_.crossings.fill({});
    InterpretingEngine::context_changed();
    set_jump_tags();
}
}  // namespace hartline::jit
