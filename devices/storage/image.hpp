// Disk images: opening one, whatever its format.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "devices/storage/backend.hpp"
#include "devices/storage/host_file.hpp"

namespace hartline {

enum class ImageFormat : u8 { Raw, Qcow2 };
std::string_view name(ImageFormat format);  // raw, qcow2
std::optional<ImageFormat> image_format(std::string_view name);

// A disk and how its image keeps it.
class DiskImage : public BlockBackend {
public:
    enum class Kind : u8 { Data, Zero, Backing };
    struct Extent {
        u64 bytes = 0;  // at least 1
        Kind kind = Kind::Data;
        bool stored =
            true;  // the image says what is there; else it reads as zeroes for lack of a backing image
        bool compressed = false;
        std::optional<u64>
            host_offset{};  // in the image's file, where a cluster is allocated and not compressed
    };
    virtual ImageFormat format() const = 0;
    virtual HostFile& file() = 0;
    // What keeps the bytes from `offset` (below bytes()) on; nothing when the host fails.
    virtual std::optional<Extent> extent(u64 offset) = 0;
    // The image that holds what this one does not; null: none, it reads as zeroes.
    virtual DiskImage* backing() { return nullptr; }
    virtual u64 cluster_bytes() const { return 512; }
    // As write(), of one whole cluster (at the disk's end, of what there is of it).
    virtual bool write_compressed(u64 offset, std::span<const u8> in) { return write(offset, in); }
    // To a multiple of 512; what is new reads as zeroes. No guest may be using the disk.
    virtual bool resize(u64 bytes) = 0;
    // Forgets all that was written: what the backing image has shows again. Only where there is one.
    virtual bool forget() { return false; }
};

// Which files an image may name as its backing file. Others are refused, since a guest or a stranger may have
// written the name (CVE-2024-4467).
enum class BackingNames : u8 { Beneath, Anywhere, None };  // Beneath: in the image's folder or below

struct ImageOptions {
    bool read_only = false;
    // Not given: by the name, and the content must agree. A file named .qcow2 is qcow2 and must begin as one;
    // every other is raw and must not begin as qcow2: then the user has to say what it is. So what a guest
    // writes never decides (CVE-2008-2004).
    std::optional<ImageFormat> format{};
    BackingNames backing_names = BackingNames::Beneath;
    // For images that do not declare their backing file's format, which is never guessed: refused without
    // this.
    std::optional<ImageFormat> undeclared_backing{};
    bool writable_backing = false;  // of the first backing image
};

// Throws std::runtime_error: one line that names the file, what is wrong, and the way out.
std::unique_ptr<DiskImage> open_image(const std::string& path, const ImageOptions& options = {});
// The names of all files that it would open: the image's own, and those behind it. Throws as that does.
std::vector<std::string> image_files(const std::string& path, const ImageOptions& options = {});
// The format that open_image() takes a file for.
ImageFormat format_of(HostFile& file, const std::string& path, const std::optional<ImageFormat>& declared);
// What a backing file's name in the image at `path` means: relative names are to its folder.
std::string resolve_backing(const std::string& path, const std::string& backing);
}  // namespace hartline
