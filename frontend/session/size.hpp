// Numbers as people write them: 512M, 1GiB, 200k.
#pragma once
#include <string>

#include "core/types.hpp"

namespace hartline {
// Bytes: a decimal number with nothing, K, M, G or T behind it (also KiB, MiB, …; powers of 1024; any case).
// `subject` is named in the InputError.
u64 parse_size(const std::string& subject, const std::string& text);
// A count: decimal, or 0x…; k, M, G, T are powers of 1000.
u64 parse_count(const std::string& subject, const std::string& text);
std::string size_text(u64 bytes);  // the shortest exact spelling that parse_size() reads back
}  // namespace hartline
