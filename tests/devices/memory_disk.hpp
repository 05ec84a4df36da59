// A disk in memory that can be told to fail, for tests.
#pragma once
#include <algorithm>
#include <stdexcept>
#include <vector>

#include "devices/storage/backend.hpp"

namespace hartline::test {
struct MemoryDisk final : BlockBackend {
    std::vector<u8> data;
    bool fixed = false, failing = false;
    unsigned flushes = 0, discards = 0, zeroes = 0;
    explicit MemoryDisk(u64 size, bool read_only_disk = false) : data(size), fixed(read_only_disk) {}
    u64 bytes() const override { return data.size(); }
    bool read_only() const override { return fixed; }
    bool read(u64 offset, std::span<u8> out) override {
        std::copy_n(data.begin() + static_cast<i64>(offset), out.size(), out.begin());
        return !failing;
    }
    bool write(u64 offset, std::span<const u8> in) override {
        if (fixed) throw std::logic_error("a write reached a read-only disk");
        std::copy(in.begin(), in.end(), data.begin() + static_cast<i64>(offset));
        return !failing;
    }
    bool flush() override { return ++flushes, !failing; }
    bool clear(u64 offset, u64 size) {
        std::fill_n(data.begin() + static_cast<i64>(offset), size, u8{0});
        return !failing;
    }
    bool discard(u64 offset, u64 size) override { return ++discards, clear(offset, size); }
    bool zero(u64 offset, u64 size) override { return ++zeroes, clear(offset, size); }
};
}  // namespace hartline::test
