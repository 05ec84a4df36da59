// The page-table walk: pure but for the memory that it is given.
// priv, "Virtual Address Translation Process" (Sv39, Sv48 and Sv57 by one table of geometry).
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

// Translates under a regime that translates (Regime::translates()).
Translation walk(const Regime& regime, u64 vaddr, Access access, WalkMemory& memory);
}  // namespace hartline
