// Where an image's own structures lie: no guest's data may go there.
#pragma once
#include <mutex>
#include <shared_mutex>
#include <unordered_set>

#include "core/types.hpp"

namespace hartline::qcow2 {

// Host clusters by number. Any thread may ask.
class Places {
public:
    // False where one of them is taken already.
    bool add(u64 cluster, u64 count = 1) {
        const std::unique_lock lock(mutex_);
        bool fresh = true;
        for (u64 i = 0; i < count; ++i) fresh &= taken_.insert(cluster + i).second;
        return fresh;
    }
    void remove(u64 cluster) {
        const std::unique_lock lock(mutex_);
        taken_.erase(cluster);
    }
    bool has(u64 cluster, u64 count = 1) const {
        const std::shared_lock lock(mutex_);
        for (u64 i = 0; i < count; ++i)
            if (taken_.contains(cluster + i)) return true;
        return false;
    }

private:
    mutable std::shared_mutex mutex_;
    std::unordered_set<u64> taken_;
};
}  // namespace hartline::qcow2
