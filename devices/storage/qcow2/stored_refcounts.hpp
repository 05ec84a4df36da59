// The refcounts as the file has them, for checks: what cannot be read counts as zero and is told.
#pragma once
#include <optional>
#include <unordered_map>
#include <vector>

#include "devices/storage/qcow2/check.hpp"

namespace hartline::qcow2 {

class StoredRefcounts {
public:
    StoredRefcounts(HostFile& file, const Header& header, CheckResult& result);
    u64 get(u64 cluster);
    u64 blocks() const { return table_.size(); }
    bool has_block(u64 index) const { return index < table_.size() && table_[index] != 0; }
    u64 block_offset(u64 index) const { return table_[index]; }
    const std::vector<u8>* block(u64 index);  // null: none

private:
    HostFile& file_;
    const Header& header_;
    CheckResult& result_;
    std::vector<u64> table_;
    std::optional<u64> index_;  // of the block in memory
    std::vector<u8> bytes_;
};
}  // namespace hartline::qcow2
