// How often each cluster of the file is used, and which are free.
#include "devices/storage/qcow2/refcounts.hpp"

#include <algorithm>

namespace hartline::qcow2 {
namespace {
constexpr u64 kCacheBytes = u64{16} << 20, kLeastCached = 16;
constexpr u64 kMostOffset = u64{1} << 56;  // what L1 and L2 entries can say
}  // namespace

bool Refcounts::load() {
    std::vector<u8> bytes(u64{header_.refcount_table_clusters} << header_.cluster_bits);
    if (!read_padded(file_, header_.refcount_table_offset, bytes)) return false;
    table_.resize(bytes.size() / 8);
    const u64 file_bytes = file_.size().value_or(0);
    for (std::size_t i = 0; i < table_.size(); ++i) {
        table_[i] = get_be64(&bytes[i * 8]) & kRefcountOffsetMask;
        if (table_[i] == 0) continue;
        if (table_[i] % header_.cluster() != 0 || table_[i] >= file_bytes) return false;
        if (!places_.add(table_[i] >> header_.cluster_bits)) return false;
    }
    end_ = (file_bytes + header_.cluster() - 1) >> header_.cluster_bits;
    return true;
}

// Of the blocks that need no writing, all go when there are too many.
void Refcounts::shed() {
    if (blocks_.size() < std::max(kCacheBytes >> header_.cluster_bits, kLeastCached)) return;
    std::erase_if(blocks_, [](const auto& item) { return !item.second.dirty; });
}

Refcounts::Block* Refcounts::block(u64 index) {
    if (const auto found = blocks_.find(index); found != blocks_.end()) return &found->second;
    if (!exists(index)) return nullptr;
    Block loaded{std::vector<u8>(header_.cluster())};
    if (!read_padded(file_, table_[index], loaded.bytes)) return nullptr;
    shed();
    return &blocks_.emplace(index, std::move(loaded)).first->second;
}

std::optional<u64> Refcounts::get(u64 cluster) {
    const u64 index = cluster / a_block();
    if (!exists(index)) return 0;
    const Block* found = block(index);
    if (found == nullptr) return std::nullopt;
    return get_refcount(found->bytes, header_.refcount_order, cluster % a_block());
}

void Refcounts::put(Block& block, u64 cluster, u64 value) {
    put_refcount(block.bytes, header_.refcount_order, cluster % a_block(), value);
    if (!block.dirty) ++dirty_;
    block.dirty = true;
}

bool Refcounts::change(u64 cluster, bool up) {
    if (broken_) return false;
    const auto value = get(cluster);
    Block* found = value ? block(cluster / a_block()) : nullptr;
    if (found == nullptr || *value == (up ? header_.most_refcount() : 0)) return false;
    put(*found, cluster, up ? *value + 1 : *value - 1);
    if (!up && *value == 1) free_from_ = std::min(free_from_, cluster);
    return true;
}

bool Refcounts::ensure(u64 index) {
    if (exists(index)) return true;
    return index < table_.size() ? make_block(index) : grow(index);
}

// A block lies in the range that it counts, so that it needs no other one.
bool Refcounts::make_block(u64 index) {
    u64 at = index * a_block();
    while (places_.has(at))
        if (++at == (index + 1) * a_block()) return false;
    Block made{std::vector<u8>(header_.cluster())};
    made.linked = false;
    put(made, at, 1);
    places_.add(at);
    table_[index] = at << header_.cluster_bits;
    blocks_.emplace(index, std::move(made));
    end_ = std::max(end_, at + 1);
    return true;
}

std::optional<u64> Refcounts::allocate(u64 count) {
    u64 at = free_from_, run = 0;
    for (; run < count; ++at) {
        if (broken_ || at >= kMostOffset >> header_.cluster_bits || !ensure(at / a_block()))
            return std::nullopt;
        const auto value = get(at);
        if (!value) return std::nullopt;
        run = *value == 0 && !places_.has(at) ? run + 1 : 0;
    }
    const u64 first = at - count;
    for (u64 i = first; i < at; ++i)
        if (!take(i)) return std::nullopt;
    if (count == 1 || first == free_from_) free_from_ = at;
    end_ = std::max(end_, at);
    return first;
}

bool Refcounts::allocate_at(u64 cluster) {
    const auto value = get(cluster);
    if (broken_ || !value || *value != 0 || places_.has(cluster) || !ensure(cluster / a_block()))
        return false;
    if (get(cluster) != 0 || places_.has(cluster)) return false;  // the new block took it
    if (!take(cluster)) return false;
    end_ = std::max(end_, cluster + 1);
    return true;
}

// A larger table, and blocks that count it and themselves, at the start of the range that had none.
bool Refcounts::grow(u64 index) {
    const u64 first = index * a_block(), cluster = header_.cluster();
    u64 blocks = 1, table_clusters = 0, entries = 0;
    for (u64 before = 0; before != blocks;) {
        before = blocks;
        entries = std::max<u64>(index + blocks, table_.size() + table_.size() / 2);
        table_clusters = (entries * 8 + cluster - 1) / cluster;
        blocks = (blocks + table_clusters + a_block() - 1) / a_block();
        if (blocks < before) blocks = before;
    }
    if (table_clusters * cluster > std::max(kMostRefcountTableBytes, cluster)) return false;
    if (places_.has(first, blocks + table_clusters)) return false;
    std::vector<u64> table = table_;
    table.resize(table_clusters * cluster / 8);
    for (u64 i = 0; i < blocks; ++i) {
        table[index + i] = (first + i) << header_.cluster_bits;
        Block made{std::vector<u8>(cluster)};
        for (u64 at = first; at < first + blocks + table_clusters; ++at)
            if (at / a_block() == index + i)
                put_refcount(made.bytes, header_.refcount_order, at % a_block(), 1);
        made.dirty = true;
        made.linked = false;
        blocks_.insert_or_assign(index + i, std::move(made));
        ++dirty_;
    }
    broken_ = !write_grown(first, blocks, table);
    return !broken_;
}

bool Refcounts::write_grown(u64 first, u64 blocks, const std::vector<u64>& table) {
    const u64 cluster = header_.cluster();
    std::vector<u8> bytes(table.size() * 8);
    for (std::size_t i = 0; i < table.size(); ++i) put_be64(&bytes[i * 8], table[i]);
    const u64 old_first = header_.refcount_table_offset >> header_.cluster_bits;
    const u64 old_count = header_.refcount_table_clusters, count = bytes.size() / cluster;
    table_ = table;
    for (auto& [index, block] : blocks_) {
        if (block.linked) continue;
        if (!file_.write(table_[index], block.bytes)) return false;
        block.linked = true;
    }
    to_link_.clear();
    Header switched = header_;
    switched.refcount_table_offset = (first + blocks) << header_.cluster_bits;
    switched.refcount_table_clusters = static_cast<u32>(count);
    if (!file_.write(switched.refcount_table_offset, bytes) || !file_.flush() ||
        !file_.write(0, fixed_fields(switched)) || !file_.flush())
        return false;
    header_.refcount_table_offset = switched.refcount_table_offset;
    header_.refcount_table_clusters = switched.refcount_table_clusters;
    places_.add(first, blocks + count);
    end_ = std::max(end_, first + blocks + count);
    for (u64 i = 0; i < old_count; ++i) {
        places_.remove(old_first + i);
        if (!drop(old_first + i)) return false;
    }
    return true;
}

bool Refcounts::write_unlinked() {
    for (auto& [index, block] : blocks_)
        if (!block.linked && !file_.write(table_[index], block.bytes)) return false;
    const auto unlinked = [](const auto& item) { return !item.second.linked; };
    if (std::ranges::any_of(blocks_, unlinked) && !file_.flush()) return false;
    for (auto& [index, block] : blocks_) {
        if (!block.linked) to_link_.insert(index);
        block.linked = true;
    }
    for (const u64 index : to_link_) {
        std::array<u8, 8> entry{};
        put_be64(entry.data(), table_[index]);
        if (!file_.write(header_.refcount_table_offset + index * 8, entry)) return false;
    }
    to_link_.clear();
    return true;
}

bool Refcounts::write() {
    if (broken_) return false;
    if (dirty_ == 0 && to_link_.empty()) return true;
    if (!write_unlinked()) return false;
    for (auto& [index, block] : blocks_) {
        if (!block.dirty) continue;
        if (!file_.write(table_[index], block.bytes)) return false;
    }
    for (auto& [index, block] : blocks_) block.dirty = false;
    dirty_ = 0;
    return true;
}
}  // namespace hartline::qcow2
