// Writing: in place where a cluster is the image's own, else to a new cluster.
#include <algorithm>

#include "devices/storage/qcow2/compression.hpp"
#include "devices/storage/qcow2/image.hpp"
#include "devices/storage/qcow2/with_table.hpp"

namespace hartline::qcow2 {
namespace {
// What waits for a commit is bounded.
constexpr std::size_t kMostReleased = 65536;
constexpr u64 kMostDirtyBytes = u64{16} << 20, kLeastDirtyTables = 4;
}  // namespace

// A write of a part of one cluster: from what it was to what it becomes.
struct Image::Rewrite {
    u64 offset = 0;  // on the disk
    std::span<const u8> in;
    u64 host = 0;        // of the cluster that is written
    bool own = false;    // it is the old one
    bool fresh = false;  // it reads as zeroes
    u32 allocated = 0;   // subclusters that the old cluster has
    u32 written = 0;     // subclusters to write
};

bool Image::write(u64 offset, std::span<const u8> in) {
    if (read_only() || !inside(offset, in.size()) || !announce()) return false;
    while (!in.empty()) {
        u64 done = 0;
        if (!write_in_place(offset, in, done)) return false;
        if (done == 0) {
            done = std::min<u64>(in.size(), header_.cluster() - offset % header_.cluster());
            const std::lock_guard lock(change_);
            if (!write_changed(offset, in.first(done)) || !settle()) return false;
        }
        offset += done;
        in = in.subspan(done);
    }
    return true;
}

// `done`: how much lies in clusters that may be written in place.
bool Image::write_in_place(u64 offset, std::span<const u8> in, u64& done) {
    if (corrupt_) return false;
    bool sound = true;
    const bool good = with_table(offset, [&](const Table* table) {
        const auto run = run_at(table, offset, in.size());
        if (!run) return sound = false;
        if (!run->in_place) return true;
        const u64 first = run->host >> header_.cluster_bits;
        const u64 last = (run->host + run->bytes - 1) >> header_.cluster_bits;
        if (places_.has(first, last - first + 1)) return sound = false;
        done = run->bytes;
        return file_->write(run->host, in.first(done));
    });
    return sound ? good : corrupt_found();
}

// Features that only describe the image as it was are cleared before it changes ("Header",
// autoclear_features).
bool Image::announce() {
    if (announced_) return true;
    const std::lock_guard lock(change_);
    if (announced_) return true;
    Header cleared = header_;
    cleared.autoclear = 0;
    if (!switch_header(cleared)) return false;
    announced_ = true;
    return true;
}

bool Image::write_changed(u64 offset, std::span<const u8> in) {
    if (corrupt_) return false;
    const auto old = current(offset);
    if (!old) return false;
    const u64 in_cluster = offset % header_.cluster(), sub = header_.subcluster();
    const u32 all = ~u32{0} >> (32 - header_.subclusters());
    const auto first = static_cast<unsigned>(in_cluster / sub);
    const auto last = static_cast<unsigned>((in_cluster + in.size() - 1) / sub);
    const u32 touched = (~u32{0} << first) & (~u32{0} >> (31 - last));
    Rewrite rewrite{offset, in, old->host, !old->compressed && old->host != 0 && old->copied};
    rewrite.allocated = old->compressed ? all : old->allocated;
    rewrite.written = touched | (rewrite.own ? 0 : rewrite.allocated);
    if (changeable(l1_index(offset)) == nullptr) return false;
    if (rewrite.own && places_.has(old->host >> header_.cluster_bits)) return corrupt_found();
    if (!rewrite.own) {
        const auto cluster = refcounts_.allocate(1);
        if (!cluster) return false;
        dirty_ = true;
        rewrite.host = *cluster << header_.cluster_bits;
        rewrite.fresh = *cluster >= fresh_from_;
        fresh_from_ = std::max(fresh_from_, *cluster + 1);
        host_end_ = refcounts_.end() << header_.cluster_bits;
    }
    if (!write_subclusters(rewrite)) {
        if (!rewrite.own) (void)refcounts_.drop(rewrite.host >> header_.cluster_bits);
        return false;
    }
    Mapping now{.copied = true, .host = rewrite.host};
    now.allocated = (rewrite.own ? old->allocated : 0) | rewrite.written;
    now.zeroed = old->zeroed & ~rewrite.written;
    if (now == *old) return true;
    if (!set(offset, now)) return false;
    if (!rewrite.own) release(*old);
    return true;
}

bool Image::write_subclusters(const Rewrite& rewrite) {
    // Runs of subclusters that are written alike.
    const auto kind = [&](unsigned i) {
        return bit(rewrite.written, i) * 2 + (rewrite.own ? bit(rewrite.allocated, i) : 0);
    };
    for (unsigned from = 0, to = 0; from < header_.subclusters(); from = to) {
        while (to < header_.subclusters() && kind(to) == kind(from)) ++to;
        if (bit(rewrite.written, from) != 0 && !write_subcluster_run(rewrite, from, to)) return false;
    }
    return true;
}

// Bytes that others may be writing at this moment (allocated ones of an own cluster) are left alone; what is
// new gets the old contents around the data.
bool Image::write_subcluster_run(const Rewrite& rewrite, unsigned from, unsigned to) {
    const u64 cluster = rewrite.offset - rewrite.offset % header_.cluster(), sub = header_.subcluster();
    const u64 run_from = cluster + from * sub, run_to = cluster + to * sub;
    const u64 data_from = std::max(rewrite.offset, run_from);
    const u64 data_to = std::min(rewrite.offset + rewrite.in.size(), run_to);
    const bool has_data = data_from < data_to;
    const auto data = has_data ? rewrite.in.subspan(data_from - rewrite.offset, data_to - data_from)
                               : std::span<const u8>{};
    const bool mine = rewrite.own && bit(rewrite.allocated, from) != 0;
    const auto was_zero = mine || data.size() == run_to - run_from || !rewrite.fresh
                              ? std::optional(false)
                              : reads_zero(run_from, run_to - run_from);
    if (!was_zero) return false;
    if (mine || *was_zero || data.size() == run_to - run_from)
        return data.empty() || file_->write(rewrite.host + data_from % header_.cluster(), data);
    std::vector<u8> bytes(run_to - run_from);
    // The disk may end within its last cluster.
    const u64 there = run_from < header_.size ? std::min(run_to, header_.size) - run_from : 0;
    if (!read(run_from, std::span(bytes).first(there))) return false;
    std::ranges::copy(data, bytes.begin() + static_cast<std::ptrdiff_t>(has_data ? data_from - run_from : 0));
    return file_->write(rewrite.host + from * sub, bytes);
}

std::optional<Mapping> Image::current(u64 offset) {
    std::optional<Mapping> found;
    const bool good = with_table(offset, [&](const Table* table) {
        found = table == nullptr ? Mapping{} : mapping(*table, offset >> header_.cluster_bits);
        return found.has_value();
    });
    return good ? found : std::nullopt;
}

// The L2 table, in memory until the next call, in a cluster that is the active L1 table's alone. Null:
// failed.
Image::Table* Image::changeable(u32 index) {
    {
        const std::unique_lock lock(map_);
        held_ = index;
    }
    if (!load(index)) return nullptr;
    const std::unique_lock lock(map_);
    Table* table = find(index);
    if (table != nullptr && (l1_[index] & kCopied) != 0) return table;
    return add_table(index, table);
}

Image::Table* Image::add_table(u32 index, Table* copied) {
    const auto cluster = refcounts_.allocate(1);
    if (!cluster) return nullptr;
    fresh_from_ = std::max(fresh_from_, *cluster + 1);
    host_end_ = refcounts_.end() << header_.cluster_bits;
    places_.add(*cluster);
    auto table = std::make_unique<Table>();
    table->offset = *cluster << header_.cluster_bits;
    table->bytes.resize(header_.cluster());
    if (copied != nullptr) {
        table->bytes = copied->bytes;
        released_.push_back({copied->offset >> header_.cluster_bits, 1});
    }
    table->linked = false;
    table->dirty_from = 0;
    table->dirty_to = header_.cluster();
    l1_[index] = table->offset | kCopied;
    dirty_l1_.insert(index);
    dirty_tables_.insert(index);
    dirty_ = true;
    auto& kept = tables_[index];
    kept = std::move(table);
    return kept.get();
}

bool Image::set(u64 offset, const Mapping& mapping) {
    Table* table = changeable(l1_index(offset));
    if (table == nullptr) return false;
    const L2Entry entry = encode(header_, mapping);
    const u64 bytes = header_.l2_entry_bytes();
    const u64 at = (offset >> header_.cluster_bits) % header_.l2_entries() * bytes;
    const std::unique_lock lock(map_);
    put_be64(&table->bytes[at], entry.descriptor);
    if (header_.extended_l2()) put_be64(&table->bytes[at + 8], entry.bitmap);
    table->dirty_from = std::min(table->dirty_from, at);
    table->dirty_to = std::max(table->dirty_to, at + bytes);
    dirty_tables_.insert(l1_index(offset));
    dirty_ = true;
    return true;
}

void Image::release(const Mapping& mapping) {
    if (mapping.host == 0) return;
    const u64 first = mapping.host >> header_.cluster_bits;
    const u64 last =
        (mapping.host + (mapping.compressed ? mapping.host_bytes : 1) - 1) >> header_.cluster_bits;
    released_.push_back({first, last - first + 1});
}

// Commits when much is waiting for it.
bool Image::settle() {
    const std::size_t most = std::max(kMostDirtyBytes >> header_.cluster_bits, kLeastDirtyTables);
    if (released_.size() < kMostReleased && dirty_tables_.size() < most) return true;
    return commit();
}

// A place for so many compressed bytes, counted once more in each cluster that they touch: behind the last
// ones, if there is room.
std::optional<u64> Image::packed(u64 bytes) {
    const u64 cluster = header_.cluster(), shift = header_.cluster_bits;
    const u64 room = pack_at_ % cluster == 0 ? 0 : cluster - pack_at_ % cluster;
    const u64 into = pack_at_ >> shift;
    const auto count = room != 0 ? refcounts_.get(into) : std::nullopt;
    if (count && *count != 0 && *count < header_.most_refcount() &&
        (bytes <= room || refcounts_.allocate_at(into + 1)) && refcounts_.take(into)) {
        pack_at_ += bytes;
        return pack_at_ - bytes;
    }
    const auto fresh = refcounts_.allocate(1);
    if (!fresh) return std::nullopt;
    pack_at_ = (*fresh << shift) + bytes;
    return *fresh << shift;
}

bool Image::write_compressed(u64 offset, std::span<const u8> in) {
    const u64 cluster = header_.cluster();
    if (read_only() || !inside(offset, in.size()) || offset % cluster != 0 ||
        in.size() != std::min(cluster, header_.size - offset))
        return false;
    std::vector<u8> whole(in.begin(), in.end());
    whole.resize(cluster);
    const auto bytes = compress(header_.compression, whole);
    if (!bytes) return write(offset, in);
    if (!announce()) return false;
    const std::lock_guard lock(change_);
    const auto old = corrupt_ ? std::nullopt : current(offset);
    if (!old || changeable(l1_index(offset)) == nullptr) return false;
    const auto host = packed(bytes->size());
    if (!host) return false;
    dirty_ = true;
    const u64 past = ((*host + bytes->size() - 1) >> header_.cluster_bits) + 1;
    fresh_from_ = std::max(fresh_from_, past);
    host_end_ = refcounts_.end() << header_.cluster_bits;
    const Mapping now{.compressed = true, .host = *host, .host_bytes = bytes->size()};
    if (!compressible_at(header_, *host, bytes->size()) || !file_->write(*host, *bytes)) {
        for (u64 at = *host >> header_.cluster_bits; at < past; ++at) (void)refcounts_.drop(at);
        pack_at_ = 0;
        return false;
    }
    if (!set(offset, now)) return false;
    release(*old);
    return settle();
}
}  // namespace hartline::qcow2
