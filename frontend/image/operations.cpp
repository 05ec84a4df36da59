// What `hartline image` does with disk images.
#include "frontend/image/operations.hpp"

#include <algorithm>
#include <filesystem>
#include <stdexcept>

#include "frontend/session/errors.hpp"

namespace hartline {
namespace {
constexpr u64 kPiece = u64{2} << 20;  // at a time, and at least a cluster

// Storage complains in one line, as the frontend does.
template <class Act>
auto complaining(Act act) {
    try {
        return act();
    } catch (const InputError&) {
        throw;
    } catch (const HostError&) {
        throw;
    } catch (const std::runtime_error& error) {
        throw InputError(error.what());
    }
}

[[noreturn]] void cannot(const std::string& path, const char* what) {
    throw HostError(path, std::string("the host cannot ") + what + " it",
                    "is there room on its file system?");
}

bool all_zero(std::span<const u8> bytes) {
    return std::ranges::all_of(bytes, [](u8 byte) { return byte == 0; });
}

// Nothing where the host fails.
std::optional<MapEntry> entry_at(DiskImage& image, u64 offset, u64 most, unsigned depth) {
    const auto found = image.extent(offset);
    if (!found) return std::nullopt;
    const u64 bytes = std::min(found->bytes, most);
    if (found->kind == DiskImage::Kind::Backing) {
        DiskImage& behind = *image.backing();
        if (offset < behind.bytes())
            return entry_at(behind, offset, std::min(bytes, behind.bytes() - offset), depth + 1);
        return MapEntry{offset, bytes, depth + 1, false, true, false, false, std::nullopt};
    }
    const bool data = found->kind == DiskImage::Kind::Data;
    return MapEntry{offset, bytes, depth, found->stored, !data, data, found->compressed, found->host_offset};
}

bool joins(const MapEntry& a, const MapEntry& b) {
    const bool same_file =
        a.offset.has_value() == b.offset.has_value() && (!a.offset || *a.offset + a.bytes == *b.offset);
    return a.depth == b.depth && a.present == b.present && a.zero == b.zero && a.data == b.data &&
           a.compressed == b.compressed && same_file;
}

// Pieces of clusters that are all zeroes are left out, so that copies are as sparse as can be.
void write_nonzero(const NamedImage& to, u64 offset, std::span<const u8> bytes, bool compress) {
    const u64 step = std::max<u64>(to.image.cluster_bytes(), 4096);
    u64 from = 0;  // of what is still to be written
    const auto flush_to = [&](u64 end) {
        if (from < end && !to.image.write(offset + from, bytes.subspan(from, end - from)))
            cannot(to.path, "write");
    };
    for (u64 at = 0; at < bytes.size(); at += step) {
        const u64 end = std::min<u64>(at + step, bytes.size());
        const bool zero = all_zero(bytes.subspan(at, end - at));
        if (!zero && !compress) continue;
        flush_to(at);
        from = end;
        if (!zero && !to.image.write_compressed(offset + at, bytes.subspan(at, end - at)))
            cannot(to.path, "write");
    }
    flush_to(bytes.size());
}
}  // namespace

std::unique_ptr<DiskImage> open_or_complain(const std::string& path, const ImageOptions& options) {
    return complaining([&] { return open_image(path, options); });
}

ImageInfo image_info(const std::string& path, const std::optional<ImageFormat>& format) {
    return complaining([&] {
        const auto file = open_host_file(path, {.read_only = true});
        ImageInfo info;
        info.path = path;
        info.format = format_of(*file, path, format);
        info.allocated = file->allocated().value_or(0);
        info.bytes = file->size().value_or(0);
        if (info.format == ImageFormat::Raw) return info;
        info.header = qcow2::read_header(*file, path);
        info.bytes = info.header->size;
        if (const auto snapshots = qcow2::read_snapshots(*file, *info.header))
            info.snapshots = snapshots->all;
        return info;
    });
}

namespace {
// A file that is replaced is emptied first.
void refuse_own_backing(const std::string& path, const NewImage& image) {
    const std::string behind = resolve_backing(path, *image.qcow2.backing);
    const ImageOptions any{.read_only = true,
                           .format = image.qcow2.backing_format,
                           .backing_names = BackingNames::Anywhere,
                           .undeclared_backing = ImageFormat::Raw};
    std::error_code error;
    for (const std::string& file : image_files(behind, any))
        if (std::filesystem::equivalent(file, path, error))
            throw InputError(path, "is what " + behind + " is read from, and would be its own backing file",
                             "choose another name");
}
}  // namespace

void create_image(const std::string& path, const NewImage& image) {
    complaining([&] {
        const bool there = std::filesystem::exists(path);
        if (there && image.replace && image.qcow2.backing) refuse_own_backing(path, image);
        const auto file = open_host_file(path, {.create = true, .replace = image.replace});
        try {
            if (image.format == ImageFormat::Qcow2) return qcow2::create(*file, path, image.qcow2);
            if (image.qcow2.backing)
                throw InputError(path, "a raw image has no backing file", "choose qcow2");
            if (image.qcow2.bytes == 0 || image.qcow2.bytes % 512 != 0)
                throw InputError(path, "the size must be a multiple of 512");
            if (!file->truncate(image.qcow2.bytes)) throw HostError(path, "the host cannot make it so large");
        } catch (const std::runtime_error& error) {
            if (!there) std::filesystem::remove(path);
            if (dynamic_cast<const HostFailure*>(&error) != nullptr) throw HostError(path, error.what());
            throw;
        }
    });
}

std::vector<MapEntry> image_map(DiskImage& image, const std::string& path) {
    std::vector<MapEntry> map;
    for (u64 at = 0; at < image.bytes();) {
        const auto entry = entry_at(image, at, image.bytes() - at, 0);
        if (!entry) cannot(path, "read");
        if (!map.empty() && joins(map.back(), *entry))
            map.back().bytes += entry->bytes;
        else
            map.push_back(*entry);
        at += entry->bytes;
    }
    return map;
}

void copy_image(const NamedImage& from, const NamedImage& to, bool compress, const Report& report) {
    const u64 piece = std::max(kPiece, to.image.cluster_bytes()), size = from.image.bytes();
    std::vector<u8> bytes;
    for (u64 at = 0; at < size;) {
        const auto entry = entry_at(from.image, at, size - at, 0);
        if (!entry) cannot(from.path, "read");
        const u64 end = at + entry->bytes;
        if (entry->zero && end < size) {  // compressed clusters are whole: begin at a boundary
            at = compress ? std::max(at, end / piece * piece) : end;
            if (at == end) continue;
        } else if (entry->zero) {
            if (!compress || at % piece == 0) break;
        }
        bytes.resize(std::min(piece - at % piece, size - at));
        if (!from.image.read(at, bytes)) cannot(from.path, "read");
        write_nonzero(to, at, bytes, compress);
        at += bytes.size();
        report(at);
    }
    if (!to.image.flush()) cannot(to.path, "write");
}

void commit_image(DiskImage& image, const std::string& path, bool keep, const Report& report) {
    DiskImage* behind = image.backing();
    if (behind == nullptr) throw InputError(path, "has no backing file to commit to");
    if (behind->bytes() < image.bytes() && !behind->resize(image.bytes()))
        cannot(path, "enlarge the file behind");
    std::vector<u8> bytes;
    for (u64 at = 0; at < image.bytes();) {
        const auto found = image.extent(at);
        if (!found) cannot(path, "read");
        const u64 size = std::min(found->bytes, kPiece);
        if (found->kind == DiskImage::Kind::Zero && !behind->discard(at, size))
            cannot(path, "write the file behind");
        if (found->kind == DiskImage::Kind::Data) {
            bytes.resize(size);
            if (!image.read(at, bytes)) cannot(path, "read");
            if (!behind->write(at, bytes)) cannot(path, "write the file behind");
        }
        at += size;
        report(at);
    }
    // Only when the backing image has it for good may it go here.
    if (!behind->flush()) cannot(path, "write the file behind");
    if (!keep && !image.forget()) cannot(path, "write");
}

Checked check_image(const std::string& path, const std::optional<ImageFormat>& format, RepairKind kind) {
    return complaining([&] {
        const auto file = open_host_file(path, {.read_only = kind == RepairKind::None});
        if (format_of(*file, path, format) == ImageFormat::Raw)
            throw InputError(path, "is a raw image, in which there is nothing to check");
        qcow2::Header header = qcow2::read_header(*file, path);
        Checked checked{qcow2::check(*file, header), std::nullopt};
        if (kind == RepairKind::None) return checked;
        (void)qcow2::repair(*file, header, {.all = kind == RepairKind::All});
        checked.after = qcow2::check(*file, qcow2::read_header(*file, path));
        return checked;
    });
}
}  // namespace hartline
