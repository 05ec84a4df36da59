// A disk image that is a plain file, byte for byte.
#pragma once
#include <memory>
#include <string>

#include "devices/storage/image.hpp"

namespace hartline {
// Throws std::runtime_error: one line that names the file, what is wrong, and the way out.
std::unique_ptr<DiskImage> open_raw(const std::string& path, bool read_only);
// `path` is for messages, and a name that ends in .qcow2 keeps a guest from writing qcow2's magic number.
std::unique_ptr<DiskImage> open_raw(std::unique_ptr<HostFile> file, const std::string& path);
// As a backing image: whatever size it has; the last sector may be a part.
std::unique_ptr<DiskImage> open_raw_backing(std::unique_ptr<HostFile> file, const std::string& path);
}  // namespace hartline
