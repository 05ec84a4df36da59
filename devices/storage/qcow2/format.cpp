// Reading and writing of qcow2's structures.
#include "devices/storage/qcow2/format.hpp"

#include <algorithm>
#include <cstring>
#include <stdexcept>

namespace hartline::qcow2 {
namespace {
constexpr u64 kVersion2Bytes = 72, kVersion3Bytes = 104, kMostFieldBytes = 112;
constexpr u32 kEndOfExtensions = 0, kBackingFormat = 0xe279'2aca, kFeatureNames = 0x6803'f857,
              kBitmapsExtension = 0x2385'2875;
constexpr u64 kFeatureNameBytes = 48;

[[noreturn]] void refuse(const std::string& path, const std::string& why) {
    throw std::runtime_error(path + ": " + why);
}

Header parse_fields(std::span<const u8> bytes) {
    const u8* at = bytes.data();
    Header h;
    h.version = get_be32(at + 4);
    h.backing_offset = get_be64(at + 8);
    h.backing_bytes = get_be32(at + 16);
    h.cluster_bits = get_be32(at + 20);
    h.size = get_be64(at + 24);
    h.encryption = get_be32(at + 32);
    h.l1_entries = get_be32(at + 36);
    h.l1_offset = get_be64(at + 40);
    h.refcount_table_offset = get_be64(at + 48);
    h.refcount_table_clusters = get_be32(at + 56);
    h.snapshots = get_be32(at + 60);
    h.snapshots_offset = get_be64(at + 64);
    h.header_bytes = kVersion2Bytes;
    if (h.version < 3) return h;
    h.incompatible = get_be64(at + 72);
    h.compatible = get_be64(at + 80);
    h.autoclear = get_be64(at + 88);
    h.refcount_order = get_be32(at + 96);
    h.header_bytes = get_be32(at + 100);
    if (h.header_bytes > 104) h.compression = static_cast<Compression>(at[104]);
    return h;
}

// CVE-2014-0142 ... 0147, 2014-0222, 2014-0223: every field has its bounds before anything is made of it.
void check_bounds(const Header& h, u64 file_bytes, const std::string& path) {
    const auto require = [&](bool good, const char* what) {
        if (!good) refuse(path, std::string("its qcow2 header is wrong: ") + what);
    };
    require(h.cluster_bits >= (h.extended_l2() ? kLeastSubclusteredBits : kLeastClusterBits) &&
                h.cluster_bits <= kMostClusterBits,
            "the cluster size is not 512 bytes (16 KiB with extended L2 entries) to 2 MiB");
    const u64 cluster = h.cluster();
    require(h.header_bytes <= cluster && h.header_bytes % 8 == 0 &&
                h.header_bytes >= (h.version == 2 ? kVersion2Bytes : kVersion3Bytes),
            "the header's length");
    require(h.refcount_order <= kMostRefcountOrder, "refcounts of more than 64 bits");
    require(h.compression == Compression::Zlib || h.compression == Compression::Zstd,
            "an unknown method of compression");
    require((h.compression != Compression::Zlib) == ((h.incompatible & incompatible::kCompression) != 0),
            "the method of compression contradicts its feature bit");
    const auto inside = [&](u64 offset, u64 bytes) {
        return offset != 0 && offset % cluster == 0 && offset < file_bytes && bytes <= file_bytes - offset;
    };
    require(h.size <= (~u64{0} >> 1) - cluster, "the disk's size");
    require(u64{h.l1_entries} * 8 <= kMostL1Bytes, "the L1 table is larger than 32 MiB");
    require(h.l1_needed(h.size) <= h.l1_entries, "the L1 table is too small for the disk");
    require(h.l1_entries == 0 || inside(h.l1_offset, u64{h.l1_entries} * 8), "the L1 table's place");
    const u64 table_bytes = u64{h.refcount_table_clusters} * cluster;
    require(table_bytes != 0 && table_bytes <= std::max(kMostRefcountTableBytes, cluster),
            "the refcount table's size");
    require(inside(h.refcount_table_offset, 1), "the refcount table's place");
    require(h.snapshots <= kMostSnapshots, "more than 65536 snapshots");
    require(h.snapshots == 0 || inside(h.snapshots_offset, 1), "the snapshot table's place");
    require(h.backing_offset == 0 || (h.backing_bytes <= kMostBackingName && h.backing_offset < cluster &&
                                      h.backing_bytes <= cluster - h.backing_offset),
            "the backing file's name");
}

void parse_extension(Header& h, u32 type, std::span<const u8> data, const std::string& path) {
    if (type == kBackingFormat) h.backing_format = std::string(data.begin(), data.end());
    if (type == kBitmapsExtension) {
        if (data.size() != 24) refuse(path, "its qcow2 header is wrong: the bitmaps extension");
        h.bitmaps = {get_be32(data.data()), get_be64(data.data() + 8), get_be64(data.data() + 16)};
    }
}

// Calls visit(type, data) for each extension.
template <class Visit>
void each_extension(const Header& h, std::span<const u8> cluster, const std::string& path, Visit visit) {
    const u64 end = h.backing_offset != 0 ? std::min<u64>(h.backing_offset, cluster.size()) : cluster.size();
    for (u64 at = h.header_bytes; at < end && end - at >= 8;) {
        const u32 type = get_be32(&cluster[at]), bytes = get_be32(&cluster[at + 4]);
        if (type == kEndOfExtensions) return;
        at += 8;
        if (bytes > end - at) refuse(path, "its qcow2 header is wrong: an extension is larger than its room");
        visit(type, cluster.subspan(at, bytes));
        at += (u64{bytes} + 7) / 8 * 8;
    }
}

std::string feature_name(const Header& h, std::span<const u8> cluster, const std::string& path,
                         unsigned number) {
    std::string found = "incompatible feature " + std::to_string(number);
    each_extension(h, cluster, path, [&](u32 type, std::span<const u8> data) {
        if (type != kFeatureNames) return;
        for (u64 at = 0; data.size() - at >= kFeatureNameBytes; at += kFeatureNameBytes) {
            if (data[at] != 0 || data[at + 1] != number) continue;
            std::string text;
            for (u64 i = 2; i < kFeatureNameBytes && data[at + i] >= ' ' && data[at + i] < 127; ++i)
                text += static_cast<char>(data[at + i]);
            if (!text.empty()) found = "'" + text + "'";
        }
    });
    return found;
}

void refuse_features(const Header& h, std::span<const u8> cluster, const std::string& path) {
    if (h.encryption != 0)
        refuse(path, std::string("is encrypted (") + (h.encryption == 2 ? "LUKS" : "AES") +
                         "), which is not handled; convert it: qemu-img convert -O qcow2 with its secret");
    if ((h.incompatible & incompatible::kDataFile) != 0)
        refuse(path,
               "keeps its data in an external data file, which is not handled; convert it: "
               "qemu-img convert -O qcow2 " +
                   path + " NEW.qcow2");
    const u64 unknown = h.incompatible & ~incompatible::kKnown;
    if (unknown == 0) return;
    const auto number = static_cast<unsigned>(std::countr_zero(unknown));
    refuse(path, "needs " + feature_name(h, cluster, path, number) +
                     ", which is not handled; convert it with the program that made it");
}
}  // namespace

bool has_magic(HostFile& file) {
    std::array<u8, kMagic.size()> start{};
    return file.read(0, start) && start == kMagic;
}

bool named_qcow2(std::string_view path) {
    constexpr std::string_view kEnd = ".qcow2";
    return path.size() > kEnd.size() &&
           std::ranges::equal(path.substr(path.size() - kEnd.size()), kEnd,
                              [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a - 'A' + 'a' : a) == b; });
}

Header read_header(HostFile& file, const std::string& path) {
    const u64 file_bytes = file.size().value_or(0);
    std::array<u8, kMostFieldBytes> fields{};
    if (file_bytes < kVersion2Bytes || !has_magic(file)) refuse(path, "is no qcow2 image");
    if (!read_padded(file, 0, fields)) refuse(path, "cannot be read");
    Header h = parse_fields(fields);
    if (h.version != 2 && h.version != 3)
        refuse(path, "is of qcow2 version " + std::to_string(h.version) + "; 2 and 3 are known");
    if (h.cluster_bits < kLeastClusterBits || h.cluster_bits > kMostClusterBits)
        refuse(path, "its qcow2 header is wrong: the cluster size is not 512 bytes to 2 MiB");
    std::vector<u8> cluster(std::min(h.cluster(), file_bytes));
    if (!read_padded(file, 0, cluster)) refuse(path, "cannot be read");
    if (h.header_bytes > cluster.size()) refuse(path, "its qcow2 header is wrong: the header's length");
    refuse_features(h, cluster, path);
    check_bounds(h, file_bytes, path);
    each_extension(h, cluster, path, [&](u32 type, auto data) { parse_extension(h, type, data, path); });
    if (h.backing_offset == 0 || h.backing_bytes == 0) return h;
    if (h.backing_offset + h.backing_bytes > cluster.size())
        refuse(path, "its qcow2 header is wrong: the backing file's name");
    h.backing = std::string(reinterpret_cast<const char*>(&cluster[h.backing_offset]), h.backing_bytes);
    return h;
}

std::vector<u8> fixed_fields(const Header& h) {
    std::vector<u8> bytes(h.version == 2 ? kVersion2Bytes : kVersion3Bytes);
    u8* at = bytes.data();
    std::ranges::copy(kMagic, at);
    put_be32(at + 4, h.version);
    put_be64(at + 8, h.backing_offset);
    put_be32(at + 16, h.backing_bytes);
    put_be32(at + 20, h.cluster_bits);
    put_be64(at + 24, h.size);
    put_be32(at + 32, h.encryption);
    put_be32(at + 36, h.l1_entries);
    put_be64(at + 40, h.l1_offset);
    put_be64(at + 48, h.refcount_table_offset);
    put_be32(at + 56, h.refcount_table_clusters);
    put_be32(at + 60, h.snapshots);
    put_be64(at + 64, h.snapshots_offset);
    if (h.version == 2) return bytes;
    put_be64(at + 72, h.incompatible);
    put_be64(at + 80, h.compatible);
    put_be64(at + 88, h.autoclear);
    put_be32(at + 96, h.refcount_order);
    put_be32(at + 100, h.header_bytes);
    return bytes;
}

std::vector<u8> whole_header(Header& h) {
    h.header_bytes = h.version == 2 ? kVersion2Bytes : kMostFieldBytes;
    std::vector<u8> bytes(h.header_bytes);
    const auto append = [&](u32 type, std::string_view data) {
        const u64 at = bytes.size();
        bytes.resize(at + 8 + (data.size() + 7) / 8 * 8);
        put_be32(&bytes[at], type);
        put_be32(&bytes[at + 4], static_cast<u32>(data.size()));
        std::ranges::copy(data, bytes.begin() + static_cast<std::ptrdiff_t>(at + 8));
    };
    if (h.backing_format) append(kBackingFormat, *h.backing_format);
    append(kEndOfExtensions, "");
    if (h.backing) {
        h.backing_offset = bytes.size();
        h.backing_bytes = static_cast<u32>(h.backing->size());
        bytes.insert(bytes.end(), h.backing->begin(), h.backing->end());
    }
    std::ranges::copy(fixed_fields(h), bytes.begin());
    if (h.version > 2) bytes[104] = static_cast<u8>(h.compression);
    return bytes;
}

std::optional<Mapping> decode(const Header& h, const L2Entry& entry) {
    Mapping m;
    const u64 word = entry.descriptor;
    if (bit(word, 62) != 0) {  // "Compressed Clusters Descriptor"
        const unsigned x = 62 - (h.cluster_bits - 8);
        m.compressed = true;
        m.host = word & (~u64{0} >> (64 - x)) & (~u64{0} >> 8);
        const u64 sectors = bits(word, 61, x) + 1;
        m.host_bytes = sectors * 512 - m.host % 512;
        return m;
    }
    m.host = word & kOffsetMask;
    m.copied = bit(word, 63) != 0;
    if (m.host % h.cluster() != 0) return std::nullopt;
    if (h.extended_l2()) {
        m.allocated = static_cast<u32>(entry.bitmap);
        m.zeroed = static_cast<u32>(entry.bitmap >> 32);
        if ((m.allocated & m.zeroed) != 0 || (m.allocated != 0 && m.host == 0)) return std::nullopt;
        return m;
    }
    if (bit(word, 0) != 0 && h.version < 3) return std::nullopt;
    m.zeroed = static_cast<u32>(bit(word, 0));
    m.allocated = m.host != 0 && m.zeroed == 0 ? 1 : 0;
    return m;
}

L2Entry encode(const Header& h, const Mapping& m) {
    if (m.compressed) {
        const unsigned x = 62 - (h.cluster_bits - 8);
        const u64 sectors = (m.host + m.host_bytes - 1) / 512 - m.host / 512;
        return {u64{1} << 62 | sectors << x | m.host, 0};
    }
    const u64 word = m.host | (m.copied && m.host != 0 ? kCopied : 0);
    if (h.extended_l2()) return {word, u64{m.zeroed} << 32 | m.allocated};
    return {word | m.zeroed, 0};
}

bool compressible_at(const Header& h, u64 host, u64 bytes) {
    const unsigned x = std::min(62 - (h.cluster_bits - 8), 56u);
    return bytes <= (u64{1} << x) && host <= (u64{1} << x) - bytes;
}

u64 get_be64(const u8* at) {
    u64 value;
    std::memcpy(&value, at, sizeof value);
    return __builtin_bswap64(value);
}
u32 get_be32(const u8* at) {
    u32 value;
    std::memcpy(&value, at, sizeof value);
    return __builtin_bswap32(value);
}
u16 get_be16(const u8* at) { return static_cast<u16>(at[0] << 8 | at[1]); }
void put_be64(u8* at, u64 value) {
    value = __builtin_bswap64(value);
    std::memcpy(at, &value, sizeof value);
}
void put_be32(u8* at, u32 value) {
    value = __builtin_bswap32(value);
    std::memcpy(at, &value, sizeof value);
}

u64 get_refcount(std::span<const u8> block, unsigned order, u64 index) {
    if (order < 3) {
        const unsigned width = 1u << order, at = static_cast<unsigned>(index * width % 8);
        return (block[index * width / 8] >> at) & ((1u << width) - 1);
    }
    u64 value = 0;
    const u64 bytes = u64{1} << (order - 3);
    for (const u8 byte : block.subspan(index * bytes, bytes)) value = value << 8 | byte;
    return value;
}

void put_refcount(std::span<u8> block, unsigned order, u64 index, u64 value) {
    if (order < 3) {
        const unsigned width = 1u << order, at = static_cast<unsigned>(index * width % 8);
        u8& byte = block[index * width / 8];
        byte = static_cast<u8>((byte & ~(((1u << width) - 1) << at)) | value << at);
        return;
    }
    const u64 bytes = u64{1} << (order - 3);
    for (u64 i = 0; i < bytes; ++i)
        block[index * bytes + i] = static_cast<u8>(value >> (8 * (bytes - 1 - i)));
}
}  // namespace hartline::qcow2
