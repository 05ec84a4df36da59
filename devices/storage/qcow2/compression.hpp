// One compressed cluster.
#pragma once
#include <optional>
#include <span>
#include <vector>

#include "devices/storage/qcow2/format.hpp"

namespace hartline::qcow2 {
// Fills `out`; `in` may go on past the compressed data. False for what does not decompress to so much.
bool decompress(Compression method, std::span<const u8> in, std::span<u8> out);
// Nothing where it would not be smaller than `in`.
std::optional<std::vector<u8>> compress(Compression method, std::span<const u8> in);
}  // namespace hartline::qcow2
