// qcow2 as it is on the disk: header, extensions, and what table entries mean.
//
// "QEMU qcow2 image format" (docs/interop/qcow2 of QEMU) is the specification that is cited by section title.
#pragma once
#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/types.hpp"
#include "devices/storage/host_file.hpp"

namespace hartline::qcow2 {

inline constexpr std::array<u8, 4> kMagic{'Q', 'F', 'I', 0xfb};
// Bounds, as QEMU has them: what is larger is refused before anything is allocated for it.
inline constexpr unsigned kLeastClusterBits = 9, kMostClusterBits = 21, kLeastSubclusteredBits = 14;
inline constexpr u64 kMostL1Bytes = u64{32} << 20, kMostRefcountTableBytes = u64{8} << 20;
inline constexpr u32 kMostSnapshots = 65536;
inline constexpr u64 kMostSnapshotTableBytes = u64{16} << 20;
inline constexpr u32 kMostBackingName = 1023;
inline constexpr unsigned kMostRefcountOrder = 6;
inline constexpr unsigned kSubclusters = 32;  // of a cluster, with extended L2 entries

namespace incompatible {
inline constexpr u64 kDirty = 1, kCorrupt = 2, kDataFile = 4, kCompression = 8, kExtendedL2 = 16;
inline constexpr u64 kKnown = kDirty | kCorrupt | kCompression | kExtendedL2;
}  // namespace incompatible
namespace compatible {
inline constexpr u64 kLazyRefcounts = 1;
}
namespace autoclear {
inline constexpr u64 kBitmaps = 1;
}

enum class Compression : u8 { Zlib = 0, Zstd = 1 };

// "Header": fields of version 2 and 3; those that version 2 lacks hold what it implies.
struct Header {
    u32 version = 3;
    u64 backing_offset = 0;
    u32 backing_bytes = 0;
    u32 cluster_bits = 16;
    u64 size = 0;  // of the guest's disk, bytes
    u32 encryption = 0;
    u32 l1_entries = 0;
    u64 l1_offset = 0;
    u64 refcount_table_offset = 0;
    u32 refcount_table_clusters = 0;
    u32 snapshots = 0;
    u64 snapshots_offset = 0;
    u64 incompatible = 0;
    u64 compatible = 0;
    u64 autoclear = 0;
    u32 refcount_order = 4;
    u32 header_bytes = 104;
    Compression compression = Compression::Zlib;
    // Extensions
    std::optional<std::string> backing;  // the name
    std::optional<std::string> backing_format;
    struct Bitmaps {
        u32 count = 0;
        u64 directory_bytes = 0, directory_offset = 0;
    };
    std::optional<Bitmaps> bitmaps;

    u64 cluster() const { return u64{1} << cluster_bits; }
    bool extended_l2() const { return (incompatible & incompatible::kExtendedL2) != 0; }
    u64 l2_entry_bytes() const { return extended_l2() ? 16 : 8; }
    u64 l2_entries() const { return cluster() / l2_entry_bytes(); }
    u64 l2_covers() const { return l2_entries() * cluster(); }  // bytes of the disk
    unsigned subclusters() const { return extended_l2() ? kSubclusters : 1; }
    u64 subcluster() const { return cluster() / subclusters(); }
    unsigned refcount_bits() const { return 1u << refcount_order; }
    u64 most_refcount() const { return ~u64{0} >> (64 - refcount_bits()); }
    u64 refcounts_a_block() const { return cluster() * 8 / refcount_bits(); }
    u64 l1_needed(u64 bytes) const { return bytes / l2_covers() + (bytes % l2_covers() != 0); }
};

// Reads and checks the header. `path` is for messages. Throws std::runtime_error for what is no qcow2 image,
// is out of bounds or has a feature that is not handled: the feature is named.
Header read_header(HostFile& file, const std::string& path);
// The first bytes of the header, all within its first sector: one write of them is never torn.
std::vector<u8> fixed_fields(const Header& header);
// The whole first cluster's used part: fields, extensions, the backing file's name.
std::vector<u8> whole_header(Header& header);
bool has_magic(HostFile& file);
bool named_qcow2(std::string_view path);

// What an L2 entry says. `standard`: bits of `allocated` and `zeroed` are subclusters (one where entries are
// not extended).
struct Mapping {
    bool compressed = false;
    bool copied = false;  // the refcount of host cluster is one: it may be written in place
    u64 host = 0;         // of the cluster, or of compressed data; 0: none
    u64 host_bytes = 0;   // of compressed data
    u32 allocated = 0;
    u32 zeroed = 0;
    bool operator==(const Mapping&) const = default;
};
struct L2Entry {
    u64 descriptor = 0;
    u64 bitmap = 0;  // extended entries only
};
std::optional<Mapping> decode(const Header& header, const L2Entry& entry);  // nothing: it is corrupt
L2Entry encode(const Header& header, const Mapping& mapping);
// Can compressed data be at this place? Its field is narrow for large clusters.
bool compressible_at(const Header& header, u64 host, u64 bytes);

// Table entries of L1 and of the refcount table.
inline constexpr u64 kOffsetMask = 0x00ff'ffff'ffff'fe00, kCopied = u64{1} << 63;
inline constexpr u64 kRefcountOffsetMask = ~u64{0x1ff};

u64 get_be64(const u8* at);
u32 get_be32(const u8* at);
u16 get_be16(const u8* at);
void put_be64(u8* at, u64 value);
void put_be32(u8* at, u32 value);
// One entry of a refcount block.
u64 get_refcount(std::span<const u8> block, unsigned order, u64 index);
void put_refcount(std::span<u8> block, unsigned order, u64 index, u64 value);
}  // namespace hartline::qcow2
