// Matching and permission rules of physical memory protection, and what its registers can hold.
#include "mmu/pmp.hpp"

#include <algorithm>
#include <optional>

namespace hartline::pmp {
namespace {
// pmpcfg. priv, "Physical Memory Protection CSRs".
constexpr u8 kRead = 1, kWrite = 2, kExecute = 4, kLocked = 0x80;
constexpr u8 kImplemented = 0x9f;
enum class Match : u8 { Off, Tor, Na4, Napot };
Match match_of(u8 cfg) { return static_cast<Match>(bits(cfg, 4, 3)); }
constexpr u64 kAddressMask = (u64{1} << 54) - 1;
// mseccfg. priv, "Smepmp Physical Memory Protection Rules".
constexpr u64 kMml = 1, kMmwp = 2, kRlb = 4;

struct Range {
    u64 first, last;  // bytes, inclusive
    bool overlaps(const Range& other) const { return first <= other.last && other.first <= last; }
    bool covers(const Range& other) const { return first <= other.first && other.last <= last; }
};
Range access_range(u64 paddr, u64 bytes) {
    const u64 last = paddr + (bytes - 1);
    return {paddr, last < paddr ? ~u64{0} : last};
}

// What entry `i` matches; nothing if it is off or empty.
std::optional<Range> range_of(const PmpRegisters& registers, unsigned i) {
    const u64 addr = registers.addr[i];
    switch (match_of(registers.cfg[i])) {
        case Match::Tor: {
            const u64 bottom = i == 0 ? 0 : registers.addr[i - 1];
            if (bottom >= addr) return std::nullopt;
            return Range{bottom << 2, (addr << 2) - 1};
        }
        case Match::Na4: return Range{addr << 2, (addr << 2) + 3};
        case Match::Napot: {
            const u64 size = u64{8} << std::countr_one(addr);
            const u64 first = (addr << 2) & ~(size - 1);
            return Range{first, first + (size - 1)};
        }
        default: return std::nullopt;
    }
}

bool permits(u8 cfg, Access access) {
    switch (access) {
        case Access::Load: return (cfg & kRead) != 0;
        case Access::Store: return (cfg & kWrite) != 0;
        default: return (cfg & kExecute) != 0;
    }
}

// priv, "Smepmp Physical Memory Protection Rules": the truth table for MML=1, indexed by LRWX. Each result is
// the permissions of M-mode and of S/U-mode as bits of pmpcfg.
struct Row {
    u8 machine, other;
};
constexpr u8 R = kRead, W = kWrite, X = kExecute;
constexpr std::array<Row, 16> kLockdown{{
    {0, 0},          // 0000
    {0, X},          // 0001
    {R | W, R},      // 0010
    {R | W, R | W},  // 0011
    {0, R},          // 0100
    {0, R | X},      // 0101
    {0, R | W},      // 0110
    {0, R | W | X},  // 0111
    {0, 0},          // 1000
    {X, 0},          // 1001
    {X, X},          // 1010
    {R | X, X},      // 1011
    {R, 0},          // 1100
    {R | X, 0},      // 1101
    {R | W, 0},      // 1110
    {R, R},          // 1111
}};
unsigned lrwx(u8 cfg) {
    return static_cast<unsigned>(bit(cfg, 7) << 3 | bit(cfg, 0) << 2 | bit(cfg, 1) << 1 | bit(cfg, 2));
}

bool rule_allows(u8 cfg, u64 mseccfg, Access access, Privilege privilege) {
    const bool machine = privilege == Privilege::Machine;
    if ((mseccfg & kMml) != 0) {
        const Row& row = kLockdown[lrwx(cfg)];
        return permits(machine ? row.machine : row.other, access);
    }
    return (machine && (cfg & kLocked) == 0) || permits(cfg, access);
}

bool unmatched_allows(u64 mseccfg, Access access, Privilege privilege) {
    if (privilege != Privilege::Machine || (mseccfg & kMmwp) != 0) return false;
    return (mseccfg & kMml) == 0 || access != Access::Fetch;
}

bool held(const PmpRegisters& registers, unsigned i) {
    return (registers.cfg[i] & kLocked) != 0 && (registers.mseccfg & kRlb) == 0;
}
}  // namespace

bool allows(const PmpRegisters& registers, unsigned entries, u64 paddr, u64 bytes, Access access,
            Privilege privilege) {
    if (entries == 0) return true;
    const Range wanted = access_range(paddr, bytes);
    for (unsigned i = 0; i < entries; ++i) {
        const auto range = range_of(registers, i);
        if (!range || !range->overlaps(wanted)) continue;
        return range->covers(wanted) && rule_allows(registers.cfg[i], registers.mseccfg, access, privilege);
    }
    return unmatched_allows(registers.mseccfg, access, privilege);
}

Open open_around(const PmpRegisters& registers, unsigned entries, u64 paddr) {
    Open open{0, ~u64{0}};
    for (unsigned i = 0; i < entries; ++i) {
        const auto range = range_of(registers, i);
        if (!range) continue;
        if (range->last < paddr) {
            open.first = std::max(open.first, range->last + 1);
        } else if (range->first > paddr) {
            open.last = std::min(open.last, range->first - 1);
        } else {  // the rule that decides, and those behind it never do
            open.first = std::max(open.first, range->first);
            open.last = std::min(open.last, range->last);
            break;
        }
    }
    for (const Access access : {Access::Load, Access::Store, Access::Fetch})
        for (const Privilege privilege : {Privilege::Supervisor, Privilege::User})
            if (!allows(registers, entries, paddr, 1, access, privilege)) return {};
    return open;
}

bool uniform(const PmpRegisters& registers, unsigned entries, u64 paddr) {
    const Range frame = access_range(paddr & ~(kFrameBytes - 1), kFrameBytes);
    for (unsigned i = 0; i < entries; ++i) {
        const auto range = range_of(registers, i);
        if (range && range->overlaps(frame)) return range->covers(frame);
    }
    return true;
}

bool write_cfg(PmpRegisters& registers, unsigned entries, unsigned index, u8 value) {
    if (index >= entries || held(registers, index)) return false;
    u8 legal = value & kImplemented;
    const bool lockdown = (registers.mseccfg & kMml) != 0;
    // R=0 with W=1 is reserved without MML: W reads 0.
    if (!lockdown && (legal & kRead) == 0) legal = static_cast<u8>(legal & ~kWrite);
    // "Adding a rule with executable privileges that either is M-mode-only or a locked Shared-Region is not
    // possible and such pmpcfg writes are ignored", but for RLB.
    if (lockdown && (registers.mseccfg & kRlb) == 0 && (legal & kLocked) != 0 &&
        (kLockdown[lrwx(legal)].machine & kExecute) != 0)
        return false;
    if (registers.cfg[index] == legal) return false;
    registers.cfg[index] = legal;
    return true;
}

bool addr_held(const PmpRegisters& registers, unsigned entries, unsigned index) {
    if (index >= entries || held(registers, index)) return true;
    // A locked TOR entry locks its bottom too.
    return index + 1 < entries && held(registers, index + 1) &&
           match_of(registers.cfg[index + 1]) == Match::Tor;
}
bool write_addr(PmpRegisters& registers, unsigned entries, unsigned index, u64 value) {
    if (addr_held(registers, entries, index)) return false;
    const u64 legal = value & kAddressMask;
    if (registers.addr[index] == legal) return false;
    registers.addr[index] = legal;
    return true;
}

bool write_mseccfg(PmpRegisters& registers, unsigned entries, u64 value) {
    const u64 old = registers.mseccfg;
    bool any_locked = false;
    for (unsigned i = 0; i < entries; ++i) any_locked |= (registers.cfg[i] & kLocked) != 0;
    u64 legal = (old | value) & (kMml | kMmwp);  // sticky
    if ((old & kRlb) != 0 || !any_locked) legal |= value & kRlb;
    registers.mseccfg = legal;
    return legal != old;
}

bool legal(const PmpRegisters& registers) {
    const bool lockdown = (registers.mseccfg & kMml) != 0;
    for (unsigned i = 0; i < kMostPmpEntries; ++i) {
        const u8 cfg = registers.cfg[i];
        const bool reserved = !lockdown && (cfg & (kRead | kWrite)) == kWrite;
        if ((cfg & ~kImplemented) != 0 || reserved || registers.addr[i] > kAddressMask) return false;
    }
    return registers.mseccfg <= (kMml | kMmwp | kRlb);
}
}  // namespace hartline::pmp
