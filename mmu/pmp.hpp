// Physical memory protection, with Smepmp: pure functions over the register values.
// priv, "Physical Memory Protection"; "Smepmp Extension".
#pragma once
#include <array>

#include "mmu/translation.hpp"

namespace hartline {

inline constexpr unsigned kMostPmpEntries = 64;

struct PmpRegisters {
    std::array<u8, kMostPmpEntries> cfg{};
    std::array<u64, kMostPmpEntries> addr{};
    u64 mseccfg = 0;  // MML, MMWP, RLB
};

namespace pmp {
// May `bytes` at `paddr` be accessed? `entries` are implemented (0, 16 or 64).
bool allows(const PmpRegisters& registers, unsigned entries, u64 paddr, u64 bytes, Access access,
            Privilege privilege);
// Does the same rule decide for every byte of the frame at `paddr`, so that its verdict may be cached?
bool uniform(const PmpRegisters& registers, unsigned entries, u64 paddr);
// A range around `paddr` in which one verdict holds for every access of S and U mode, and it is yes; empty
// (last < first) where it is not. Lets most accesses be checked by two compares.
struct Open {
    u64 first = 1, last = 0;
    bool covers(u64 paddr, u64 bytes) const {
        return paddr >= first && paddr <= last && bytes - 1 <= last - paddr;
    }
};
Open open_around(const PmpRegisters& registers, unsigned entries, u64 paddr);
// Does a lock keep writes from having any effect?
bool addr_held(const PmpRegisters& registers, unsigned entries, unsigned index);
// WARL writes; they honour locks and mseccfg. Return whether anything changed.
bool write_cfg(PmpRegisters& registers, unsigned entries, unsigned index, u8 value);
bool write_addr(PmpRegisters& registers, unsigned entries, unsigned index, u64 value);
bool write_mseccfg(PmpRegisters& registers, unsigned entries, u64 value);
// Could writes have led to these values? For snapshots.
bool legal(const PmpRegisters& registers);
}  // namespace pmp
}  // namespace hartline
