// New qcow2 images: header, refcount table, one refcount block and more if needed, L1 table.
#include "devices/storage/qcow2/create.hpp"

#include <algorithm>
#include <bit>
#include <stdexcept>

namespace hartline::qcow2 {
namespace {
[[noreturn]] void refuse(const std::string& path, const std::string& why) {
    throw std::runtime_error(path + ": cannot be created: " + why);
}

Header header_for(const CreateOptions& options, const std::string& path) {
    const auto power = [](u64 value) { return std::has_single_bit(value); };
    if (!power(options.cluster) || options.cluster < 512 || options.cluster > u64{1} << kMostClusterBits)
        refuse(path, "the cluster size must be a power of two from 512 bytes to 2 MiB");
    if (!power(options.refcount_bits) || options.refcount_bits > 64)
        refuse(path, "refcounts have 1, 2, 4, 8, 16, 32 or 64 bits");
    if (options.version != 2 && options.version != 3) refuse(path, "qcow2 has versions 2 and 3");
    if (options.version == 2 && (options.refcount_bits != 16 || options.extended_l2 ||
                                 options.lazy_refcounts || options.compression != Compression::Zlib))
        refuse(path, "version 2 has neither other refcounts, extended L2 entries, lazy refcounts nor zstd");
    if (options.extended_l2 && options.cluster < u64{1} << kLeastSubclusteredBits)
        refuse(path, "extended L2 entries need clusters of 16 KiB or more");
    if (options.bytes == 0 || options.bytes % 512 != 0) refuse(path, "the size must be a multiple of 512");
    if (options.backing && options.backing->size() > kMostBackingName)
        refuse(path, "the backing file's name has more than 1023 bytes");
    Header h;
    h.version = options.version;
    h.cluster_bits = static_cast<u32>(std::countr_zero(options.cluster));
    h.size = options.bytes;
    h.refcount_order = static_cast<u32>(std::countr_zero(options.refcount_bits));
    if (options.extended_l2) h.incompatible |= incompatible::kExtendedL2;
    if (options.lazy_refcounts) h.compatible |= compatible::kLazyRefcounts;
    if (options.compression != Compression::Zlib) h.incompatible |= incompatible::kCompression;
    h.compression = options.compression;
    if (options.backing) {
        h.backing = options.backing;
        h.backing_format = std::string(name(options.backing_format));
    }
    if (options.bytes > (~u64{0} >> 1) - options.cluster || h.l1_needed(h.size) * 8 > kMostL1Bytes)
        refuse(path, "the size is too large for clusters of " + std::to_string(options.cluster) + " bytes");
    h.l1_entries = static_cast<u32>(h.l1_needed(h.size));
    return h;
}
}  // namespace

void create(HostFile& file, const std::string& path, const CreateOptions& options) {
    Header h = header_for(options, path);
    const u64 cluster = h.cluster(), a_block = h.refcounts_a_block();
    const u64 l1_clusters = (u64{h.l1_entries} * 8 + cluster - 1) / cluster;
    // 0: header, then the refcount table, its blocks, the L1 table.
    u64 blocks = 1, table_clusters = 1;
    for (u64 before = 0; before != blocks;) {
        before = blocks;
        table_clusters = (blocks * 8 + cluster - 1) / cluster;
        blocks = (1 + table_clusters + blocks + l1_clusters + a_block - 1) / a_block;
    }
    const u64 total = 1 + table_clusters + blocks + l1_clusters;
    h.refcount_table_offset = cluster;
    h.refcount_table_clusters = static_cast<u32>(table_clusters);
    h.l1_offset = (1 + table_clusters + blocks) * cluster;
    const std::vector<u8> header = whole_header(h);
    if (header.size() > cluster) refuse(path, "the backing file's name is too long for such small clusters");
    const auto fail = []() {  // the caller names the file
        throw HostFailure("cannot be created: the host cannot write it; is there room?");
    };
    std::vector<u8> table(table_clusters * cluster);
    for (u64 n = 0; n < blocks; ++n) {
        std::vector<u8> block(cluster);
        for (u64 i = 0; i < a_block && n * a_block + i < total; ++i)
            put_refcount(block, h.refcount_order, i, 1);
        put_be64(&table[n * 8], (1 + table_clusters + n) * cluster);
        if (!file.write((1 + table_clusters + n) * cluster, block)) fail();
    }
    // The header comes last: half an image is none.
    if (!file.write(cluster, table) || !file.truncate(total * cluster) || !file.flush() ||
        !file.write(0, header) || !file.flush())
        fail();
}
}  // namespace hartline::qcow2
