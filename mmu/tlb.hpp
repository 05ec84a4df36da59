// The software TLB: derived state, split by access kind, tagged by address space and privilege context.
//
// A tag is the page's virtual address with a context number in bits 4..11, and bits 0..3 clear. An access
// compares its address (the page bits, and the low bits that natural alignment wants zero) with the tag, so
// one compare checks page, context and alignment together; what does not match takes the slow path. A context
// is a pair of an address space (a value of satp, or none) and a mode (what privilege, SUM and MXR let
// through). Contexts stay resident side by side, so a switch of process or privilege drops nothing.
#pragma once
#include <algorithm>
#include <array>
#include <memory>

#include "mmu/translation.hpp"

namespace hartline {

class Tlb {
public:
    static constexpr unsigned kEntries = 1024;  // a kind
    // Matches nothing: of an access of up to 8 bytes, bit 3 is clear; wider ones are aligned.
    static constexpr u64 kInvalid = ~u64{0};

    Tlb();
    static constexpr u64 index(u64 vaddr) { return (vaddr >> kFrameShift) % kEntries; }
    // What a natural access of `bytes` must find in the tag.
    static constexpr u64 key(u64 vaddr, u64 bytes, u64 context) {
        return (vaddr & (~(kFrameBytes - 1) | (bytes - 1))) | context;
    }
    // The tables of a kind, kEntries each: for translated code, which addresses them from the start of its
    // hart.
    const u64* tags(Access access) const { return kind(access).tags.data(); }
    const u64* addends(Access access) const { return kind(access).addends.data(); }
    // Of the entry that serves vaddr, if one does. An addend is a host address minus a virtual address.
    u64 tag(Access access, u64 vaddr) const { return kind(access).tags[index(vaddr)]; }
    u64 addend(Access access, u64 vaddr) const { return kind(access).addends[index(vaddr)]; }
    // The frame number (physical address / 4 KiB) behind the entry that serves vaddr.
    u64 frame(Access access, u64 vaddr) const { return kind(access).meta[index(vaddr)].frame; }
    // The context bits (already in place) of a regime; makes the regime's address space resident.
    u64 context(const Regime& regime);
    // Does the regime's address space have its contexts? If not, context() may give it those of another.
    bool resident(const Regime& regime) const {
        if (!regime.translates()) return true;
        const auto holds = [&](const Space& space) { return space.used && space.satp == regime.satp; };
        return holds(spaces_[last_slot_]) || std::any_of(spaces_.begin(), spaces_.end(), holds);
    }

    void fill(Access access, u64 vaddr, u64 context, const Translation& to, const u8* host_page);

    // sfence.vma / sinval.vma: by address (its leaf, of whatever size) and by ASID, each optional.
    void flush_all();
    void flush_asid(u64 asid);                     // keeps global mappings
    void flush_address(u64 vaddr);                 // in every address space
    void flush_address_asid(u64 vaddr, u64 asid);  // keeps global mappings
    // A frame of RAM changed its host address or must not be written unseen.
    void flush_frame(u64 paddr);

private:
    struct Meta {  // of an entry, for flushing
        u64 frame = 0;
        u8 page_shift = 0;
        bool global = false;
    };
    struct Kind {
        std::array<u64, kEntries> tags, addends;
        std::array<Meta, kEntries> meta;
    };
    static constexpr unsigned kSpaces = 32;  // slot 0: no translation
    static constexpr unsigned kModes = 8;
    struct Space {
        u64 satp = 0;
        bool used = false;
    };
    Kind& kind(Access access) { return kinds_[static_cast<unsigned>(access)]; }
    const Kind& kind(Access access) const { return kinds_[static_cast<unsigned>(access)]; }
    template <class Match>
    void drop_if(Match match);
    unsigned slot_of(u64 satp);
    static unsigned slot_of_tag(u64 tag) { return static_cast<unsigned>(tag >> 4) / kModes % kSpaces; }
    bool has_asid(u64 tag, u64 asid) const {
        const unsigned slot = slot_of_tag(tag);
        return slot != 0 && (spaces_[slot].satp >> 44 & 0xffff) == asid;
    }
    void flush_superpages(u64 vaddr, bool any_space, u64 asid);

    std::array<Kind, 3> kinds_;
    std::array<Space, kSpaces> spaces_{};
    unsigned next_space_ = 1;
    unsigned last_slot_ = 0;
    u64 superpages_ =
        0;  // a filter: bit h is set when pieces of a superpage whose range hashes to h are held
    bool gigapages_ = false;
};
}  // namespace hartline
