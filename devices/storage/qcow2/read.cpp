// Reading.
#include <algorithm>

#include "devices/storage/qcow2/compression.hpp"
#include "devices/storage/qcow2/image.hpp"
#include "devices/storage/qcow2/with_table.hpp"

namespace hartline::qcow2 {
namespace {
constexpr std::size_t kUnpackedClusters = 4;  // that are kept
}

bool Image::read(u64 offset, std::span<u8> out) {
    if (!inside(offset, out.size())) return false;
    while (!out.empty()) {
        u64 done = 0;
        const bool good = with_table(offset, [&](const Table* table) {
            const auto run = run_at(table, offset, out.size());
            if (!run) return false;
            done = run->bytes;
            return read_run(*run, offset, out.first(done));
        });
        if (!good) return false;
        offset += done;
        out = out.subspan(done);
    }
    return true;
}

bool Image::read_run(const Run& run, u64 offset, std::span<u8> out) {
    if (run.compressed) {
        const auto cluster = unpack(*run.compressed);
        if (!cluster) return false;
        std::ranges::copy(std::span(*cluster).subspan(offset % header_.cluster(), out.size()), out.begin());
        return true;
    }
    switch (run.kind) {
        case Kind::Data: return read_data(run.host, out);
        case Kind::Backing: return read_backing(offset, out);
        case Kind::Zero: break;
    }
    std::ranges::fill(out, u8{0});
    return true;
}

// Data past the end of the file are zeroes, as where only the mapping was allocated; but not in a file that
// was longer.
bool Image::read_data(u64 host, std::span<u8> out) {
    if (file_->read(host, out)) return true;
    return (host >= file_end_ || out.size() > file_end_ - host) && read_padded(*file_, host, out);
}

// A backing image that is smaller than the disk ends in zeroes.
bool Image::read_backing(u64 offset, std::span<u8> out) {
    const u64 there = has_backing(offset) ? std::min<u64>(out.size(), backing_->bytes() - offset) : 0;
    std::ranges::fill(out.subspan(there), u8{0});
    return there == 0 || backing_->read(offset, out.first(there));
}

std::shared_ptr<const std::vector<u8>> Image::unpack(const Mapping& mapping) {
    {
        const std::lock_guard lock(unpacked_lock_);
        const auto found = std::ranges::find_if(unpacked_, [&](const Unpacked& one) {
            return one.host == mapping.host && one.host_bytes == mapping.host_bytes;
        });
        if (found != unpacked_.end()) {
            unpacked_.splice(unpacked_.begin(), unpacked_, found);
            return found->bytes;
        }
    }
    std::vector<u8> packed(mapping.host_bytes);
    auto bytes = std::make_shared<std::vector<u8>>(header_.cluster());
    if (!read_padded(*file_, mapping.host, packed) || !decompress(header_.compression, packed, *bytes))
        return nullptr;
    const std::lock_guard lock(unpacked_lock_);
    unpacked_.push_front({mapping.host, mapping.host_bytes, bytes});
    if (unpacked_.size() > kUnpackedClusters) unpacked_.pop_back();
    return bytes;
}
}  // namespace hartline::qcow2
