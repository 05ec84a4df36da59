// What `hartline image` does with disk images.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "devices/storage/image.hpp"
#include "devices/storage/qcow2/check.hpp"
#include "devices/storage/qcow2/create.hpp"
#include "devices/storage/qcow2/snapshots.hpp"

namespace hartline {

// Called with the bytes that are done.
using Report = std::function<void(u64)>;

struct ImageInfo {
    std::string path;
    ImageFormat format = ImageFormat::Raw;
    u64 bytes = 0;      // of the disk
    u64 allocated = 0;  // by the host
    std::optional<qcow2::Header> header;
    std::vector<qcow2::Snapshot> snapshots;
};

// A part of the disk and the image of the chain that has it (0: the first).
struct MapEntry {
    u64 start = 0, bytes = 0;
    unsigned depth = 0;
    bool present = false;  // some image of the chain says what is there
    bool zero = false;
    bool data = false;
    bool compressed = false;
    std::optional<u64> offset;  // in that image's file
    bool operator==(const MapEntry&) const = default;
};

struct NewImage {
    ImageFormat format = ImageFormat::Qcow2;
    qcow2::CreateOptions qcow2;  // `bytes` is for both
    bool replace = false;        // a file of that name
};

// All throw InputError for what cannot work, HostError where the host fails.
std::unique_ptr<DiskImage> open_or_complain(const std::string& path, const ImageOptions& options);
ImageInfo image_info(const std::string& path, const std::optional<ImageFormat>& format);
void create_image(const std::string& path, const NewImage& image);
// The whole chain; neighbours that are alike are one entry.
std::vector<MapEntry> image_map(DiskImage& image, const std::string& path);
// Copies what `from` holds to `to`, which is as large or larger and reads as zeroes.
struct NamedImage {
    DiskImage& image;
    std::string path;
};
void copy_image(const NamedImage& from, const NamedImage& to, bool compress, const Report& report);
// Moves what `image` holds into its backing image; `keep`: copies it.
void commit_image(DiskImage& image, const std::string& path, bool keep, const Report& report);
struct Checked {
    qcow2::CheckResult before;
    std::optional<qcow2::CheckResult> after;  // a repair
};
enum class RepairKind : u8 { None, Leaks, All };
Checked check_image(const std::string& path, const std::optional<ImageFormat>& format, RepairKind repair);
}  // namespace hartline
