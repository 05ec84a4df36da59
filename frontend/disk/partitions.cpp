// Bounded reading of both kinds of partition table.
#include "frontend/disk/partitions.hpp"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <set>

namespace hartline {
namespace {
constexpr u64 kSector = 512;
constexpr std::size_t kSignature = 510;
constexpr std::size_t kFirstEntry = 446, kEntryBytes = 16, kEntries = 4;
constexpr std::size_t kDiskId = 440;
constexpr u8 kProtective = 0xee, kEfiSystem = 0xef;
constexpr u8 kExtended[] = {0x05, 0x0f, 0x85};
constexpr unsigned kFirstLogical = 5, kMostLogical = 64;

struct MbrEntry {
    u8 type = 0;
    u64 first = 0, sectors = 0;
};

MbrEntry mbr_entry(std::span<const u8> sector, std::size_t index) {
    const std::size_t at = kFirstEntry + index * kEntryBytes;
    return {sector[at + 4], number_at<u32>(sector, at + 8), number_at<u32>(sector, at + 12)};
}

bool is_extended(u8 type) {
    return std::find(std::begin(kExtended), std::end(kExtended), type) != std::end(kExtended);
}
bool signed_sector(std::span<const u8> sector) {
    return sector[kSignature] == 0x55 && sector[kSignature + 1] == 0xaa;
}

void add(const Volume& disk, PartitionTable& table, Partition partition) {
    if (partition.bytes == 0 || partition.start >= disk.bytes() ||
        partition.bytes > disk.bytes() - partition.start) {
        table.trouble = "partition " + std::to_string(partition.number) + " reaches past the disk's end";
        return;
    }
    table.partitions.push_back(std::move(partition));
}

Partition mbr_partition(const MbrEntry& entry, unsigned number, u64 base, u32 disk_id) {
    char uuid[16];
    std::snprintf(uuid, sizeof uuid, "%08x-%02x", disk_id, number);
    return {number, (base + entry.first) * kSector, entry.sectors * kSector, entry.type == kEfiSystem, false,
            uuid};
}

// A chain of sectors, each with one logical partition and the place of the next.
void logical(const Volume& disk, PartitionTable& table, const MbrEntry& extended, u32 disk_id) {
    std::set<u64> seen;
    u64 at = extended.first;
    for (unsigned number = kFirstLogical; number < kFirstLogical + kMostLogical; ++number) {
        const auto sector = disk.read(at * kSector, kSector);
        if (!sector || !signed_sector(*sector) || !seen.insert(at).second) return;
        const MbrEntry entry = mbr_entry(*sector, 0), next = mbr_entry(*sector, 1);
        if (entry.type != 0 && entry.sectors != 0)
            add(disk, table, mbr_partition(entry, number, at, disk_id));
        if (!is_extended(next.type) || next.first == 0) return;
        at = extended.first + next.first;
    }
}

PartitionTable read_mbr(const Volume& disk, std::span<const u8> sector) {
    PartitionTable table;
    table.kind = PartitionTable::Kind::Mbr;
    const u32 disk_id = number_at<u32>(sector, kDiskId);
    for (unsigned i = 0; i < kEntries; ++i) {
        const MbrEntry entry = mbr_entry(sector, i);
        if (entry.type == 0 || entry.sectors == 0) continue;
        if (is_extended(entry.type))
            logical(disk, table, entry, disk_id);
        else
            add(disk, table, mbr_partition(entry, i + 1, 0, disk_id));
    }
    return table;
}

// --- GPT
using Guid = std::array<u8, 16>;
constexpr std::size_t kLeastHeader = 92, kMostHeader = kSector;
constexpr u64 kMostEntryBytes = 1 << 20;  // of the whole table; 16 KiB are usual
constexpr std::size_t kLeastEntry = 128, kMostEntry = 4096;
// UEFI Specification, "EFI System Partition"; 72ec70a6-cf74-40e6-bd49-4bda08e8f224 is a root for riscv64.
constexpr Guid kEfiSystemType = {0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11,
                                 0xba, 0x4b, 0x00, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b};
constexpr Guid kRootType = {0xa6, 0x70, 0xec, 0x72, 0x74, 0xcf, 0xe6, 0x40,
                            0xbd, 0x49, 0x4b, 0xda, 0x08, 0xe8, 0xf2, 0x24};

u32 checksum(std::span<const u8> bytes) {
    return static_cast<u32>(crc32(crc32(0, nullptr, 0), bytes.data(), static_cast<uInt>(bytes.size())));
}

// RFC 4122: the first three fields are little-endian in a GPT.
std::string guid_text(const Guid& g) {
    char text[40];
    std::snprintf(text, sizeof text, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
                  g[3], g[2], g[1], g[0], g[5], g[4], g[7], g[6], g[8], g[9], g[10], g[11], g[12], g[13],
                  g[14], g[15]);
    return text;
}

void gpt_entry(const Volume& disk, PartitionTable& table, std::span<const u8> entry, unsigned number) {
    const Guid type = number_at<Guid>(entry, 0);
    const u64 first = number_at<u64>(entry, 32), last = number_at<u64>(entry, 40);
    if (type == Guid{}) return;
    const u64 sectors = disk.bytes() / kSector;
    Partition partition{
        number, 0, 0, type == kEfiSystemType, type == kRootType, guid_text(number_at<Guid>(entry, 16))};
    if (first <= last && last < sectors) {
        partition.start = first * kSector;
        partition.bytes = (last - first + 1) * kSector;
    }
    add(disk, table, std::move(partition));
}

// The header at sector `lba`, and the entries it tells of. Empty trouble: all of it holds.
PartitionTable read_gpt(const Volume& disk, u64 lba) {
    PartitionTable table;
    table.kind = PartitionTable::Kind::Gpt;
    const auto header = disk.read(lba * kSector, kSector);
    if (!header || std::memcmp(header->data(), "EFI PART", 8) != 0) {
        table.trouble = "has no header";
        return table;
    }
    const u32 header_bytes = number_at<u32>(*header, 12);
    const u64 entries_at = number_at<u64>(*header, 72);
    const u32 count = number_at<u32>(*header, 80), entry_bytes = number_at<u32>(*header, 84);
    std::vector<u8> unsummed = *header;
    std::memset(unsummed.data() + 16, 0, 4);
    if (header_bytes < kLeastHeader || header_bytes > kMostHeader ||
        checksum(std::span(unsummed).first(header_bytes)) != number_at<u32>(*header, 16) ||
        number_at<u64>(*header, 24) != lba) {
        table.trouble = "has a damaged header";
        return table;
    }
    const bool sane = entry_bytes >= kLeastEntry && entry_bytes <= kMostEntry && count != 0 &&
                      u64{count} * entry_bytes <= kMostEntryBytes && entries_at < disk.bytes() / kSector;
    const auto entries = sane ? disk.read(entries_at * kSector, u64{count} * entry_bytes) : std::nullopt;
    if (!entries || checksum(*entries) != number_at<u32>(*header, 88)) {
        table.trouble = "has damaged entries";
        return table;
    }
    for (u32 i = 0; i < count; ++i)
        gpt_entry(disk, table, std::span(*entries).subspan(std::size_t{i} * entry_bytes, entry_bytes), i + 1);
    return table;
}
}  // namespace

std::string_view name(PartitionTable::Kind kind) {
    switch (kind) {
        case PartitionTable::Kind::None: return "no partition table";
        case PartitionTable::Kind::Mbr: return "MBR";
        case PartitionTable::Kind::Gpt: return "GPT";
    }
    return "";
}

PartitionTable read_partitions(const Volume& disk) {
    const auto sector = disk.read(0, kSector);
    if (!sector || !signed_sector(*sector)) return {};
    bool protective = false;
    for (std::size_t i = 0; i < kEntries; ++i) protective |= mbr_entry(*sector, i).type == kProtective;
    if (!protective) return read_mbr(disk, *sector);
    PartitionTable table = read_gpt(disk, 1);
    if (table.partitions.empty() && !table.trouble.empty() && disk.bytes() >= 2 * kSector) {
        const std::string first = table.trouble;
        table = read_gpt(disk, disk.bytes() / kSector - 1);
        table.trouble = table.trouble.empty() ? "its first copy " + first : "both copies: " + first;
    }
    return table;
}
}  // namespace hartline
