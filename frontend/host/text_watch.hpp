// Waits for a text in a stream of bytes that comes in pieces (Knuth, Morris and Pratt).
#pragma once
#include <span>
#include <string>
#include <vector>

#include "core/types.hpp"

namespace hartline {

class TextWatch {
public:
    // An empty text is never seen.
    explicit TextWatch(std::string text);
    // true: the text ended in `bytes`, for the first time.
    bool feed(std::span<const u8> bytes);
    bool seen() const { return seen_; }

private:
    std::string text_;
    std::vector<std::size_t> fallback_;  // how much of the text still fits after a mismatch at each place
    std::size_t matched_ = 0;
    bool seen_ = false;
};
}  // namespace hartline
