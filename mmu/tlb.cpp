// Filling and flushing the TLB.
#include "mmu/tlb.hpp"

namespace hartline {
namespace {
constexpr unsigned kMegapageShift = 21;
// Pieces of 2 MiB pages and of 64 KiB (Svnapot) ranges are found by the 2 MiB range that holds them.
u64 filter_bit(u64 vaddr) {
    const u64 range = vaddr >> kMegapageShift;
    return u64{1} << ((range ^ (range >> 6) ^ (range >> 12)) % 64);
}
bool same_page(u64 a, u64 b, unsigned shift) { return ((a ^ b) >> shift) == 0; }
}  // namespace

Tlb::Tlb() { flush_all(); }

unsigned Tlb::slot_of(u64 satp) {
    if (spaces_[last_slot_].used && spaces_[last_slot_].satp == satp) return last_slot_;
    for (unsigned slot = 1; slot < kSpaces; ++slot)
        if (spaces_[slot].used && spaces_[slot].satp == satp) return last_slot_ = slot;
    const unsigned slot = next_space_;
    next_space_ = next_space_ + 1 == kSpaces ? 1 : next_space_ + 1;
    if (spaces_[slot].used) drop_if([slot](u64 tag, const Meta&) { return slot_of_tag(tag) == slot; });
    spaces_[slot] = {satp, true};
    return last_slot_ = slot;
}

u64 Tlb::context(const Regime& regime) {
    const unsigned slot = regime.translates() ? slot_of(regime.satp) : 0;
    unsigned mode = 0;
    if (regime.privilege == Privilege::Machine)
        mode = 7;
    else if (regime.privilege == Privilege::Supervisor)
        mode = 2 + (regime.sum ? 2 : 0) + (regime.mxr ? 1 : 0);
    else
        mode = regime.mxr ? 1 : 0;
    return u64{slot * kModes + mode} << 4;
}

void Tlb::fill(Access access, u64 vaddr, u64 context, const Translation& to, const u8* host_page) {
    Kind& kind = this->kind(access);
    const u64 page = vaddr & ~(kFrameBytes - 1);
    const u64 at = index(vaddr);
    kind.tags[at] = page | context;
    kind.addends[at] = reinterpret_cast<u64>(host_page) - page;
    kind.meta[at] = {to.paddr >> kFrameShift, to.page_shift, to.global};
    if (to.page_shift > kMegapageShift)
        gigapages_ = true;
    else if (to.page_shift > kFrameShift)
        superpages_ |= filter_bit(vaddr);
}

template <class Match>
void Tlb::drop_if(Match match) {
    for (Kind& kind : kinds_)
        for (unsigned i = 0; i < kEntries; ++i)
            if (kind.tags[i] != kInvalid && match(kind.tags[i], kind.meta[i])) kind.tags[i] = kInvalid;
}

void Tlb::flush_all() {
    for (Kind& kind : kinds_) kind.tags.fill(kInvalid);
    superpages_ = 0;
    gigapages_ = false;
}

void Tlb::flush_asid(u64 asid) {
    drop_if([&](u64 tag, const Meta& m) { return !m.global && has_asid(tag, asid); });
}

void Tlb::flush_address(u64 vaddr) {
    for (Kind& kind : kinds_) {
        u64& tag = kind.tags[index(vaddr)];
        if (same_page(tag, vaddr, kFrameShift)) tag = kInvalid;
    }
    flush_superpages(vaddr, true, 0);
}

void Tlb::flush_address_asid(u64 vaddr, u64 asid) {
    for (Kind& kind : kinds_) {
        const u64 at = index(vaddr);
        u64& tag = kind.tags[at];
        if (same_page(tag, vaddr, kFrameShift) && !kind.meta[at].global && has_asid(tag, asid))
            tag = kInvalid;
    }
    flush_superpages(vaddr, false, asid);
}

void Tlb::flush_superpages(u64 vaddr, bool any_space, u64 asid) {
    if (!gigapages_ && (superpages_ & filter_bit(vaddr)) == 0) return;
    drop_if([&](u64 tag, const Meta& m) {
        return m.page_shift > kFrameShift && same_page(tag, vaddr, m.page_shift) &&
               (any_space || (!m.global && has_asid(tag, asid)));
    });
}

void Tlb::flush_frame(u64 paddr) {
    drop_if([&](u64, const Meta& m) { return m.frame == paddr >> kFrameShift; });
}
}  // namespace hartline
