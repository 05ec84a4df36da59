// New qcow2 images.
#pragma once
#include <optional>
#include <string>

#include "devices/storage/image.hpp"
#include "devices/storage/qcow2/format.hpp"

namespace hartline::qcow2 {

struct CreateOptions {
    u64 bytes = 0;            // of the disk, a multiple of 512
    u64 cluster = 64 * 1024;  // a power of two, 512 to 2 MiB
    u32 version = 3;
    unsigned refcount_bits = 16;  // a power of two, to 64
    Compression compression = Compression::Zlib;
    bool extended_l2 = false;
    bool lazy_refcounts = false;
    std::optional<std::string> backing{};  // the name as it is stored
    ImageFormat backing_format = ImageFormat::Raw;
};

// Writes an empty image into an empty file, durably. Throws std::runtime_error for options that contradict
// each other (naming them), and when the file cannot be written.
void create(HostFile& file, const std::string& path, const CreateOptions& options);
}  // namespace hartline::qcow2
