// The last page tables that walks came by, so that most walks read one entry: derived state.
#pragma once
#include <array>

#include "mmu/walk.hpp"

namespace hartline {

// Only what was valid is kept, so entries that become valid are seen at once ("Svvptc").
class TableCache {
public:
    // The table of the lowest level for vaddr, or the root.
    TableAt find(u64 satp, u64 vaddr) const {
        const Entry& entry = entries_[index(vaddr)];
        if (entry.range == range_of(vaddr) && entry.satp == satp && entry.generation == generation_)
            return {entry.table & ~u64{1}, 0, (entry.table & 1) != 0};
        return root_table(satp);
    }
    void keep(u64 satp, u64 vaddr, const TableAt& at) {
        if (at.level != 0) return;
        entries_[index(vaddr)] = {satp, range_of(vaddr), generation_, at.paddr | u64{at.global}};
    }
    void forget() { ++generation_; }
    void forget(u64 vaddr) { entries_[index(vaddr)].generation = 0; }  // in every address space

private:
    static constexpr unsigned kEntries = 512, kRangeShift = 21;
    struct Entry {
        u64 satp = 0, range = 0, generation = 0;
        u64 table = 0;  // its address, and in bit 0 whether it is global
    };
    static u64 range_of(u64 vaddr) { return vaddr >> kRangeShift; }
    static std::size_t index(u64 vaddr) { return range_of(vaddr) % kEntries; }

    std::array<Entry, kEntries> entries_;
    u64 generation_ = 1;
};
}  // namespace hartline
