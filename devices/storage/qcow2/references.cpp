// How often each cluster is really used.
#include "devices/storage/qcow2/references.hpp"

#include <algorithm>

#include "devices/storage/qcow2/snapshots.hpp"

namespace hartline::qcow2 {
namespace {
constexpr u64 kMostDirectoryBytes = u64{64} << 20, kMostBitmapEntries = u64{1} << 22;

std::string hex(u64 value) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string text;
    for (; value != 0 || text.empty(); value >>= 4) text.insert(text.begin(), kDigits[value & 15]);
    return "0x" + text;
}
}  // namespace

References::References(HostFile& file, const Header& header, CheckResult& result)
    : file_(file), header_(header), result_(result) {
    const u64 cluster = header.cluster();
    limit_ = (file.size().value_or(0) + cluster - 1) / cluster * cluster;
}

void References::corrupt(const std::string& what, bool unfixable) {
    ++result_.corruptions;
    result_.unfixable |= unfixable;
    if (result_.lines.size() < CheckResult::kMostLines) result_.lines.push_back("ERROR " + what);
}

u64 References::uses(u64 cluster) const {
    const auto found = chunks_.find(cluster / kChunk);
    return found == chunks_.end() ? 0 : found->second[cluster % kChunk];
}

void References::use(u64 offset, u64 bytes, const char* what) {
    if (bytes == 0) return;
    if (bytes > limit_ || offset > limit_ - bytes)
        return corrupt(std::string(what) + " at " + hex(offset) + " is past the end of the file");
    const u64 last = (offset + bytes - 1) >> header_.cluster_bits;
    for (u64 at = offset >> header_.cluster_bits; at <= last; ++at) {
        auto& counts = chunks_[at / kChunk];
        if (counts.empty()) counts.resize(kChunk);
        if (counts[at % kChunk] != ~u32{0}) ++counts[at % kChunk];
        end_ = std::max(end_, at + 1);
    }
}

void References::count_mapping(const Mapping& m, bool active) {
    const bool shown = m.compressed || m.host != 0 || m.zeroed != 0;
    if (active && shown && (m.compressed || m.allocated != 0 || m.host != 0)) {
        ++result_.allocated_clusters;
        result_.compressed_clusters += m.compressed;
        result_.fragmented_clusters += m.compressed || (next_ != 0 && m.host != next_);
        next_ = m.compressed ? 0 : m.host + header_.cluster();
    }
    if (m.compressed && m.copied) corrupt("a compressed cluster is marked as copied");
    use(m.host, m.compressed ? m.host_bytes : m.host != 0 ? header_.cluster() : 0, "a data cluster");
}

void References::count_l2(u64 offset, bool active) {
    std::vector<u8> table(header_.cluster());
    if (!read_padded(file_, offset, table)) {
        ++result_.errors;
        return;
    }
    for (u64 at = 0; at < table.size(); at += header_.l2_entry_bytes()) {
        L2Entry entry{get_be64(&table[at]), 0};
        if (header_.extended_l2()) entry.bitmap = get_be64(&table[at + 8]);
        const auto mapping = decode(header_, entry);
        if (!mapping)
            corrupt("the L2 entry at " + hex(offset + at) + " is invalid: " + hex(entry.descriptor));
        else
            count_mapping(*mapping, active);
    }
}

void References::count_l1(u64 offset, u32 entries, bool active) {
    std::vector<u8> table(u64{entries} * 8);
    use(offset, table.size(), "an L1 table");
    if (!table.empty() && !read_padded(file_, offset, table)) {
        ++result_.errors;
        return;
    }
    for (u64 i = 0; i < entries; ++i) {
        const u64 l2 = get_be64(&table[i * 8]) & kOffsetMask;
        if (l2 == 0) continue;
        if (l2 % header_.cluster() != 0 || l2 >= limit_) {
            corrupt("the L1 entry " + std::to_string(i) + " points to no table: " + hex(l2));
            continue;
        }
        use(l2, header_.cluster(), "an L2 table");
        count_l2(l2, active);
    }
}

void References::count_bitmap_table(u64 offset, u32 entries) {
    if (entries > kMostBitmapEntries) return corrupt("a bitmap's table is too large");
    std::vector<u8> table(u64{entries} * 8);
    use(offset, table.size(), "a bitmap's table");
    if (!table.empty() && !read_padded(file_, offset, table)) {
        ++result_.errors;
        return;
    }
    for (u64 i = 0; i < entries; ++i) {
        const u64 data = get_be64(&table[i * 8]) & kOffsetMask;
        if (data != 0) use(data, header_.cluster(), "a bitmap's cluster");
    }
}

// "Bitmap directory"
void References::count_bitmaps() {
    constexpr u64 kEntryBytes = 24;
    const Header::Bitmaps& bitmaps = *header_.bitmaps;
    if (bitmaps.directory_bytes > kMostDirectoryBytes || bitmaps.directory_offset % header_.cluster() != 0 ||
        bitmaps.directory_bytes > limit_ || bitmaps.directory_offset > limit_ - bitmaps.directory_bytes)
        return corrupt("the bitmap directory is out of bounds");
    std::vector<u8> directory(bitmaps.directory_bytes);
    use(bitmaps.directory_offset, directory.size(), "the bitmap directory");
    if (!read_padded(file_, bitmaps.directory_offset, directory)) {
        ++result_.errors;
        return;
    }
    u64 at = 0;
    for (u32 i = 0; i < bitmaps.count; ++i) {
        if (directory.size() - at < kEntryBytes) return corrupt("the bitmap directory ends too soon");
        const u8* entry = &directory[at];
        count_bitmap_table(get_be64(entry) & kOffsetMask, get_be32(entry + 8));
        const u64 bytes = (kEntryBytes + get_be16(entry + 18) + get_be32(entry + 20) + 7) / 8 * 8;
        if (bytes > directory.size() - at) return corrupt("the bitmap directory ends too soon");
        at += bytes;
    }
}

void References::count_refcounts() {
    const u64 bytes = u64{header_.refcount_table_clusters} << header_.cluster_bits;
    std::vector<u8> table(bytes);
    use(header_.refcount_table_offset, bytes, "the refcount table");
    if (!read_padded(file_, header_.refcount_table_offset, table)) {
        ++result_.errors;
        return;
    }
    for (u64 i = 0; i < bytes / 8; ++i) {
        const u64 block = get_be64(&table[i * 8]) & kRefcountOffsetMask;
        if (block == 0) continue;
        if (block % header_.cluster() != 0)
            corrupt("the refcount block " + std::to_string(i) + " is not aligned", false);
        else
            use(block, header_.cluster(), "a refcount block");
    }
}

void References::count_all(bool refcount_structure) {
    use(0, header_.cluster(), "the header");
    count_l1(header_.l1_offset, header_.l1_entries, true);
    if (const auto snapshots = read_snapshots(file_, header_)) {
        if (header_.snapshots != 0) use(header_.snapshots_offset, snapshots->bytes, "the snapshot table");
        for (const Snapshot& snapshot : snapshots->all)
            count_l1(snapshot.l1_offset, snapshot.l1_entries, false);
    } else {
        corrupt("the snapshot table is out of bounds");
    }
    if (header_.bitmaps && (header_.autoclear & autoclear::kBitmaps) != 0) count_bitmaps();
    if (refcount_structure) count_refcounts();
}
}  // namespace hartline::qcow2
