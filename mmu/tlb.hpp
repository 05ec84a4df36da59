// The software TLB: derived state, split by access kind, tagged by address space and privilege context.
//
// A tag is the page's virtual address with a context number in bits 4..11, and bits 0..3 clear. An access
// compares its address (the page bits, and the low bits that natural alignment wants zero) with the tag, so
// one compare checks page, context and alignment together; what does not match takes the slow path. A context
// is a pair of an address space and a mode (what privilege, SUM and MXR let through). Contexts stay resident
// side by side, so a switch of process or privilege drops nothing.
//
// An address space is a value of satp, or none, or what all have in common: S-mode without SUM meets no page
// of a user, and a kernel's own pages are global, which is to say the same in every address space. So that
// mode has one context for all spaces, until it meets a page that is not global.
//
// Engines remember where jumps lead, by virtual address and context. The TLB tells when that is void.
#pragma once
#include <array>

#include "mmu/filter.hpp"
#include "mmu/table_cache.hpp"

namespace hartline {

class Tlb {
public:
    static constexpr unsigned kEntries = 8192;  // a kind
    // Entries are dropped a space at a time by groups, of which each space knows those it may be in.
    static constexpr unsigned kGroup = 8;
    // Matches nothing: of an access of up to 8 bytes, bit 3 is clear; wider ones are aligned.
    static constexpr u64 kInvalid = ~u64{0};
    // In a tag, with a context: matches nothing either, but frame() tells where the page is.
    static constexpr u64 kMarked = 8;
    // A context has no bits below this one.
    static constexpr unsigned kContextShift = 4;

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
    // For frame(): eight bytes an entry, whose lowest kFrameBits are the frame number.
    const void* frames(Access access) const { return kind(access).meta.data(); }
    static constexpr unsigned kFrameBits = 48;
    // In the last of these bytes: is the page global, is it a user's?
    static constexpr unsigned kKindByte = 7, kGlobal = 1 << 0, kUser = 1 << 1;
    // Of the entry that serves vaddr, if one does. An addend is a host address minus a virtual address.
    u64 tag(Access access, u64 vaddr) const { return kind(access).tags[index(vaddr)]; }
    u64 addend(Access access, u64 vaddr) const { return kind(access).addends[index(vaddr)]; }
    void unmark(Access access, u64 vaddr) { kind(access).tags[index(vaddr)] &= ~kMarked; }
    // The frame number (physical address / 4 KiB) behind the entry that serves vaddr.
    u64 frame(Access access, u64 vaddr) const { return kind(access).meta[index(vaddr)].frame; }
    // The context bits (already in place) of a regime; makes the regime's address space resident, perhaps in
    // the place of another. Asked for anew after flush_asid() and where fill() says so.
    u64 context(const Regime& regime);

    // Contexts that have the same access to some pages, and take turns at them. Then translated code changes
    // no more than the tag (in which these bits differ; 0: there is no such context) and sets the bit of the
    // entry's group in groups(), counted from first_group.
    struct Twins {
        u64 users = 0;   // of a user's pages: U-mode, and S-mode by SUM
        u64 global = 0;  // of global pages that are no user's: S-mode with SUM and without
        u64 first_group = 0;
    };
    // Of the context of a regime, as long as contexts_version() is the same.
    Twins twins(const Regime& regime, u64 context) const;
    const void* groups(Access access) const { return &groups_[0][static_cast<unsigned>(access)]; }

    // Changes when a context that was asked for may stand for something else.
    const u64& contexts_version() const { return contexts_version_; }

    // false: not kept, as the context is common to all spaces and the page is not. Contexts are to be asked
    // for anew then: there is no common one any more.
    bool fill(Access access, u64 vaddr, u64 context, const Translation& to, const u8* host_page);

    TableCache& tables() { return tables_; }

    // sfence.vma / sinval.vma: by address (its leaf, of whatever size) and by ASID, each optional.
    void flush_all();
    void flush_asid(u64 asid);                     // keeps global mappings
    void flush_address(u64 vaddr);                 // in every address space
    void flush_address_asid(u64 vaddr, u64 asid);  // keeps global mappings
    // A frame of RAM changed its host address.
    void flush_frame(u64 paddr);
    // It must not be written unseen.
    void flush_stores(u64 paddr);
    // Since this was last asked: may an address, in a context by which it was fetched from, lead elsewhere
    // now? Where an entry only gave way to another, it does not.
    bool take_fetches_void() { return fetches_void_ && renew_fetches(); }
    const bool& fetches_void() const { return fetches_void_; }  // the same, and is asked again

private:
    struct Meta {  // of an entry, for flushing
        u64 frame : kFrameBits, page_shift : 8, global : 1, user : 1;
    };
    static_assert(sizeof(Meta) == 8);
    // Entries by the frame behind them: rings, one for all frames that are equal modulo kRings.
    class ByFrame {
    public:
        ByFrame() {
            for (unsigned at = 0; at < links_.size(); ++at) links_[at] = {narrow(at), narrow(at)};
        }
        // Takes the entry from the ring where it is.
        void put(unsigned entry, u64 frame) {
            Link& link = links_[entry];
            links_[link.before].after = link.after;
            links_[link.after].before = link.before;
            const unsigned ring = ring_of(frame);
            link = {narrow(ring), links_[ring].after};
            links_[link.after].before = links_[ring].after = narrow(entry);
        }
        template <class Act>
        void each(u64 frame, Act act) const {
            const unsigned ring = ring_of(frame);
            for (unsigned at = links_[ring].after; at != ring; at = links_[at].after) act(at);
        }

    private:
        static constexpr unsigned kRings = 4096;
        struct Link {
            u16 before, after;
        };
        static unsigned ring_of(u64 frame) { return kEntries + static_cast<unsigned>(frame % kRings); }
        static u16 narrow(unsigned at) { return static_cast<u16>(at); }
        static_assert(kEntries + kRings <= 1 << 16);

        std::array<Link, kEntries + kRings> links_;  // of the entries, and of the rings
    };
    struct Kind {
        std::array<u64, kEntries> tags, addends;
        std::array<Meta, kEntries> meta;
        ByFrame by_frame;
        void drop(u64 frame);
    };
    static constexpr unsigned kKinds = 3, kModes = 8, kSpaces = 32;
    // Of a mode: MXR, supervisor without SUM, SUM. M-mode has all of them.
    static constexpr unsigned kMxrBit = 1, kSupervisorBit = 2, kSumBit = 4;
    static constexpr unsigned kUntranslated = 0, kCommon = 1, kFirstSpace = 2;
    struct Space {
        u64 satp = 0;
        bool used = false;
        bool fetched = false;  // jumps may be remembered by its contexts, be it used or not
    };
    static constexpr unsigned kGroups = kEntries / kGroup, kWords = (kGroups + 63) / 64;
    using Groups = std::array<std::array<u64, kWords>, kKinds>;

    Kind& kind(Access access) { return kinds_[static_cast<unsigned>(access)]; }
    const Kind& kind(Access access) const { return kinds_[static_cast<unsigned>(access)]; }
    template <class Match>
    void drop_if(Match match);
    template <class Change>
    void change_kind(unsigned slot, Access access, Change change);
    template <class Change>
    void change_entries(unsigned slot, Change change);
    bool common(const Regime& regime);
    void drop_space(unsigned slot);
    unsigned find_slot(u64 satp) const;  // 0: it has none
    unsigned slot_of(u64 satp);
    unsigned free_slot();
    void move_space(unsigned from);
    static constexpr u64 context_of(unsigned slot, unsigned mode) {
        return u64{slot * kModes + mode} << kContextShift;
    }
    static unsigned slot_of_tag(u64 tag) {
        return static_cast<unsigned>(tag >> kContextShift) / kModes % kSpaces;
    }
    bool renew_fetches();
    bool has_asid(unsigned slot, u64 asid) const {
        return slot >= kFirstSpace && spaces_[slot].used && (spaces_[slot].satp >> 44 & 0xffff) == asid;
    }
    template <class Wanted>
    bool any_superpage(u64 vaddr, Wanted wanted) const;
    void note_fetched(u64 vaddr, unsigned page_shift);
    void void_fetches(u64 vaddr);
    void flush_superpages(u64 vaddr, bool any_space, u64 asid);

    std::array<Kind, kKinds> kinds_;
    TableCache tables_;
    std::array<Space, kSpaces> spaces_{};
    std::array<Groups, kSpaces> groups_{};
    unsigned next_space_ = kFirstSpace;
    unsigned last_slot_ = kFirstSpace;
    u64 contexts_version_ = 0;
    bool common_off_ = false;
    u64 common_mode_ = 0;  // satp.MODE of the spaces that have it
    bool fetches_void_ = false;
    Filter<1 << 15> fetched_;  // pages by which jumps may be remembered, and the superpages that they are of
    Filter<1 << 14> superpages_;  // ranges of which pieces may be held
    u64 superpage_shifts_ = 0;    // a bit for each size that may be held
};
}  // namespace hartline
