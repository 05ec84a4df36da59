// A host file that is needed more than once: a regular one is read again each time, so that it takes no
// memory in between; anything else (a pipe) is read once and held.
#pragma once
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "core/types.hpp"

namespace hartline {

class Contents {
public:
    Contents() = default;
    // Throws InputError: no such file, a directory, more than `limit` bytes (then `too_large` says so).
    Contents(std::string path, u64 limit, const std::string& too_large);

    // Bytes that are no file's; `name` is for messages.
    Contents(std::string name, std::vector<u8> bytes)
        : path_(std::move(name)), bytes_(bytes.size()), held_(std::move(bytes)) {}

    const std::string& path() const { return path_; }
    u64 bytes() const { return bytes_; }
    // Hands all bytes to `take`, in order and in pieces. Throws HostError when the file is not as long as it
    // was.
    void stream(const std::function<void(std::span<const u8>)>& take) const;
    // All bytes at once.
    std::vector<u8> read() const;

private:
    std::string path_;
    u64 bytes_ = 0;
    bool regular_ = false;
    std::vector<u8> held_;
};
}  // namespace hartline
