// A host file in memory: it records what was done to it, and fails at the call that it is told.
#pragma once
#include <algorithm>
#include <atomic>
#include <cerrno>
#include <mutex>
#include <vector>

#include "devices/storage/host_file.hpp"

namespace hartline::test {

struct FileOp {
    enum Kind { Write, Flush, Truncate, Punch } kind;
    u64 offset = 0;
    u64 length = 0;
    std::vector<u8> bytes{};
    // Done to a file's contents.
    void apply(std::vector<u8>& data, u64 most = ~u64{0}) const {
        const u64 count = std::min(length, most);
        if (kind == Truncate) data.resize(length);
        if (kind == Write) {
            if (data.size() < offset + count) data.resize(offset + count);
            std::copy_n(bytes.begin(), count, data.begin() + static_cast<std::ptrdiff_t>(offset));
        }
        if (kind == Punch)
            for (u64 i = offset; i < offset + length && i < data.size(); ++i) data[i] = 0;
    }
};

class MemoryFile final : public HostFile {
public:
    std::vector<u8> data;
    std::vector<FileOp>* log = nullptr;
    bool fixed = false;
    u64 calls = 0, fail_from = ~u64{0}, fail_to = ~u64{0};  // calls of these numbers fail
    int error = 0;                                          // which is then in errno
    std::mutex lock;
    std::vector<u8>* kept = nullptr;  // gets the contents when the file is closed

    MemoryFile() = default;
    explicit MemoryFile(std::vector<u8> contents) : data(std::move(contents)) {}
    ~MemoryFile() override {
        if (kept != nullptr) *kept = data;
    }
    bool read_only() const override { return fixed; }
    bool read(u64 offset, std::span<u8> out) override {
        const std::lock_guard hold(lock);
        if (fails() || offset > data.size() || out.size() > data.size() - offset) return false;
        std::copy_n(data.begin() + static_cast<std::ptrdiff_t>(offset), out.size(), out.begin());
        return true;
    }
    bool write(u64 offset, std::span<const u8> in) override {
        return perform({FileOp::Write, offset, in.size(), {in.begin(), in.end()}});
    }
    bool flush() override { return perform({FileOp::Flush}); }
    bool truncate(u64 bytes) override { return perform({FileOp::Truncate, 0, bytes}); }
    bool punch(u64 offset, u64 bytes) override { return perform({FileOp::Punch, offset, bytes}); }
    bool zero(u64 offset, u64 bytes) override { return punch(offset, bytes); }
    std::optional<u64> size() override {
        const std::lock_guard hold(lock);
        if (fails()) return std::nullopt;
        return data.size();
    }
    std::optional<u64> allocated() override { return data.size(); }
    Extent extent(u64) override { return {~u64{0} >> 1, true}; }

private:
    static constexpr u64 kMost = u64{1} << 28;  // what a test never needs fails
    bool fails() {
        const u64 call = calls++;
        const bool failing = call >= fail_from && call < fail_to;
        if (failing) errno = error;
        return failing;
    }
    bool perform(const FileOp& op) {
        const std::lock_guard hold(lock);
        if (fails() || fixed || op.offset > kMost || op.length > kMost) return false;
        op.apply(data);
        if (log != nullptr) log->push_back(op);
        return true;
    }
};
}  // namespace hartline::test
