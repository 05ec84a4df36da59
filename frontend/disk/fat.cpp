// FAT12, FAT16 and FAT32 with long names, read only.
// Microsoft, "FAT32 File System Specification".
#include <algorithm>
#include <cctype>
#include <cstdio>

#include "frontend/disk/file_system.hpp"

namespace hartline {
namespace {
constexpr std::size_t kEntryBytes = 32;
constexpr u32 kEndOfFat12 = 0xff5, kEndOfFat16 = 0xfff5;  // fewer clusters than this: FAT12, FAT16
constexpr u8 kLongName = 0x0f, kVolumeLabel = 0x08, kFolder = 0x10;
constexpr u8 kLastLong = 0x40, kDeleted = 0xe5;
constexpr unsigned kMostLongParts = 20;
constexpr u64 kMostFolderBytes = u64{FileSystem::kMostNames} * kEntryBytes;

struct Entry {
    std::string name, short_name;
    bool folder = false;
    u32 cluster = 0;
    u32 bytes = 0;
};

bool same_name(const std::string& a, const std::string& b) {
    return std::ranges::equal(
        a, b, [](unsigned char x, unsigned char y) { return std::toupper(x) == std::toupper(y); });
}

class Fat final : public FileSystem {
public:
    explicit Fat(const Volume& volume) : volume_(volume) {}
    bool open();
    std::string kind() const override { return "FAT"; }
    std::string uuid() const override;
    std::optional<std::vector<u8>> read(const std::string& path, u64 limit) override;
    bool exists(const std::string& path) override;
    std::vector<std::string> list(const std::string& path) override;

private:
    bool geometry(std::span<const u8> boot);
    u32 next_cluster(u32 cluster) const;
    std::optional<std::vector<u8>> chain(u32 cluster, u64 limit, std::optional<u64> exactly) const;
    std::optional<std::vector<u8>> folder_bytes(const Entry& folder) const;
    std::vector<Entry> entries(const Entry& folder) const;
    std::optional<Entry> find(const std::string& path) const;

    Volume volume_;
    unsigned bits_ = 0;  // 12, 16 or 32
    u64 fat_at_ = 0, fat_bytes_ = 0, root_at_ = 0, root_bytes_ = 0, data_at_ = 0, cluster_bytes_ = 0;
    u32 clusters_ = 0, root_cluster_ = 0, serial_ = 0;
};

bool Fat::geometry(std::span<const u8> boot) {
    const u64 sector = number_at<u16>(boot, 11), per_cluster = boot[13];
    const u64 reserved = number_at<u16>(boot, 14), copies = boot[16], root_entries = number_at<u16>(boot, 17);
    const u64 sectors = number_at<u16>(boot, 19) != 0 ? number_at<u16>(boot, 19) : number_at<u32>(boot, 32);
    const u64 fat_sectors =
        number_at<u16>(boot, 22) != 0 ? number_at<u16>(boot, 22) : number_at<u32>(boot, 36);
    const auto power_of_two = [](u64 value) { return value != 0 && (value & (value - 1)) == 0; };
    if (!power_of_two(sector) || sector < 512 || sector > 4096 || !power_of_two(per_cluster) ||
        reserved == 0 || copies == 0 || fat_sectors == 0)
        return false;
    cluster_bytes_ = sector * per_cluster;
    fat_at_ = reserved * sector;
    fat_bytes_ = fat_sectors * sector;
    root_at_ = fat_at_ + copies * fat_bytes_;
    root_bytes_ = root_entries * kEntryBytes;
    data_at_ = root_at_ + (root_bytes_ + sector - 1) / sector * sector;
    if (data_at_ >= volume_.bytes() || sectors * sector > volume_.bytes() || data_at_ >= sectors * sector)
        return false;
    const u64 clusters = (sectors * sector - data_at_) / cluster_bytes_;
    bits_ = clusters < kEndOfFat12 ? 12 : clusters < kEndOfFat16 ? 16 : 32;
    const bool is_32 = number_at<u16>(boot, 22) == 0;
    if (is_32) bits_ = 32;  // small ones that mkfs.fat -F 32 made
    clusters_ = static_cast<u32>(std::min<u64>(clusters, fat_bytes_ * 8 / bits_));
    root_cluster_ = is_32 ? number_at<u32>(boot, 44) : 0;
    serial_ = number_at<u32>(boot, is_32 ? 67 : 39);
    return clusters_ != 0;
}

bool Fat::open() {
    const auto boot = volume_.read(0, 512);
    if (!boot || (*boot)[510] != 0x55 || (*boot)[511] != 0xaa) return false;
    if ((*boot)[0] != 0xeb && (*boot)[0] != 0xe9) return false;
    return geometry(*boot);
}

std::string Fat::uuid() const {
    char text[16];
    std::snprintf(text, sizeof text, "%04X-%04X", serial_ >> 16, serial_ & 0xffff);
    return text;
}

// 0: the chain ends, or leads nowhere.
u32 Fat::next_cluster(u32 cluster) const {
    const u64 at = u64{cluster} * bits_ / 8;
    const std::size_t width = bits_ == 32 ? 4 : 2;
    const auto bytes = volume_.read(fat_at_ + at, width);
    if (!bytes || at + width > fat_bytes_) return 0;
    u32 next = bits_ == 32 ? number_at<u32>(*bytes, 0) & 0x0fff'ffff : number_at<u16>(*bytes, 0);
    if (bits_ == 12) next = cluster % 2 != 0 ? next >> 4 : next & 0xfff;
    return next >= 2 && next - 2 < clusters_ ? next : 0;
}

// A chain's bytes, at most `limit`; no chain is followed for longer than it has clusters to go through.
std::optional<std::vector<u8>> Fat::chain(u32 cluster, u64 limit, std::optional<u64> exactly) const {
    std::vector<u8> all;
    u32 seen = 0;
    while (cluster >= 2 && cluster - 2 < clusters_ && seen++ < clusters_) {
        if (exactly && all.size() >= *exactly) break;
        if (all.size() > limit) return std::nullopt;
        const std::size_t at = all.size();
        all.resize(at + static_cast<std::size_t>(cluster_bytes_));
        if (!volume_.read(data_at_ + u64{cluster - 2} * cluster_bytes_, std::span(all).subspan(at)))
            return std::nullopt;
        cluster = next_cluster(cluster);
    }
    if (!exactly) return all;
    if (all.size() < *exactly) return std::nullopt;
    all.resize(static_cast<std::size_t>(*exactly));
    return all;
}

std::optional<std::vector<u8>> Fat::folder_bytes(const Entry& folder) const {
    if (folder.cluster == 0) {
        if (bits_ != 32) return volume_.read(root_at_, root_bytes_);
        return chain(root_cluster_, kMostFolderBytes, std::nullopt);
    }
    return chain(folder.cluster, kMostFolderBytes, std::nullopt);
}

std::string short_name(std::span<const u8> entry) {
    const auto part = [&](std::size_t from, std::size_t count) {
        std::string text(reinterpret_cast<const char*>(entry.data()) + from, count);
        return text.substr(0, text.find_last_not_of(' ') + 1);
    };
    const std::string extension = part(8, 3);
    return part(0, 8) + (extension.empty() ? "" : "." + extension);
}

// The thirteen UTF-16 letters of one part; what is not ASCII becomes '?', as names that we look for are
// ASCII.
std::string long_part(std::span<const u8> entry) {
    constexpr std::size_t kPlaces[] = {1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30};
    std::string text;
    for (const std::size_t place : kPlaces) {
        const u16 letter = number_at<u16>(entry, place);
        if (letter == 0 || letter == 0xffff) break;
        text += letter >= ' ' && letter <= '~' ? static_cast<char>(letter) : '?';
    }
    return text;
}

std::vector<Entry> Fat::entries(const Entry& folder) const {
    std::vector<Entry> found;
    const auto bytes = folder_bytes(folder);
    std::string long_name;
    for (std::size_t at = 0; bytes && at + kEntryBytes <= bytes->size(); at += kEntryBytes) {
        const auto entry = std::span(*bytes).subspan(at, kEntryBytes);
        const u8 attributes = entry[11];
        if (entry[0] == 0) break;
        if (entry[0] == kDeleted) {
            long_name.clear();
        } else if ((attributes & 0x3f) == kLongName) {
            if ((entry[0] & kLastLong) != 0 || long_name.size() > kMostLongParts * 13) long_name.clear();
            long_name = long_part(entry) + long_name;
        } else if ((attributes & kVolumeLabel) == 0) {
            const std::string brief = short_name(entry);
            const u32 cluster =
                number_at<u16>(entry, 26) | (bits_ == 32 ? u32{number_at<u16>(entry, 20)} << 16 : u32{0});
            found.push_back({long_name.empty() ? brief : long_name, brief, (attributes & kFolder) != 0,
                             cluster, number_at<u32>(entry, 28)});
            long_name.clear();
        } else {
            long_name.clear();
        }
        if (found.size() >= kMostNames) break;
    }
    return found;
}

std::optional<Entry> Fat::find(const std::string& path) const {
    Entry at{"", "", true, 0, 0};
    for (std::size_t from = 0; from < path.size();) {
        const std::size_t slash = std::min(path.find('/', from), path.size());
        const std::string part = path.substr(from, slash - from);
        from = slash + 1;
        if (part.empty()) continue;
        if (!at.folder) return std::nullopt;
        const auto all = entries(at);
        const auto same = [&](const Entry& e) {
            return same_name(e.name, part) || same_name(e.short_name, part);
        };
        const auto found = std::ranges::find_if(all, same);
        if (found == all.end()) return std::nullopt;
        at = *found;
    }
    return at;
}

bool Fat::exists(const std::string& path) {
    const auto entry = find(path);
    return entry && !entry->folder;
}

std::optional<std::vector<u8>> Fat::read(const std::string& path, u64 limit) {
    const auto entry = find(path);
    if (!entry || entry->folder || entry->bytes > limit) return std::nullopt;
    return chain(entry->cluster, limit, entry->bytes);
}

std::vector<std::string> Fat::list(const std::string& path) {
    std::vector<std::string> names;
    const auto folder = find(path);
    if (!folder || !folder->folder) return names;
    for (const Entry& entry : entries(*folder)) names.push_back(entry.name);
    return names;
}
}  // namespace

std::unique_ptr<FileSystem> open_fat(const Volume& volume) {
    auto fat = std::make_unique<Fat>(volume);
    if (!fat->open()) return nullptr;
    return fat;
}
}  // namespace hartline
