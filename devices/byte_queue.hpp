// A bounded first-in first-out queue of bytes that is part of a device's state.
#pragma once
#include <algorithm>
#include <deque>
#include <span>
#include <string_view>
#include <vector>

#include "core/archive.hpp"
#include "core/types.hpp"

namespace hartline {

class ByteQueue {
public:
    explicit ByteQueue(std::size_t limit) : limit_(limit) {}

    bool empty() const { return bytes_.empty(); }
    std::size_t size() const { return bytes_.size(); }
    std::size_t room() const { return limit_ - bytes_.size(); }
    void clear() { bytes_.clear(); }

    // false: full, and nothing done.
    bool push(u8 byte) {
        if (room() == 0) return false;
        bytes_.push_back(byte);
        return true;
    }
    // As many of `bytes` as there is room for.
    void append(std::span<const u8> bytes) {
        for (u8 byte : bytes.first(std::min(bytes.size(), room()))) bytes_.push_back(byte);
    }
    // The oldest byte; 0 when empty.
    u8 pop() {
        if (bytes_.empty()) return 0;
        const u8 byte = bytes_.front();
        bytes_.pop_front();
        return byte;
    }
    // The oldest bytes, at most `most`.
    std::vector<u8> take(std::size_t most) {
        const auto end = bytes_.begin() + static_cast<std::ptrdiff_t>(std::min(most, bytes_.size()));
        std::vector<u8> taken(bytes_.begin(), end);
        bytes_.erase(bytes_.begin(), end);
        return taken;
    }
    // Makes `older`, in order, the oldest bytes here, as far as there is room; `older` is then empty.
    void put_back(ByteQueue& older) {
        while (!older.bytes_.empty()) {
            if (room() != 0) bytes_.push_front(older.bytes_.back());
            older.bytes_.pop_back();
        }
    }

    void describe(Archive& archive, std::string_view name) {
        std::vector<u8> plain(bytes_.begin(), bytes_.end());
        archive.field(name, plain, limit_);
        if (archive.loading()) bytes_.assign(plain.begin(), plain.end());
    }

private:
    std::size_t limit_;
    std::deque<u8> bytes_;
};
}  // namespace hartline
