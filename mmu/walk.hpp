// The page-table walk of Sv39, Sv48 and Sv57, with Svnapot, Svpbmt, Svade and Svadu: pure but for the memory
// that it is given. priv, "Virtual Address Translation Process" (all depths by one table of geometry).
#pragma once
#include "mmu/translation.hpp"

namespace hartline {

// Where page tables are read from. Both fail (access fault) outside of RAM or where PMP forbids S-mode the
// access.
class WalkMemory {
public:
    virtual ~WalkMemory() = default;
    virtual bool load(u64 paddr, u64& pte) = 0;
    // Atomically replaces `expected` by `desired`; `swapped` says whether it still was `expected`.
    virtual bool compare_exchange(u64 paddr, u64 expected, u64 desired, bool& swapped) = 0;
};

namespace walking {
// Page-table entries. priv, "Sv39: Page-Based 39-bit Virtual-Memory System"; Sv48 and Sv57 share the format.
inline constexpr u64 kValid = 1 << 0, kRead = 1 << 1, kWrite = 1 << 2, kExecute = 1 << 3;
inline constexpr u64 kUser = 1 << 4, kGlobal = 1 << 5, kAccessed = 1 << 6, kDirty = 1 << 7;
inline constexpr u64 kReserved = u64{0x7f} << 54;
inline constexpr u64 kMemoryType = u64{3} << 61;  // PBMT
inline constexpr u64 kContiguous = u64{1} << 63;  // N
inline constexpr unsigned kIndexBits = 9, kPteBytes = 8;
inline constexpr unsigned kNapotShift = 16;  // 64 KiB, the only Svnapot size

inline unsigned levels(u64 satp) {
    switch (static_cast<SatpMode>(satp >> 60)) {
        case SatpMode::Sv57: return 5;
        case SatpMode::Sv48: return 4;
        default: return 3;
    }
}
constexpr unsigned level_shift(unsigned level) { return kFrameShift + kIndexBits * level; }
inline bool canonical(u64 vaddr, unsigned depth) { return sign_extend(vaddr, level_shift(depth)) == vaddr; }
inline u64 ppn_of(u64 pte) { return bits(pte, 53, 10); }
inline bool is_leaf(u64 pte) { return (pte & (kRead | kExecute)) != 0; }

// Neither invalid nor of an encoding that is reserved at this level.
inline bool well_formed(u64 pte, unsigned level, const Regime& regime) {
    if ((pte & kValid) == 0 || (pte & (kRead | kWrite)) == kWrite || (pte & kReserved) != 0) return false;
    const u64 memory_type = pte & kMemoryType;
    if (memory_type == kMemoryType || (memory_type != 0 && !regime.pbmt)) return false;
    if (!is_leaf(pte)) return (pte & (kDirty | kAccessed | kUser | kMemoryType | kContiguous)) == 0;
    if ((pte & kContiguous) != 0) return level == 0 && bits(ppn_of(pte), 3, 0) == 8;
    const u64 below = (u64{1} << kIndexBits * level) - 1;
    return (ppn_of(pte) & below) == 0;  // else a misaligned superpage
}

inline bool permitted(u64 pte, const Regime& regime, Access access) {
    const bool user_page = (pte & kUser) != 0;
    if (regime.privilege == Privilege::User && !user_page) return false;
    if (regime.privilege == Privilege::Supervisor && user_page && (access == Access::Fetch || !regime.sum))
        return false;
    switch (access) {
        case Access::Fetch: return (pte & kExecute) != 0;
        case Access::Store: return (pte & kWrite) != 0;
        default: return (pte & kRead) != 0 || (regime.mxr && (pte & kExecute) != 0);
    }
}

inline Translation found(u64 pte, unsigned level, u64 vaddr, bool global) {
    const unsigned shift = (pte & kContiguous) != 0 ? kNapotShift : level_shift(level);
    const u64 offset = (u64{1} << shift) - 1;
    return {.paddr = merge(ppn_of(pte) << kFrameShift, offset, vaddr),
            .page_shift = static_cast<u8>(shift),
            .global = global,
            .user = (pte & kUser) != 0};
}
}  // namespace walking

// A table of page tables: where a walk is.
struct TableAt {
    u64 paddr = 0;
    unsigned level = 0;
    bool global = false;  // by an entry above it
};
inline TableAt root_table(u64 satp) {
    return {bits(satp, 43, 0) << kFrameShift, walking::levels(satp) - 1, false};
}

// Translates under a regime that translates (Regime::translates()), from a table that the walk of vaddr comes
// by; `at` is where it ended.
template <class Memory>
Translation walk_from(TableAt& at, const Regime& regime, u64 vaddr, Access access, Memory& memory) {
    using namespace walking;
    if (!canonical(vaddr, levels(regime.satp))) return {.fault = Fault::Page};
    for (;;) {
        const unsigned shift = level_shift(at.level);
        const u64 entry = at.paddr + bits(vaddr, shift + kIndexBits - 1, shift) * kPteBytes;
        u64 pte = 0;
        if (!memory.load(entry, pte)) return {.fault = Fault::Access};
        if (!well_formed(pte, at.level, regime)) return {.fault = Fault::Page};
        if (!is_leaf(pte)) {
            if (at.level == 0) return {.fault = Fault::Page};
            at = {ppn_of(pte) << kFrameShift, at.level - 1, at.global || (pte & kGlobal) != 0};
            continue;
        }
        if (!permitted(pte, regime, access)) return {.fault = Fault::Page};
        const u64 marked = pte | kAccessed | (access == Access::Store ? kDirty : 0);
        bool settled = marked == pte;
        if (!settled) {
            if (!regime.hardware_ad) return {.fault = Fault::Page};
            if (!memory.compare_exchange(entry, pte, marked, settled)) return {.fault = Fault::Access};
        }
        if (settled) return found(pte, at.level, vaddr, at.global || (pte & kGlobal) != 0);
        // The entry changed under our update: once more.
    }
}
template <class Memory>
Translation walk(const Regime& regime, u64 vaddr, Access access, Memory& memory) {
    TableAt at = root_table(regime.satp);
    return walk_from(at, regime, vaddr, access, memory);
}
}  // namespace hartline
