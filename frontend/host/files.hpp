// Whole files of the host: read with a bound, written so that they are there wholly or not at all.
#pragma once
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/types.hpp"

namespace hartline {

// Owns a file descriptor.
class Descriptor {
public:
    Descriptor() = default;
    explicit Descriptor(int fd) : fd_(fd) {}
    ~Descriptor() { close(); }
    Descriptor(Descriptor&& other) noexcept : fd_(other.release()) {}
    Descriptor& operator=(Descriptor&& other) noexcept;
    int get() const { return fd_; }
    bool open() const { return fd_ >= 0; }
    int release();
    void close();

private:
    int fd_ = -1;
};

// A folder of its own, which is gone with this object, and all in it. Throws HostError.
class TemporaryFolder {
public:
    TemporaryFolder();
    ~TemporaryFolder();
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    const std::string& path() const { return path_; }

private:
    std::string path_;
};

// At most `limit` bytes. Throws InputError (no such file, a directory, larger than `limit`: then `too_large`
// says what that means) and HostError (unreadable half way).
std::vector<u8> read_file(const std::string& path, u64 limit, std::string_view too_large);
// Replaces `path` by the joined parts: temporary file, fsync, rename. What is no regular file (a pipe, a
// terminal) is written directly. Throws InputError when it cannot be created, HostError when writing fails.
void write_file(const std::string& path, std::span<const std::span<const u8>> parts);
inline void write_file(const std::string& path, std::span<const u8> bytes) {
    write_file(path, std::span<const std::span<const u8>>(&bytes, 1));
}
// Opens /dev/null in place of closed standard descriptors, so that no file of ours becomes one of them.
void fill_standard_descriptors();
}  // namespace hartline
