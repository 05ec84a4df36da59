// Searching in a stream.
#include "frontend/host/text_watch.hpp"

namespace hartline {

TextWatch::TextWatch(std::string text) : text_(std::move(text)), fallback_(text_.size()) {
    for (std::size_t i = 1, k = 0; i < text_.size(); ++i) {
        while (k > 0 && text_[i] != text_[k]) k = fallback_[k - 1];
        if (text_[i] == text_[k]) ++k;
        fallback_[i] = k;
    }
}

bool TextWatch::feed(std::span<const u8> bytes) {
    if (seen_ || text_.empty()) return false;
    for (const u8 byte : bytes) {
        const char c = static_cast<char>(byte);
        while (matched_ > 0 && text_[matched_] != c) matched_ = fallback_[matched_ - 1];
        if (text_[matched_] == c) ++matched_;
        if (matched_ == text_.size()) return seen_ = true;
    }
    return false;
}
}  // namespace hartline
