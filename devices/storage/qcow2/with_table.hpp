// Image::with_table, which lookup, reading and writing share.
#pragma once
#include "devices/storage/qcow2/image.hpp"

namespace hartline::qcow2 {
template <class Use>
bool Image::with_table(u64 offset, Use use) {
    const u32 index = l1_index(offset);
    for (;;) {
        {
            const std::shared_lock lock(map_);
            if (index >= l1_.size()) return false;
            const Table* table = find(index);
            if (table != nullptr || (l1_[index] & kOffsetMask) == 0) return use(table);
        }
        if (!load(index)) return false;
    }
}
}  // namespace hartline::qcow2
