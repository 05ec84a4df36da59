// A disk image that is a plain file, byte for byte.
#pragma once
#include <memory>
#include <string>

#include "devices/storage/backend.hpp"

namespace hartline {
// Throws std::runtime_error: one line that names the file, what is wrong, and the way out.
std::unique_ptr<BlockBackend> open_raw(const std::string& path, bool read_only);
}  // namespace hartline
