// A part of a disk, from which what is on it is read: bytes of a stranger.
#pragma once
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "devices/storage/backend.hpp"

namespace hartline {

// Reads only, within its bounds. `disk` outlives it.
class Volume {
public:
    // Cut at the disk's end.
    Volume(BlockBackend& disk, u64 start, u64 bytes);
    explicit Volume(BlockBackend& disk) : Volume(disk, 0, disk.bytes()) {}

    u64 start() const { return start_; }  // on the disk
    u64 bytes() const { return bytes_; }
    BlockBackend& disk() const { return *disk_; }
    // Fills `out`. False (and `out` is anything) where it reaches past the end, or the host fails.
    bool read(u64 offset, std::span<u8> out) const;
    std::optional<std::vector<u8>> read(u64 offset, u64 bytes) const;

private:
    BlockBackend* disk_;
    u64 start_, bytes_;
};

// A little-endian number at a place that the caller knows to be inside.
template <class T>
T number_at(std::span<const u8> bytes, std::size_t offset) {
    T value{};
    std::memcpy(&value, bytes.data() + offset, sizeof value);
    return value;
}

// For messages: what is not printable ASCII becomes '?', what is long is cut.
std::string printable(std::string_view text);
}  // namespace hartline
