// Finding units, linking them, dropping them, and making room.
#include "cpu/jit/translation_cache.hpp"

namespace hartline::jit {
namespace {
constexpr std::size_t kRoomForUnit = 64 << 10;
}

TranslationCache::TranslationCache(std::size_t code_bytes, bool shared)
    : SeenCode(shared), code_(code_bytes), slots_((std::size_t{kMostUnits} + 1) * sizeof(Unit*)) {}

// All contexts are laid out alike.
void TranslationCache::join(Presence& hart, const JitContext& context) {
    if (stubs_.enter == 0) {
        stubs_ = make_stubs(code_, context);
        code_.begin_parts();
    }
    harts_.push_back(&hart);
}

// Whoever empties a part counts the epoch first, and looks at the harts then.
void TranslationCache::arrive(Presence& hart) const {
    do hart.epoch = epoch_.load();
    while (hart.epoch != epoch_);
}

const Unit* TranslationCache::find(u64 paddr) const {
    const Entry* const found = by_paddr_.find(paddr);
    return found == nullptr ? nullptr : unit(found->number);
}

u32 TranslationCache::far_entry_of(u64 paddr) const {
    const Entry* const found = by_paddr_.find(paddr);
    return found == nullptr ? 0 : found->far_entry;
}

const Unit& TranslationCache::unit_of_code(u32 offset) const {
    const auto& units = parts_[code_.part_of(offset)].units;
    const auto above =
        std::lower_bound(units.begin(), units.end(), offset,
                         [](const std::unique_ptr<Unit>& unit, u32 at) { return unit->begin < at; });
    return **(above - 1);
}

std::vector<const Unit*> TranslationCache::units_of(u64 frame) const {
    std::vector<const Unit*> units;
    const auto found = by_frame_.find(frame);
    if (found == by_frame_.end()) return units;
    for (const u32 number : found->second) units.push_back(unit(number));
    return units;
}

u32 TranslationCache::new_number() {
    if (free_numbers_.empty()) return next_number_++;
    const u32 number = free_numbers_.back();
    free_numbers_.pop_back();
    return number;
}

void TranslationCache::add(std::unique_ptr<Unit> unit) {
    for (const Link& link : unit->links) code_.point(link.jump, link.stub);
    by_paddr_.put(unit->paddr, {unit->number, unit->far_entry});
    by_frame_[unit->frames[0]].push_back(unit->number);
    if (unit->frames[1] != 0 && unit->frames[1] != unit->frames[0])
        by_frame_[unit->frames[1]].push_back(unit->number);
    for (const auto& handed : unit->handed) handed->made.store(true, std::memory_order_release);
    slot(unit->number).store(unit.get(), std::memory_order_release);
    parts_[code_.part()].units.push_back(std::move(unit));
}

// Another hart may have done it meanwhile.
void TranslationCache::connect(u32 number, const Unit& to) {
    Link& from = link_of(number);
    if (from.to != 0 || unit(number / kMostLinks)->dropped) return;
    from.to = to.number;
    slot(to.number).load()->incoming.push_back(number);
    code_.point(from.jump, to.near_entry);
}

void TranslationCache::connect(u32 number, const Unit& to, u64 page) {
    Link& from = link_of(number);
    if (from.to != 0 && from.to != to.number) disconnect(number);
    connect(number, to);
    if (from.to == 0) return;
    code_.put(from.cell, page);
    far_links_.push_back(number);
}

void TranslationCache::forget_far() {
    for (const u32 number : far_links_) {
        // The number may be another unit's by now.
        const Unit* const from = unit(number / kMostLinks);
        const u32 index = number % kMostLinks;
        if (from == nullptr || index >= from->links.size()) continue;
        if (const u32 cell = from->links[index].cell) code_.put(cell, Link::kNoPage);
    }
    far_links_.clear();
}

void TranslationCache::disconnect(u32 number) {
    Link& from = link_of(number);
    std::erase(slot(from.to).load()->incoming, number);
    from.to = 0;
    if (from.cell != 0) code_.put(from.cell, Link::kNoPage);
    code_.point(from.jump, from.stub);
}

// Nothing leads to the unit any more, nor from it: those who remember its far entry are sent the long way.
void TranslationCache::drop(Unit& unit) {
    while (!unit.incoming.empty()) disconnect(unit.incoming.back());
    for (u32 i = 0; i < unit.links.size(); ++i)
        if (unit.links[i].to != 0) disconnect(link_number(unit.number) + i);
    for (const u64 frame : unit.frames) {
        const auto found = by_frame_.find(frame);
        if (found == by_frame_.end()) continue;
        std::erase(found->second, unit.number);
        if (found->second.empty()) by_frame_.erase(found);
    }
    by_paddr_.erase(unit.paddr);
    code_.put_jump(unit.far_entry, stubs_.leave_indirect);
    unit.dropped = true;
}

u64 TranslationCache::drop(u64 paddr, u64 bytes, bool all) {
    const auto found = by_frame_.find(paddr & ~kPageMask);
    if (found == by_frame_.end()) return 0;
    std::vector<u32> stale;
    std::copy_if(found->second.begin(), found->second.end(), std::back_inserter(stale),
                 [&](u32 number) { return all || unit(number)->overlaps(paddr, bytes); });
    for (const u32 number : stale) drop(*slot(number).load());
    return stale.size();
}

u64 TranslationCache::drop_all() {
    u64 dropped = 0;
    if (!parts_[code_.part()].units.empty()) code_.end_part();
    for (Part& part : parts_) dropped += condemn(part);
    return dropped;
}

// Nothing is added to the part before it is emptied.
u64 TranslationCache::condemn(Part& part) {
    if (part.units.empty() || part.condemned != 0) return 0;
    u64 dropped = 0;
    for (const std::unique_ptr<Unit>& unit : part.units) {
        if (unit->dropped) continue;
        drop(*unit);
        ++dropped;
    }
    part.condemned = ++epoch_;
    return dropped;
}

TranslationCache::Room TranslationCache::make_room(Presence& caller) {
    const bool numbers = !free_numbers_.empty() || next_number_ <= kMostUnits;
    if (code_.has_room(kRoomForUnit) && numbers) return {.made = true};
    const unsigned next = (code_.part() + 1) % CodeCache::kParts;
    Part& part = parts_[next];
    Room room;
    if (!part.units.empty()) {
        room.evicted = part.condemned == 0;
        room.dropped = condemn(part);
        caller.epoch = epoch_.load();
        const u64 since = std::max(part.condemned, looked_at_until_);
        if (std::any_of(harts_.begin(), harts_.end(),
                        [&](const Presence* hart) { return hart->epoch < since; }))
            return room;
        empty(part);
        caller.epoch = epoch_.load();
    }
    part.condemned = 0;
    code_.begin_part(next);
    room.made = true;
    return room;
}

// No hart executes the units, but one may have just found them by their numbers, and see that they are
// dropped. So they themselves go when the next part is emptied.
void TranslationCache::empty(Part& part) {
    for (const std::unique_ptr<Unit>& unit : part.units) {
        slot(unit->number).store(nullptr);
        free_numbers_.push_back(unit->number);
    }
    looked_at_ = std::move(part.units);
    part.units.clear();
    looked_at_until_ = ++epoch_;
}
}  // namespace hartline::jit
