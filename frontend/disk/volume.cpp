// Reading whole sectors, since that is what disk images give, and cutting out what was asked for.
#include "frontend/disk/volume.hpp"

#include <algorithm>

namespace hartline {
namespace {
constexpr u64 kSector = 512;
constexpr std::size_t kChunk = 256 * 1024;
constexpr std::size_t kMostText = 80;
}  // namespace

Volume::Volume(BlockBackend& disk, u64 start, u64 bytes)
    : disk_(&disk), start_(std::min(start, disk.bytes())), bytes_(std::min(bytes, disk.bytes() - start_)) {}

bool Volume::read(u64 offset, std::span<u8> out) const {
    if (offset > bytes_ || out.size() > bytes_ - offset) return false;
    std::vector<u8> sectors;
    u64 at = start_ + offset;
    while (!out.empty()) {
        const std::size_t before = static_cast<std::size_t>(at % kSector);
        const std::size_t count = std::min(out.size(), kChunk);
        sectors.resize((before + count + kSector - 1) / kSector * kSector);
        const u64 first = at - before;
        if (sectors.size() > disk_->bytes() - first || !disk_->read(first, sectors)) return false;
        std::copy_n(sectors.begin() + static_cast<std::ptrdiff_t>(before), count, out.begin());
        out = out.subspan(count);
        at += count;
    }
    return true;
}

std::optional<std::vector<u8>> Volume::read(u64 offset, u64 bytes) const {
    if (offset > bytes_ || bytes > bytes_ - offset) return std::nullopt;
    std::vector<u8> out(static_cast<std::size_t>(bytes));
    if (!read(offset, out)) return std::nullopt;
    return out;
}

std::string printable(std::string_view text) {
    std::string clean;
    for (const char c : text.substr(0, kMostText)) clean += c >= ' ' && c <= '~' ? c : '?';
    return text.size() > kMostText ? clean + "..." : clean;
}
}  // namespace hartline
