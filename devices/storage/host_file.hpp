// The file of the host that a disk image is kept in: the one way by which image formats reach the host, so
// that tests can put a file in memory, a power cut or a failing call in its place.
#pragma once
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>

#include "core/types.hpp"

namespace hartline {

// Calls may come from several threads at once. Each returns false (or nothing) when the host fails.
class HostFile {
public:
    struct Extent {
        u64 bytes = 0;  // at least 1
        bool data = false;
    };
    virtual ~HostFile() = default;
    virtual bool read_only() const = 0;
    // Fails where the range reaches past the end.
    virtual bool read(u64 offset, std::span<u8> out) = 0;
    // Past the end the file grows; what was never written reads as zeroes.
    virtual bool write(u64 offset, std::span<const u8> in) = 0;
    // What was done before survives a power cut of the host. Once it failed it fails for ever: the host has
    // forgotten which writes it lost.
    virtual bool flush() = 0;
    virtual bool truncate(u64 bytes) = 0;
    // The range reads as zeroes and gives its storage back. False too where the file system cannot.
    virtual bool punch(u64 offset, u64 bytes) = 0;
    // The range reads as zeroes and keeps storage. False too where the file system cannot.
    virtual bool zero(u64 offset, u64 bytes) = 0;
    virtual std::optional<u64> size() = 0;       // bytes
    virtual std::optional<u64> allocated() = 0;  // bytes of storage that it takes
    // What the file system knows about `offset` and on; data where it knows nothing.
    virtual Extent extent(u64 offset) = 0;
    // Does it name the same file as `other`?
    virtual bool same_as(const HostFile& other) const { return this == &other; }
};

// Reads past the end give zeroes.
bool read_padded(HostFile& file, u64 offset, std::span<u8> out);
// By writing, for file systems that can neither punch nor zero.
bool write_zeroes(HostFile& file, u64 offset, u64 bytes);

// What was asked for is right, but the host cannot do it: no room, a failing disk.
struct HostFailure : std::runtime_error {
    using std::runtime_error::runtime_error;
};

struct HostFileOptions {
    bool read_only = false;
    bool create = false;  // must not be there yet, unless `replace`
    bool replace = false;
    // A path is then relative to this folder and may not lead out of it: not by "..", not by a link.
    std::optional<std::string> beneath{};
};

// Opens and locks a file or block device. The locks are QEMU's (open-file-description locks on its byte
// ranges), so that both respect each other: one writer, or any number of readers. Throws std::runtime_error:
// one line that names the file, what is wrong, and the way out.
std::unique_ptr<HostFile> open_host_file(const std::string& path, const HostFileOptions& options);
// Opens what is written from its beginning on, a file (made or emptied) or a pipe, and gives its descriptor.
// A file that is in use as a disk image or as another output keeps its content. Throws std::runtime_error.
int open_output(const std::string& path);
}  // namespace hartline
