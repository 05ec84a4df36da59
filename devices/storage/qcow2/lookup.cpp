// Where a byte of the disk is: L1 and L2 tables, in memory as they are needed.
#include <algorithm>

#include "devices/storage/qcow2/image.hpp"
#include "devices/storage/qcow2/with_table.hpp"

namespace hartline::qcow2 {
namespace {
constexpr u64 kTableCacheBytes = u64{32} << 20, kLeastTables = 8;
}

Image::Table* Image::find(u32 index) {
    const auto found = tables_.find(index);
    if (found == tables_.end()) return nullptr;
    found->second->used.store(uses_.fetch_add(1, std::memory_order_relaxed), std::memory_order_relaxed);
    return found->second.get();
}

// Of the tables that need no writing, the least used go when there are too many.
void Image::shed(u32 keep) {
    const u64 most = std::max(kTableCacheBytes >> header_.cluster_bits, kLeastTables);
    if (tables_.size() < most) return;
    std::vector<std::pair<u64, u32>> clean;
    for (const auto& [index, table] : tables_)
        if (!table->dirty() && table->linked && index != keep && index != held_)
            clean.emplace_back(table->used.load(), index);
    std::ranges::sort(clean);
    clean.resize((clean.size() + 1) / 2);
    for (const auto& [used, index] : clean) tables_.erase(index);
}

bool Image::load(u32 index) {
    const std::unique_lock lock(map_);
    if (find(index) != nullptr || (l1_[index] & kOffsetMask) == 0) return true;
    auto table = std::make_unique<Table>();
    table->offset = l1_[index] & kOffsetMask;
    table->bytes.resize(header_.cluster());
    if (!read_padded(*file_, table->offset, table->bytes)) return false;
    shed(index);
    tables_.emplace(index, std::move(table));
    return true;
}

std::optional<Mapping> Image::mapping(const Table& table, u64 cluster) const {
    const u64 at = cluster % header_.l2_entries() * header_.l2_entry_bytes();
    L2Entry entry{get_be64(&table.bytes[at]), 0};
    if (header_.extended_l2()) entry.bitmap = get_be64(&table.bytes[at + 8]);
    auto found = decode(header_, entry);
    if (!found || found->host == 0) return found;
    const u64 bytes = found->compressed ? 1 : header_.cluster();
    if (bytes > host_end_ || found->host > host_end_ - bytes) return std::nullopt;
    return found;
}

// The part of a cluster from `offset` on that is kept in one way.
std::optional<Image::Run> Image::piece_at(const Table* table, u64 offset) {
    const u64 in_cluster = offset % header_.cluster(), sub = header_.subcluster();
    Run run;
    run.bytes = header_.cluster() - in_cluster;
    if (table == nullptr) return run;
    const auto found = mapping(*table, offset >> header_.cluster_bits);
    if (!found) return std::nullopt;
    if (found->compressed) {
        run.kind = Kind::Data;
        run.compressed = *found;
        return run;
    }
    const auto first = static_cast<unsigned>(in_cluster / sub);
    const auto kind = [&](unsigned i) {
        if (bit(found->zeroed, i) != 0) return Kind::Zero;
        return bit(found->allocated, i) != 0 ? Kind::Data : Kind::Backing;
    };
    unsigned past = first + 1;
    while (past < header_.subclusters() && kind(past) == kind(first)) ++past;
    run.kind = kind(first);
    run.bytes = past * sub - in_cluster;
    run.host = found->host == 0 ? 0 : found->host + in_cluster;
    run.in_place = run.kind == Kind::Data && found->copied;
    return run;
}

std::optional<Image::Run> Image::run_at(const Table* table, u64 offset, u64 most) {
    most = std::min(most, header_.l2_covers() - offset % header_.l2_covers());
    if (table == nullptr) {
        Run run;
        run.bytes = most;
        return run;
    }
    auto run = piece_at(table, offset);
    while (run && !run->compressed && run->bytes < most) {
        const auto next = piece_at(table, offset + run->bytes);
        if (!next || next->compressed || next->kind != run->kind || next->in_place != run->in_place) break;
        if ((run->host == 0 ? 0 : run->host + run->bytes) != next->host) break;
        run->bytes += next->bytes;
    }
    if (run) run->bytes = std::min(run->bytes, most);
    return run;
}

// Nothing more is written to an image that contradicts itself ("Header": the corrupt bit); false.
bool Image::corrupt_found() {
    if (!corrupt_.exchange(true) && !file_->read_only() && header_.version > 2) {
        Header marked = header_;
        marked.incompatible |= incompatible::kCorrupt;
        (void)(file_->write(0, fixed_fields(marked)) && file_->flush());
    }
    return false;
}

std::optional<DiskImage::Extent> Image::extent(u64 offset) {
    std::optional<Extent> found;
    const bool good = with_table(offset, [&](const Table* table) {
        const auto run = run_at(table, offset, header_.size - offset);
        if (!run) return false;
        found = {run->bytes, run->kind, run->kind != Kind::Backing, run->compressed.has_value()};
        if (run->host != 0 && run->kind != Kind::Backing) found->host_offset = run->host;
        if (run->kind == Kind::Backing && backing_ == nullptr) found->kind = Kind::Zero;
        return true;
    });
    if (!good) return std::nullopt;
    return found;
}
}  // namespace hartline::qcow2
