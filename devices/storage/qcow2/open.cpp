// Opening and closing of a qcow2 image.
#include <stdexcept>

#include "devices/storage/qcow2/check.hpp"
#include "devices/storage/qcow2/image.hpp"
#include "devices/storage/qcow2/snapshots.hpp"

namespace hartline::qcow2 {
namespace {
[[noreturn]] void refuse_corrupt(const std::string& path, const std::string& why) {
    throw std::runtime_error(path + ": is corrupt (" + why + "); look with: hartline image check " + path);
}
}  // namespace

Image::Image(std::unique_ptr<HostFile> file, const Header& header, std::unique_ptr<DiskImage> backing,
             const std::string& path)
    : file_(std::move(file)),
      backing_(std::move(backing)),
      header_(header),
      refcounts_(*file_, header_, places_) {
    if (!file_->read_only() && (header_.incompatible & incompatible::kCorrupt) != 0)
        refuse_corrupt(path, "it is marked so");
    if (!file_->read_only() && (header_.incompatible & incompatible::kDirty) != 0) {
        if (!repair(*file_, header_, {.all = true}))
            throw std::runtime_error(path +
                                     ": was not closed, and its refcounts cannot be repaired; look with: "
                                     "hartline image check " +
                                     path);
    }
    load_tables(path);
    load_snapshots(path);
    announced_ = header_.autoclear == 0;
    host_end_ = refcounts_.end() << header_.cluster_bits;
    fresh_from_ = refcounts_.end();
    file_end_ = file_->size().value_or(0);
}

Image::~Image() {
    if (!file_->read_only()) (void)flush();
}

void Image::load_tables(const std::string& path) {
    const unsigned shift = header_.cluster_bits;
    places_.add(0);
    const u64 table_first = header_.refcount_table_offset >> shift;
    if (!places_.add(table_first, header_.refcount_table_clusters))
        refuse_corrupt(path, "its refcount table overlaps another structure");
    const u64 l1_bytes = u64{header_.l1_entries} * 8;
    const u64 l1_clusters = (l1_bytes + header_.cluster() - 1) >> shift;
    if (l1_clusters != 0 && !places_.add(header_.l1_offset >> shift, l1_clusters))
        refuse_corrupt(path, "its L1 table overlaps another structure");
    if (!refcounts_.load()) refuse_corrupt(path, "its refcount table");
    std::vector<u8> bytes(l1_bytes);
    if (!file_->read(header_.l1_offset, bytes) && l1_bytes != 0)
        throw std::runtime_error(path + ": cannot be read");
    l1_.resize(header_.l1_entries);
    for (std::size_t i = 0; i < l1_.size(); ++i) {
        l1_[i] = get_be64(&bytes[i * 8]);
        const u64 offset = l1_[i] & kOffsetMask;
        if (offset == 0) continue;
        if (offset % header_.cluster() != 0 || (offset >> shift) >= refcounts_.end())
            refuse_corrupt(path, "its L1 table");
        if (!places_.add(offset >> shift)) refuse_corrupt(path, "an L2 table overlaps another structure");
    }
}

void Image::load_snapshots(const std::string& path) {
    const auto snapshots = read_snapshots(*file_, header_);
    if (!snapshots) refuse_corrupt(path, "its snapshot table");
    const auto add = [&](u64 offset, u64 bytes) {
        const u64 first = offset >> header_.cluster_bits;
        const u64 past = (offset + bytes + header_.cluster() - 1) >> header_.cluster_bits;
        if (!places_.add(first, past - first)) refuse_corrupt(path, "a snapshot overlaps another structure");
    };
    if (header_.snapshots != 0) add(header_.snapshots_offset, snapshots->bytes);
    for (const Snapshot& snapshot : snapshots->all) add(snapshot.l1_offset, u64{snapshot.l1_entries} * 8);
}
}  // namespace hartline::qcow2
