// The signature of a test program: memory between two symbols, as riscv-arch-test compares it.
#pragma once
#include <span>
#include <string>

#include "core/types.hpp"
#include "frontend/session/loader.hpp"

namespace hartline {
class Ram;

// `memory` as lines of `granularity` bytes (1, 2, 4, 8, 16), each a little-endian number in hexadecimal
// without a prefix. A last line that is not full is filled with zeroes.
std::string signature_text(std::span<const u8> memory, unsigned granularity);
// What lies between begin_signature and end_signature of `image`. Throws InputError when there are no such
// symbols, or they do not lie in memory in this order.
std::string signature_of(Ram& ram, const LoadedImage& image, unsigned granularity);
void write_signature(const std::string& path, Ram& ram, const LoadedImage& image, unsigned granularity);
}  // namespace hartline
