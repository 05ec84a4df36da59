// The page-table walk of Sv39, Sv48 and Sv57, with Svnapot, Svpbmt, Svade and Svadu.
#include "mmu/walk.hpp"

namespace hartline {
namespace {
// Page-table entries. priv, "Sv39: Page-Based 39-bit Virtual-Memory System"; Sv48 and Sv57 share the format.
constexpr u64 kValid = 1 << 0, kRead = 1 << 1, kWrite = 1 << 2, kExecute = 1 << 3;
constexpr u64 kUser = 1 << 4, kGlobal = 1 << 5, kAccessed = 1 << 6, kDirty = 1 << 7;
constexpr u64 kReserved = u64{0x7f} << 54;
constexpr u64 kMemoryType = u64{3} << 61;  // PBMT
constexpr u64 kContiguous = u64{1} << 63;  // N
constexpr unsigned kIndexBits = 9, kPteBytes = 8;
constexpr unsigned kNapotShift = 16;  // 64 KiB, the only Svnapot size

unsigned levels(u64 satp) {
    switch (static_cast<SatpMode>(satp >> 60)) {
        case SatpMode::Sv57: return 5;
        case SatpMode::Sv48: return 4;
        default: return 3;
    }
}
constexpr unsigned level_shift(unsigned level) { return kFrameShift + kIndexBits * level; }
bool canonical(u64 vaddr, unsigned depth) { return sign_extend(vaddr, level_shift(depth)) == vaddr; }
u64 ppn_of(u64 pte) { return bits(pte, 53, 10); }
bool is_leaf(u64 pte) { return (pte & (kRead | kExecute)) != 0; }

// Neither invalid nor of an encoding that is reserved at this level.
bool well_formed(u64 pte, unsigned level, const Regime& regime) {
    if ((pte & kValid) == 0 || (pte & (kRead | kWrite)) == kWrite || (pte & kReserved) != 0) return false;
    const u64 memory_type = pte & kMemoryType;
    if (memory_type == kMemoryType || (memory_type != 0 && !regime.pbmt)) return false;
    if (!is_leaf(pte)) return (pte & (kDirty | kAccessed | kUser | kMemoryType | kContiguous)) == 0;
    if ((pte & kContiguous) != 0) return level == 0 && bits(ppn_of(pte), 3, 0) == 8;
    const u64 below = (u64{1} << kIndexBits * level) - 1;
    return (ppn_of(pte) & below) == 0;  // else a misaligned superpage
}

bool permitted(u64 pte, const Regime& regime, Access access) {
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

Translation found(u64 pte, unsigned level, u64 vaddr, bool global) {
    const unsigned shift = (pte & kContiguous) != 0 ? kNapotShift : level_shift(level);
    const u64 offset = (u64{1} << shift) - 1;
    return {.paddr = merge(ppn_of(pte) << kFrameShift, offset, vaddr),
            .page_shift = static_cast<u8>(shift),
            .global = global};
}
}  // namespace

// priv, "Virtual Address Translation Process"
Translation walk(const Regime& regime, u64 vaddr, Access access, WalkMemory& memory) {
    const unsigned depth = levels(regime.satp);
    if (!canonical(vaddr, depth)) return {.fault = Fault::Page};
    u64 table = bits(regime.satp, 43, 0) << kFrameShift;
    bool global = false;
    for (unsigned level = depth; level-- != 0;) {
        const u64 at =
            table + bits(vaddr, level_shift(level) + kIndexBits - 1, level_shift(level)) * kPteBytes;
        for (bool settled = false; !settled;) {  // again, when the entry changed under our update
            u64 pte = 0;
            if (!memory.load(at, pte)) return {.fault = Fault::Access};
            if (!well_formed(pte, level, regime)) return {.fault = Fault::Page};
            if (!is_leaf(pte)) {
                table = ppn_of(pte) << kFrameShift;
                global |= (pte & kGlobal) != 0;
                break;
            }
            if (!permitted(pte, regime, access)) return {.fault = Fault::Page};
            const u64 marked = pte | kAccessed | (access == Access::Store ? kDirty : 0);
            settled = marked == pte;
            if (!settled) {
                if (!regime.hardware_ad) return {.fault = Fault::Page};
                if (!memory.compare_exchange(at, pte, marked, settled)) return {.fault = Fault::Access};
            }
            if (settled) return found(pte, level, vaddr, global || (pte & kGlobal) != 0);
        }
    }
    return {.fault = Fault::Page};  // a pointer at the last level
}
}  // namespace hartline
