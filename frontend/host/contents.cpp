// Streaming of regular files, holding of others.
#include "frontend/host/contents.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "frontend/host/files.hpp"
#include "frontend/session/errors.hpp"

namespace hartline {

Contents::Contents(std::string path, u64 limit, const std::string& too_large) : path_(std::move(path)) {
    struct stat status {};
    regular_ =
        ::stat(path_.c_str(), &status) == 0 && S_ISREG(status.st_mode) && ::access(path_.c_str(), R_OK) == 0;
    bytes_ = regular_ ? static_cast<u64>(status.st_size) : 0;
    if (regular_ && bytes_ > limit) throw InputError(path_, too_large);
    if (regular_) return;
    held_ = read_file(path_, limit, too_large);
    bytes_ = held_.size();
}

void Contents::stream(const std::function<void(std::span<const u8>)>& take) const {
    if (!regular_) return take(held_);
    const Descriptor file(::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
    if (!file.open()) throw HostError(path_, std::string("cannot be read again: ") + std::strerror(errno));
    std::vector<u8> chunk(u64{1} << 20);
    u64 done = 0;
    for (;;) {
        const ssize_t got = ::read(file.get(), chunk.data(), chunk.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) throw HostError(path_, std::string("cannot read: ") + std::strerror(errno));
        if (got == 0) break;
        done += static_cast<u64>(got);
        if (done > bytes_) break;
        take(std::span(chunk).first(static_cast<std::size_t>(got)));
    }
    if (done != bytes_) throw HostError(path_, "changed its size while it was in use", "start again");
}

std::vector<u8> Contents::read() const {
    std::vector<u8> all;
    all.reserve(static_cast<std::size_t>(bytes_));
    stream([&](std::span<const u8> piece) { all.insert(all.end(), piece.begin(), piece.end()); });
    return all;
}
}  // namespace hartline
