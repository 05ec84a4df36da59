// How often each cluster of the file is used, and which are free.
#pragma once
#include <optional>
#include <set>
#include <unordered_map>
#include <vector>

#include "devices/storage/qcow2/format.hpp"
#include "devices/storage/qcow2/places.hpp"

namespace hartline::qcow2 {

// Refcounts in memory run ahead of those on the disk until write(). One thread at a time. Clusters are
// counted in clusters of the file. What returns false or nothing has failed for the host's reasons or the
// image's.
class Refcounts {
public:
    Refcounts(HostFile& file, Header& header, Places& places)
        : file_(file), header_(header), places_(places) {}
    bool load();  // the table

    std::optional<u64> get(u64 cluster);
    // One use more, or one less. Fails where the count cannot hold it.
    bool take(u64 cluster) { return change(cluster, true); }
    bool drop(u64 cluster) { return change(cluster, false); }
    // So many free clusters in a row, now used once each: the first.
    std::optional<u64> allocate(u64 count);
    // This one, if it is free.
    bool allocate_at(u64 cluster);

    bool dirty() const { return dirty_ != 0; }
    // New blocks, made durable, and then the table's entries of them; and the others. What uses new clusters
    // may be written after a flush that follows.
    bool write();
    u64 end() const { return end_; }  // past the last cluster that was ever handed out

private:
    struct Block {
        std::vector<u8> bytes;
        bool dirty = false, linked = true;  // linked: the table on the disk has it
    };
    Block* block(u64 index);  // null: there is none, or it cannot be read
    bool exists(u64 index) const { return index < table_.size() && table_[index] != 0; }
    bool ensure(u64 index);
    bool make_block(u64 index);
    bool grow(u64 index);
    bool write_grown(u64 first, u64 blocks, const std::vector<u64>& table);
    bool change(u64 cluster, bool up);
    void put(Block& block, u64 cluster, u64 value);
    void shed();
    bool write_unlinked();
    u64 a_block() const { return header_.refcounts_a_block(); }

    HostFile& file_;
    Header& header_;
    Places& places_;
    std::vector<u64> table_;  // offsets
    std::unordered_map<u64, Block> blocks_;
    std::set<u64> to_link_;  // durable blocks that the table on the disk lacks
    u64 dirty_ = 0;          // blocks
    u64 free_from_ = 0;
    u64 end_ = 0;
    bool broken_ = false;  // a switch of tables failed half way: nothing may change any more
};
}  // namespace hartline::qcow2
