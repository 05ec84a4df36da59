// Compares what an image counts with what it uses.
#include "devices/storage/qcow2/check.hpp"

#include <algorithm>

#include "devices/storage/qcow2/references.hpp"
#include "devices/storage/qcow2/stored_refcounts.hpp"

namespace hartline::qcow2 {

StoredRefcounts::StoredRefcounts(HostFile& file, const Header& header, CheckResult& result)
    : file_(file), header_(header), result_(result) {
    std::vector<u8> bytes(u64{header.refcount_table_clusters} << header.cluster_bits);
    if (!read_padded(file, header.refcount_table_offset, bytes)) {
        ++result.errors;
        return;
    }
    const u64 file_bytes = file.size().value_or(0);
    table_.resize(bytes.size() / 8);
    for (std::size_t i = 0; i < table_.size(); ++i) {
        const u64 offset = get_be64(&bytes[i * 8]) & kRefcountOffsetMask;
        if (offset % header.cluster() == 0 && offset < file_bytes) table_[i] = offset;
    }
}

const std::vector<u8>* StoredRefcounts::block(u64 index) {
    if (!has_block(index)) return nullptr;
    if (index_ != index) {
        bytes_.assign(header_.cluster(), 0);
        index_ = index;
        if (!read_padded(file_, table_[index], bytes_)) ++result_.errors;
    }
    return &bytes_;
}

u64 StoredRefcounts::get(u64 cluster) {
    const std::vector<u8>* found = block(cluster / header_.refcounts_a_block());
    if (found == nullptr) return 0;
    return get_refcount(*found, header_.refcount_order, cluster % header_.refcounts_a_block());
}

namespace {
void tell(CheckResult& result, const std::string& line) {
    if (result.lines.size() < CheckResult::kMostLines) result.lines.push_back(line);
}

void compare_one(CheckResult& result, u64 cluster, u64 stored, u64 used) {
    if (stored == used) return;
    const std::string counts = "cluster " + std::to_string(cluster) + " refcount=" + std::to_string(stored) +
                               " reference=" + std::to_string(used);
    if (stored > used)
        tell(result, "Leaked " + counts);
    else
        tell(result, "ERROR " + counts);
    ++(stored > used ? result.leaks : result.corruptions);
}

void compare(CheckResult& result, const Header& header, StoredRefcounts& stored, const References& used) {
    const u64 a_block = header.refcounts_a_block();
    u64 end = used.end();
    for (u64 index = 0; index < stored.blocks(); ++index) {
        const auto* block = stored.block(index);
        if (block == nullptr) continue;
        for (u64 i = 0; i < a_block; ++i) {
            const u64 count = get_refcount(*block, header.refcount_order, i);
            const u64 cluster = index * a_block + i;
            if (count != 0) end = std::max(end, cluster + 1);
            compare_one(result, cluster, count, used.uses(cluster));
        }
    }
    used.each([&](u64 cluster, u64 uses) {
        if (!stored.has_block(cluster / a_block)) compare_one(result, cluster, 0, uses);
    });
    result.image_end = end << header.cluster_bits;
}

// Walks the active tables' entries. visit(offset of the entry, entry, offset of the host cluster) may change
// the entry; tables that it changed are written back.
template <class Visit>
bool each_active_entry(HostFile& file, const Header& header, Visit visit) {
    std::vector<u8> l1(u64{header.l1_entries} * 8);
    if (!l1.empty() && !read_padded(file, header.l1_offset, l1)) return false;
    const u64 file_bytes = file.size().value_or(0);
    const auto table = [&](u64 offset, std::vector<u8>& bytes, u64 step, bool is_l2) {
        bool changed = false;
        for (u64 at = 0; at < bytes.size(); at += step) {
            const u64 entry = get_be64(&bytes[at]);
            const u64 host = entry & kOffsetMask;
            if (host == 0 || host % header.cluster() != 0 || (is_l2 && bit(entry, 62) != 0)) continue;
            const u64 now = visit(offset + at, entry, host);
            changed |= now != entry;
            put_be64(&bytes[at], now);
        }
        return !changed || file.write(offset, bytes);
    };
    if (!table(header.l1_offset, l1, 8, false)) return false;
    for (u64 i = 0; i < header.l1_entries; ++i) {
        const u64 l2 = get_be64(&l1[i * 8]) & kOffsetMask;
        if (l2 == 0 || l2 % header.cluster() != 0 || l2 >= file_bytes) continue;
        std::vector<u8> bytes(header.cluster());
        if (!read_padded(file, l2, bytes) || !table(l2, bytes, header.l2_entry_bytes(), true)) return false;
    }
    return true;
}

// "L1 table entry", "L2 table entry": bit 63 tells that the refcount is exactly one.
void check_copied(CheckResult& result, HostFile& file, const Header& header, StoredRefcounts& stored) {
    const bool good = each_active_entry(file, header, [&](u64 at, u64 entry, u64 host) {
        const u64 count = stored.get(host >> header.cluster_bits);
        if ((count == 1) == (bit(entry, 63) != 0)) return entry;
        ++result.corruptions;
        tell(result, "ERROR the entry at byte " + std::to_string(at) + " is " + (count == 1 ? "not " : "") +
                         "marked as copied, refcount=" + std::to_string(count));
        return entry;
    });
    if (!good) ++result.errors;
}

// Lowers what is counted too high, in place.
bool lower(HostFile& file, const Header& header) {
    CheckResult scratch;
    References used(file, header, scratch);
    used.count_all(true);
    StoredRefcounts stored(file, header, scratch);
    for (u64 index = 0; index < stored.blocks(); ++index) {
        const auto* block = stored.block(index);
        if (block == nullptr) continue;
        std::vector<u8> lowered = *block;
        for (u64 i = 0; i < header.refcounts_a_block(); ++i) {
            const u64 uses = used.uses(index * header.refcounts_a_block() + i);
            if (get_refcount(lowered, header.refcount_order, i) > uses)
                put_refcount(lowered, header.refcount_order, i, uses);
        }
        if (lowered != *block && !file.write(stored.block_offset(index), lowered)) return false;
    }
    return scratch.errors == 0 && file.flush();
}

// A refcount structure as it should be, to be written behind everything else.
struct Rebuilt {
    std::vector<u64> blocks;  // index of each, in the order in which they lie in the file
    u64 first = 0;            // cluster
    u64 table_clusters = 0;
};

std::optional<Rebuilt> lay_out(const Header& header, const References& used, u64 first) {
    const u64 a_block = header.refcounts_a_block(), cluster = header.cluster();
    std::vector<u64> needed;
    used.each([&](u64 at, u64) { needed.push_back(at / a_block); });
    Rebuilt made{{}, first, 1};
    for (u64 before = 0; before != made.blocks.size() + made.table_clusters;) {
        before = made.blocks.size() + made.table_clusters;
        for (u64 at = first / a_block; at <= (first + before - 1) / a_block; ++at) needed.push_back(at);
        std::ranges::sort(needed);
        needed.erase(std::unique(needed.begin(), needed.end()), needed.end());
        made.blocks = needed;
        made.table_clusters = ((needed.back() + 1) * 8 + cluster - 1) / cluster;
    }
    if (made.table_clusters * cluster > std::max(kMostRefcountTableBytes, cluster)) return std::nullopt;
    return made;
}

bool write_rebuilt(HostFile& file, const Header& header, const References& used, const Rebuilt& made) {
    const u64 a_block = header.refcounts_a_block(),
              past = made.first + made.blocks.size() + made.table_clusters;
    std::vector<u8> table(made.table_clusters << header.cluster_bits);
    for (u64 n = 0; n < made.blocks.size(); ++n) {
        std::vector<u8> block(header.cluster());
        for (u64 i = 0; i < a_block; ++i) {
            const u64 at = made.blocks[n] * a_block + i;
            const u64 uses = at >= made.first && at < past ? 1 : used.uses(at);
            if (uses > header.most_refcount()) return false;
            put_refcount(block, header.refcount_order, i, uses);
        }
        const u64 offset = (made.first + n) << header.cluster_bits;
        put_be64(&table[made.blocks[n] * 8], offset);
        if (!file.write(offset, block)) return false;
    }
    return file.write((made.first + made.blocks.size()) << header.cluster_bits, table) && file.flush();
}

bool rebuild(HostFile& file, Header& header) {
    CheckResult scratch;
    References used(file, header, scratch);
    used.count_all(false);
    const auto size = file.size();
    if (scratch.errors != 0 || !size) return false;
    const u64 first = std::max(used.end(), (*size + header.cluster() - 1) >> header.cluster_bits);
    const auto made = lay_out(header, used, first);
    if (!made || !write_rebuilt(file, header, used, *made)) return false;
    Header switched = header;
    switched.refcount_table_offset = (first + made->blocks.size()) << header.cluster_bits;
    switched.refcount_table_clusters = static_cast<u32>(made->table_clusters);
    if (!file.write(0, fixed_fields(switched)) || !file.flush()) return false;
    header = switched;
    const auto mark = [&](u64, u64 entry, u64 host) {
        return used.uses(host >> header.cluster_bits) == 1 ? entry | kCopied : entry & ~kCopied;
    };
    return each_active_entry(file, header, mark) && file.flush() && !scratch.unfixable;
}
}  // namespace

CheckResult check(HostFile& file, const Header& header) {
    CheckResult result;
    result.total_clusters = header.size / header.cluster() + (header.size % header.cluster() != 0);
    References used(file, header, result);
    used.count_all(true);
    StoredRefcounts stored(file, header, result);
    compare(result, header, stored, used);
    check_copied(result, file, header, stored);
    return result;
}

bool repair(HostFile& file, Header& header, const RepairOptions& options) {
    const CheckResult found = check(file, header);
    if (found.errors != 0) return false;
    const u64 marks = header.incompatible & (incompatible::kDirty | incompatible::kCorrupt);
    if (found.corruptions != 0 || (options.all && marks != 0 && !found.clean())) {
        if (!options.all || !rebuild(file, header)) return false;
    } else if (found.leaks != 0 && !lower(file, header)) {
        return false;
    }
    if (marks == 0 || !options.all) return true;
    Header cleared = header;
    cleared.incompatible &= ~marks;
    if (!file.write(0, fixed_fields(cleared)) || !file.flush()) return false;
    header = cleared;
    return true;
}
}  // namespace hartline::qcow2
