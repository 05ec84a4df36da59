// How often each cluster is really used, counted by walking through all that points to it.
#pragma once
#include <unordered_map>
#include <vector>

#include "devices/storage/qcow2/check.hpp"

namespace hartline::qcow2 {

class References {
public:
    References(HostFile& file, const Header& header, CheckResult& result);
    // Header, L1 and L2 tables, data, snapshots, bitmaps; and the refcount structure itself if asked for.
    void count_all(bool refcount_structure);

    u64 uses(u64 cluster) const;
    u64 end() const { return end_; }  // past the last cluster that is used
    // Calls visit(cluster, uses) for all that are used, in no order.
    template <class Visit>
    void each(Visit visit) const {
        for (const auto& [chunk, counts] : chunks_)
            for (u64 i = 0; i < counts.size(); ++i)
                if (counts[i] != 0) visit(chunk * kChunk + i, u64{counts[i]});
    }

private:
    static constexpr u64 kChunk = 1024;
    void use(u64 offset, u64 bytes, const char* what);
    void count_l1(u64 offset, u32 entries, bool active);
    void count_l2(u64 offset, bool active);
    void count_mapping(const Mapping& mapping, bool active);
    void count_bitmaps();
    void count_bitmap_table(u64 offset, u32 entries);
    void count_refcounts();
    void corrupt(const std::string& what, bool unfixable = true);

    HostFile& file_;
    const Header& header_;
    CheckResult& result_;
    u64 limit_;  // bytes: the file's size, rounded up
    std::unordered_map<u64, std::vector<u32>> chunks_;
    u64 end_ = 0;
    u64 next_ = 0;  // where the cluster after the last one would be
};
}  // namespace hartline::qcow2
