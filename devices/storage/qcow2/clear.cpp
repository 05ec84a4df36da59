// Discarding and zeroing.
#include <algorithm>

#include "devices/storage/qcow2/image.hpp"
#include "devices/storage/qcow2/with_table.hpp"

namespace hartline::qcow2 {

// `keep`: clusters that are allocated stay so.
bool Image::clear(u64 offset, u64 bytes, bool keep) {
    if (read_only() || !inside(offset, bytes) || !announce()) return false;
    const u64 end = offset + bytes, cluster = header_.cluster();
    while (offset < end) {
        const u64 boundary = offset - offset % cluster + cluster;
        u64 piece = std::min(boundary, end) - offset;
        bool good = false;
        if (offset % cluster == 0 && (boundary <= end || end == header_.size)) {
            const u64 whole = end == header_.size ? end - offset : (end - offset) / cluster * cluster;
            piece = std::min(whole, header_.l2_covers() - offset % header_.l2_covers());
            good = clear_table(offset, piece, keep);
        } else {
            good = clear_part(offset, piece);
        }
        if (!good) return false;
        offset += piece;
    }
    return true;
}

// Clusters of one L2 table.
bool Image::clear_table(u64 offset, u64 bytes, bool keep) {
    const u64 end = offset + bytes;
    while (offset < end) {
        const std::lock_guard lock(change_);
        if (corrupt_) return false;
        {
            const std::shared_lock map(map_);
            if ((l1_[l1_index(offset)] & kOffsetMask) == 0 && !has_backing(offset)) return true;
        }
        if (!clear_cluster(offset, keep) || !settle()) return false;
        offset += header_.cluster();
    }
    return true;
}

bool Image::clear_cluster(u64 offset, bool keep) {
    const auto old = current(offset);
    if (!old) return false;
    const u32 all = ~u32{0} >> (32 - header_.subclusters());
    const bool own = !old->compressed && old->host != 0 && old->copied;
    Mapping now;
    if (header_.version > 2 && keep && own) {
        now = {.copied = true, .host = old->host, .zeroed = all};
    } else if (header_.version > 2 && has_backing(offset)) {
        now.zeroed = all;
    } else if (has_backing(offset)) {  // version 2 has no mark for zeroes
        const u64 bytes = std::min(header_.cluster(), header_.size - offset);
        const auto zero = reads_zero(offset, bytes);
        if (!zero) return false;
        return *zero || write_changed(offset, std::vector<u8>(bytes));
    }
    if (now == *old) return true;
    if (!set(offset, now)) return false;
    if (now.host != old->host) release(*old);
    return true;
}

// A part of a cluster.
bool Image::clear_part(u64 offset, u64 bytes) {
    while (bytes > 0) {
        u64 done = 0;
        bool zero = false;
        const bool good = !corrupt_ && with_table(offset, [&](const Table* table) {
            const auto run = run_at(table, offset, bytes);
            if (!run) return false;
            done = run->bytes;
            zero = run->kind == Kind::Zero || (run->kind == Kind::Backing && !has_backing(offset));
            if (zero || !run->in_place || places_.has(run->host >> header_.cluster_bits)) return true;
            zero = true;
            return file_->punch(run->host, done) || write_zeroes(*file_, run->host, done);
        });
        if (!good || (!zero && !write(offset, std::vector<u8>(done)))) return false;
        offset += done;
        bytes -= done;
    }
    return true;
}

std::optional<bool> Image::reads_zero(u64 offset, u64 bytes) {
    const u64 end = std::min(offset + bytes, header_.size);
    while (offset < end) {
        bool zero = false;
        const bool good = with_table(offset, [&](const Table* table) {
            const auto run = run_at(table, offset, end - offset);
            if (!run) return false;
            zero = run->kind == Kind::Zero || (run->kind == Kind::Backing && !has_backing(offset));
            offset += run->bytes;
            return true;
        });
        if (!good) return std::nullopt;
        if (!zero) return false;
    }
    return true;
}
}  // namespace hartline::qcow2
