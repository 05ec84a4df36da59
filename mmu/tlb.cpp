// Filling and flushing the TLB.
#include "mmu/tlb.hpp"

#include <algorithm>
#include <bit>
#include <utility>

namespace hartline {
namespace {
constexpr unsigned kMegapageShift = 21, kSatpModeShift = 60;
constexpr unsigned kSuperpageShifts[] = {kMegapageShift, 30, 39, 48};
// Pieces of 2 MiB pages and of 64 KiB (Svnapot) ranges are found by the 2 MiB range that holds them, those of
// larger pages by their own; in one filter, perhaps with small pages.
u64 range_of(u64 vaddr, unsigned shift) { return (vaddr >> shift) + u64{shift} * 0x155; }
bool same_page(u64 a, u64 b, unsigned shift) { return ((a ^ b) >> shift) == 0; }
}  // namespace

Tlb::Tlb() {
    for (Kind& kind : kinds_) kind.tags.fill(kInvalid);
}

// --- Address spaces

// Does the regime have the context that is common to all spaces? They are those of one depth of tables.
bool Tlb::common(const Regime& regime) {
    if (common_off_ || regime.privilege != Privilege::Supervisor || regime.sum) return false;
    const u64 mode = regime.satp >> kSatpModeShift;
    if (mode != common_mode_) {
        drop_space(kCommon);
        ++contexts_version_;
        common_mode_ = mode;
    }
    return true;
}

void Tlb::drop_space(unsigned slot) {
    change_entries(slot, [](u64, const Meta&) { return kInvalid; });
    fetches_void_ |= spaces_[slot].fetched;
}

unsigned Tlb::find_slot(u64 satp) const {
    const auto holds = [&](unsigned slot) { return spaces_[slot].used && spaces_[slot].satp == satp; };
    if (holds(last_slot_)) return last_slot_;
    for (unsigned slot = kFirstSpace; slot < kSpaces; ++slot)
        if (holds(slot)) return slot;
    return 0;
}

unsigned Tlb::slot_of(u64 satp) {
    if (const unsigned slot = find_slot(satp); slot != 0) return last_slot_ = slot;
    last_slot_ = free_slot();
    spaces_[last_slot_].satp = satp;
    spaces_[last_slot_].used = true;
    return last_slot_;
}

// One with no entries, best one by which no jumps are remembered: else all of them are void.
unsigned Tlb::free_slot() {
    const auto find = [&](auto wanted) {
        for (unsigned i = 0; i < kSpaces - kFirstSpace; ++i) {
            const unsigned slot = kFirstSpace + (next_space_ - kFirstSpace + i) % (kSpaces - kFirstSpace);
            if (wanted(spaces_[slot])) return slot;
        }
        return 0u;
    };
    unsigned slot = find([](const Space& space) { return !space.used && !space.fetched; });
    if (slot == 0) slot = find([](const Space& space) { return !space.fetched; });
    if (slot == 0) slot = next_space_;
    next_space_ = slot + 1 == kSpaces ? kFirstSpace : slot + 1;
    drop_space(slot);
    spaces_[slot] = {};
    ++contexts_version_;
    return slot;
}

// Gives a space other contexts, as jumps are remembered by those it has.
void Tlb::move_space(unsigned from) {
    const Space space = spaces_[from];
    spaces_[from].used = false;
    const unsigned to = free_slot();
    spaces_[to] = {.satp = space.satp, .used = true};
    change_entries(from, [&](u64 tag, const Meta&) { return tag ^ context_of(from, 0) ^ context_of(to, 0); });
    if (to == from) return;
    for (unsigned kind = 0; kind < kKinds; ++kind)
        for (unsigned word = 0; word < kWords; ++word)
            groups_[to][kind][word] |= std::exchange(groups_[from][kind][word], 0);
}

u64 Tlb::context(const Regime& regime) {
    unsigned slot = kUntranslated;
    if (regime.translates()) slot = common(regime) ? kCommon : slot_of(regime.satp);
    unsigned mode = 0;
    if (regime.privilege == Privilege::Supervisor) mode = regime.sum ? kSumBit : kSupervisorBit;
    if (regime.mxr) mode |= kMxrBit;
    if (regime.privilege == Privilege::Machine) mode = kMxrBit | kSupervisorBit | kSumBit;
    return context_of(slot, mode);
}

Tlb::Twins Tlb::twins(const Regime& regime, u64 context) const {
    if (!regime.translates()) return {};
    Twins twins{.first_group = u64{slot_of_tag(context)} * kKinds * kWords * 64};
    const bool user = regime.privilege == Privilege::User;
    if (user || regime.sum) twins.users = context_of(0, kSumBit);
    const unsigned slot = user ? 0 : find_slot(regime.satp);
    if (slot == 0) return twins;
    const bool to_common = regime.satp >> kSatpModeShift == common_mode_ && !common_off_;
    const unsigned mode = regime.mxr ? kMxrBit : 0;
    const u64 with_sum = context_of(slot, kSumBit | mode);
    const u64 without = context_of(to_common ? kCommon : slot, kSupervisorBit | mode);
    twins.global = with_sum ^ without;
    return twins;
}

// --- Entries

bool Tlb::fill(Access access, u64 vaddr, u64 context, const Translation& to, const u8* host_page) {
    const unsigned slot = slot_of_tag(context);
    if (slot == kCommon && !to.global) {
        common_off_ = true;
        ++contexts_version_;
        return false;
    }
    Kind& kind = this->kind(access);
    const u64 page = vaddr & ~(kFrameBytes - 1);
    const u64 at = index(vaddr);
    const u64 frame = to.paddr >> kFrameShift;
    kind.tags[at] = page | context;
    kind.addends[at] = reinterpret_cast<u64>(host_page) - page;
    kind.meta[at] = {.frame = frame & ((u64{1} << kFrameBits) - 1),
                     .page_shift = to.page_shift,
                     .global = to.global,
                     .user = to.user};
    groups_[slot][static_cast<unsigned>(access)][at / kGroup / 64] |= u64{1} << at / kGroup % 64;
    kind.by_frame.put(static_cast<unsigned>(at), frame);
    if (to.page_shift > kFrameShift) {
        const unsigned shift = std::max<unsigned>(to.page_shift, kMegapageShift);
        superpage_shifts_ |= u64{1} << shift;
        superpages_.add(range_of(vaddr, shift));
    }
    if (access == Access::Fetch) {
        note_fetched(vaddr, to.page_shift);
        spaces_[slot].fetched = true;
    }
    return true;
}

template <class Match>
void Tlb::drop_if(Match match) {
    for (Kind& kind : kinds_)
        for (unsigned i = 0; i < kEntries; ++i)
            if (kind.tags[i] != kInvalid && match(kind.tags[i], kind.meta[i])) kind.tags[i] = kInvalid;
}

// Gives each entry of a space, of one kind, the tag that `change` says.
template <class Change>
void Tlb::change_kind(unsigned slot, Access access, Change change) {
    Kind& kind = this->kind(access);
    for (unsigned word = 0; word < kWords; ++word) {
        u64& groups = groups_[slot][static_cast<unsigned>(access)][word];
        for (u64 left = groups; left != 0; left &= left - 1) {
            const unsigned first = (word * 64 + static_cast<unsigned>(std::countr_zero(left))) * kGroup;
            bool some = false;
            for (unsigned i = first; i < first + kGroup; ++i) {
                u64& tag = kind.tags[i];
                if (tag == kInvalid || slot_of_tag(tag) != slot) continue;
                tag = change(tag, kind.meta[i]);
                some |= tag != kInvalid;
            }
            if (!some) groups &= ~(left & -left);
        }
    }
}
template <class Change>
void Tlb::change_entries(unsigned slot, Change change) {
    for (const Access access : {Access::Load, Access::Store, Access::Fetch})
        change_kind(slot, access, change);
}

// --- Fences

void Tlb::flush_all() {
    for (unsigned slot = 0; slot < kSpaces; ++slot) drop_space(slot);
    if (superpage_shifts_ != 0) superpages_.clear();
    superpage_shifts_ = 0;
    tables_.forget();
}

void Tlb::flush_asid(u64 asid) {
    tables_.forget();
    for (unsigned slot = kFirstSpace; slot < kSpaces; ++slot) {
        if (!has_asid(slot, asid)) continue;
        change_entries(slot, [](u64 tag, const Meta& m) { return m.global ? tag : kInvalid; });
        if (spaces_[slot].fetched) move_space(slot);
    }
}

void Tlb::flush_address(u64 vaddr) {
    tables_.forget(vaddr);
    for (Kind& kind : kinds_) {
        u64& tag = kind.tags[index(vaddr)];
        if (same_page(tag, vaddr, kFrameShift)) tag = kInvalid;
    }
    flush_superpages(vaddr, true, 0);
    void_fetches(vaddr);
}

void Tlb::flush_address_asid(u64 vaddr, u64 asid) {
    tables_.forget(vaddr);
    for (Kind& kind : kinds_) {
        const u64 at = index(vaddr);
        u64& tag = kind.tags[at];
        if (same_page(tag, vaddr, kFrameShift) && !kind.meta[at].global && has_asid(slot_of_tag(tag), asid))
            tag = kInvalid;
    }
    flush_superpages(vaddr, false, asid);
    void_fetches(vaddr);
}

template <class Wanted>
bool Tlb::any_superpage(u64 vaddr, Wanted wanted) const {
    if (superpage_shifts_ == 0) return false;
    return std::ranges::any_of(kSuperpageShifts, [&](unsigned shift) {
        return bit(superpage_shifts_, shift) != 0 && wanted(range_of(vaddr, shift));
    });
}

void Tlb::note_fetched(u64 vaddr, unsigned page_shift) {
    fetched_.add(vaddr >> kFrameShift);
    if (page_shift > kFrameShift) fetched_.add(range_of(vaddr, std::max(page_shift, kMegapageShift)));
}

void Tlb::void_fetches(u64 vaddr) {
    const auto fetched = [&](u64 number) { return fetched_.may_hold(number); };
    fetches_void_ |= fetched(vaddr >> kFrameShift) || any_superpage(vaddr, fetched);
}

void Tlb::flush_superpages(u64 vaddr, bool any_space, u64 asid) {
    if (!any_superpage(vaddr, [&](u64 range) { return superpages_.may_hold(range); })) return;
    drop_if([&](u64 tag, const Meta& m) {
        return m.page_shift > kFrameShift && same_page(tag, vaddr, m.page_shift) &&
               (any_space || (!m.global && has_asid(slot_of_tag(tag), asid)));
    });
}

void Tlb::Kind::drop(u64 frame) {
    by_frame.each(frame, [&](unsigned at) {
        if (meta[at].frame == frame) tags[at] = kInvalid;
    });
}

void Tlb::flush_frame(u64 paddr) {
    for (Kind& kind : kinds_) kind.drop(paddr >> kFrameShift);
}

void Tlb::flush_stores(u64 paddr) { kind(Access::Store).drop(paddr >> kFrameShift); }

// Jumps are remembered anew by what the TLB holds, and by what it will.
bool Tlb::renew_fetches() {
    fetches_void_ = false;
    fetched_.clear();
    for (unsigned slot = 0; slot < kSpaces; ++slot) {
        spaces_[slot].fetched = false;
        change_kind(slot, Access::Fetch, [&](u64 tag, const Meta& m) {
            note_fetched(tag, m.page_shift);
            spaces_[slot].fetched = true;
            return tag;
        });
    }
    return true;
}
}  // namespace hartline
