// Unpacking of gzip, with a bound.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "core/types.hpp"

namespace hartline {
// The contents of a gzip stream (concatenated members too), at most `limit` bytes. What follows the last
// member is ignored, as gzip does with padding. Throws InputError naming `path`: truncated, corrupt, larger
// than `limit`.
std::vector<u8> gunzip(const std::string& path, std::span<const u8> packed, u64 limit);
}  // namespace hartline
