// The bytes of 9P messages: little-endian numbers, and texts of 16 bits' length.
#pragma once
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

#include "core/types.hpp"

namespace hartline::share {

// Takes a message apart. What lies beyond its end reads as 0 or nothing, and done() is false from then on.
class Reader {
public:
    explicit Reader(std::span<const u8> bytes) : rest_(bytes) {}
    template <class T>
    requires std::is_unsigned_v<T> T number() {
        T value = 0;
        const auto from = bytes(sizeof value);
        if (!from.empty()) std::memcpy(&value, from.data(), sizeof value);
        return value;
    }
    // Empty where there are fewer.
    std::span<const u8> bytes(u64 count) {
        if (count > rest_.size()) {
            beyond_ = true;
            rest_ = {};
        }
        if (beyond_) return {};
        const auto front = rest_.first(static_cast<std::size_t>(count));
        rest_ = rest_.subspan(front.size());
        return front;
    }
    std::string_view text() {
        const auto from = bytes(number<u16>());
        return {reinterpret_cast<const char*>(from.data()), from.size()};
    }
    // Was everything there, and nothing more?
    bool done() const { return !beyond_ && rest_.empty(); }

private:
    std::span<const u8> rest_;
    bool beyond_ = false;
};

// Puts a message together. Texts are names and targets of links: the host's own limits keep them below 64
// KiB.
class Writer {
public:
    template <class T>
    requires std::is_unsigned_v<T>
    void number(T value) { std::memcpy(room(sizeof value).data(), &value, sizeof value); }
    void text(std::string_view text) {
        const auto length = static_cast<u16>(text.size());
        number(length);
        if (length != 0) std::memcpy(room(length).data(), text.data(), length);
    }
    // `count` zero bytes more, to be filled in.
    std::span<u8> room(u64 count) {
        bytes_.resize(bytes_.size() + static_cast<std::size_t>(count));
        return std::span(bytes_).last(static_cast<std::size_t>(count));
    }
    // Overwrites a number that was written at `offset` before.
    template <class T>
    void patch(std::size_t offset, T value) {
        std::memcpy(bytes_.data() + offset, &value, sizeof value);
    }
    std::size_t size() const { return bytes_.size(); }
    void cut(std::size_t size) { bytes_.resize(size); }
    std::vector<u8> take() { return std::move(bytes_); }

private:
    std::vector<u8> bytes_;
};
}  // namespace hartline::share
