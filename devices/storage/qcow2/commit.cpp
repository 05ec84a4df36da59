// Making it durable, in an order that a power cut may stop anywhere.
#include <algorithm>

#include "devices/storage/qcow2/image.hpp"

namespace hartline::qcow2 {
namespace {
constexpr u64 kSector = 512;
}

bool Image::flush() {
    if (read_only()) return true;
    if (!dirty_) return file_->flush();
    const std::lock_guard lock(change_);
    return commit();
}

// First what nothing on the disk points to yet (and the data, which is written already); when that is
// durable, what points to it. Each entry of a table is its own: those writes may be torn between entries.
bool Image::commit() {
    if (corrupt_) return false;
    std::vector<Table*> fresh, linked;
    {
        const std::shared_lock lock(map_);
        for (const u32 index : dirty_tables_) {
            Table* table = tables_.at(index).get();
            (table->linked ? linked : fresh).push_back(table);
        }
    }
    if (!cover_end() || !refcounts_.write() || !write_new_tables(fresh) || !file_->flush()) return false;
    for (Table* table : fresh) {
        const std::unique_lock lock(map_);
        table->linked = true;
    }
    if (!linked.empty() || !dirty_l1_.empty()) {
        if (!write_links(linked) || !file_->flush()) return false;
        const std::unique_lock lock(map_);
        for (const u32 index : dirty_tables_) {
            tables_.at(index)->dirty_from = ~u64{0};
            tables_.at(index)->dirty_to = 0;
        }
        dirty_tables_.clear();
        dirty_l1_.clear();
    }
    dirty_ = !(free_released() && refcounts_.write());
    return true;
}

// The file reaches to the last cluster's end, so that what is never written in it reads as zeroes.
bool Image::cover_end() {
    const u64 end = refcounts_.end() << header_.cluster_bits;
    const auto size = file_->size();
    if (!size || *size < file_end_ || (*size < end && !file_->truncate(end))) return false;
    file_end_ = std::max(*size, end);
    return true;
}

bool Image::write_new_tables(const std::vector<Table*>& tables) {
    return std::ranges::all_of(tables,
                               [&](const Table* table) { return file_->write(table->offset, table->bytes); });
}

bool Image::write_links(const std::vector<Table*>& tables) {
    for (const Table* table : tables) {
        const u64 from = table->dirty_from / kSector * kSector;
        const u64 to =
            std::min<u64>((table->dirty_to + kSector - 1) / kSector * kSector, table->bytes.size());
        if (!file_->write(table->offset + from, std::span(table->bytes).subspan(from, to - from)))
            return false;
    }
    for (const u32 index : dirty_l1_) {
        std::array<u8, 8> entry{};
        put_be64(entry.data(), l1_[index]);
        if (!file_->write(header_.l1_offset + u64{index} * 8, entry)) return false;
    }
    return true;
}

// What is no longer mapped on the disk either is counted down; its storage goes back to the host.
bool Image::free_released() {
    u64 first = 0, count = 0;  // to punch
    const auto punch = [&] {
        if (count != 0) (void)file_->punch(first << header_.cluster_bits, count << header_.cluster_bits);
        count = 0;
    };
    bool good = true;
    while (good && !released_.empty()) {
        Freed& freed = released_.back();
        const auto uses = refcounts_.get(freed.cluster);
        good = uses && (*uses != 0 || corrupt_found()) && refcounts_.drop(freed.cluster);
        if (!good) break;
        if (*uses == 1) {
            places_.remove(freed.cluster);
            if (pack_at_ >> header_.cluster_bits == freed.cluster) pack_at_ = 0;
            if (count != 0 && freed.cluster + 1 == first) --first;
            if (count == 0 || (freed.cluster != first && freed.cluster != first + count)) {
                punch();
                first = freed.cluster;
            }
            ++count;
        }
        ++freed.cluster;
        if (--freed.count == 0) released_.pop_back();
    }
    punch();
    const std::lock_guard lock(unpacked_lock_);
    unpacked_.clear();
    return good;
}

bool Image::switch_header(const Header& to) {
    if (!file_->write(0, fixed_fields(to)) || !file_->flush()) return false;
    header_.autoclear = to.autoclear;
    return true;
}

// A larger L1 table elsewhere, then the header that has it and the new size at once.
bool Image::grow_l1(u64 bytes) {
    const u64 entries = header_.l1_needed(bytes), cluster = header_.cluster();
    const u64 clusters = (entries * 8 + cluster - 1) / cluster;
    if (entries * 8 > kMostL1Bytes || !commit()) return false;
    const auto first = refcounts_.allocate(clusters);
    if (!first) return false;
    dirty_ = true;
    fresh_from_ = std::max(fresh_from_, *first + clusters);
    places_.add(*first, clusters);
    std::vector<u8> table(clusters * cluster);
    for (std::size_t i = 0; i < l1_.size(); ++i) put_be64(&table[i * 8], l1_[i]);
    Header grown = header_;
    grown.l1_offset = *first << header_.cluster_bits;
    grown.l1_entries = static_cast<u32>(entries);
    grown.size = bytes;
    if (!cover_end() || !refcounts_.write() || !file_->write(grown.l1_offset, table) || !file_->flush())
        return false;
    // refcounts_.write() does not change the header; allocate() may have.
    if (!switch_header(grown)) return false;
    const u64 old_clusters = (u64{header_.l1_entries} * 8 + cluster - 1) / cluster;
    if (old_clusters != 0) released_.push_back({header_.l1_offset >> header_.cluster_bits, old_clusters});
    header_ = grown;
    const std::unique_lock lock(map_);
    l1_.resize(entries);
    host_end_ = refcounts_.end() << header_.cluster_bits;
    return true;
}

bool Image::set_size(u64 bytes) {
    const std::lock_guard lock(change_);
    if (corrupt_) return false;
    if (header_.l1_needed(bytes) > header_.l1_entries) return grow_l1(bytes);
    Header sized = header_;
    sized.size = bytes;
    if (!commit() || !switch_header(sized)) return false;
    header_.size = bytes;
    return true;
}

bool Image::resize(u64 bytes) {
    const u64 old = header_.size;
    if (read_only() || bytes == 0 || bytes % kSector != 0 || bytes > ~u64{0} >> 1 || !announce())
        return false;
    if (header_.version == 2 && header_.snapshots != 0) return false;  // they have no size of their own
    if (bytes < old) return clear(bytes, old - bytes, false) && set_size(bytes) && flush();
    // Behind the old end of the disk a cluster or a backing image may have held something.
    return set_size(bytes) && clear(old, bytes - old, false) && flush();
}

bool Image::forget() {
    if (backing_ == nullptr || read_only() || !announce()) return false;
    const std::lock_guard lock(change_);
    for (u32 index = 0; index < l1_.size() && !corrupt_; ++index) {
        if ((l1_[index] & kOffsetMask) == 0) continue;
        if (!load(index)) return false;
        const std::unique_lock lock_map(map_);
        const Table& table = *tables_.at(index);
        for (u64 i = 0; i < header_.l2_entries(); ++i) {
            const auto old = mapping(table, i);
            if (!old) return corrupt_found();
            release(*old);
        }
        released_.push_back({table.offset >> header_.cluster_bits, 1});
        tables_.erase(index);
        dirty_tables_.erase(index);
        l1_[index] = 0;
        dirty_l1_.insert(index);
        dirty_ = true;
    }
    return commit();
}
}  // namespace hartline::qcow2
