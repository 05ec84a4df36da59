// Writing of growing files.
#include "frontend/host/log_file.hpp"

#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "devices/storage/host_file.hpp"
#include "frontend/session/errors.hpp"

namespace hartline {

namespace {
Descriptor open_log(const std::string& path) {
    try {
        return Descriptor(open_output(path));
    } catch (const std::runtime_error& error) {
        throw InputError(error.what());
    }
}
}  // namespace

LogFile::LogFile(const std::string& path) : path_(path), file_(open_log(path)) {
    if (!path.ends_with(".gz")) return;
    compressed_ = ::gzdopen(file_.get(), "wb1");  // fast before small
    if (compressed_ == nullptr) throw HostError(path, "zlib has no memory");
    file_.release();
}

LogFile::~LogFile() {
    if (compressed_ != nullptr) ::gzclose(compressed_);
}

void LogFile::write(std::span<const u8> bytes) {
    if (!failure_.empty()) return;
    if (compressed_ != nullptr)
        write_compressed(bytes);
    else
        write_plain(bytes);
}

void LogFile::write_plain(std::span<const u8> bytes) {
    while (!bytes.empty()) {
        const ssize_t done = ::write(file_.get(), bytes.data(), bytes.size());
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) {
            failure_ = std::strerror(errno);
            return;
        }
        bytes = bytes.subspan(static_cast<std::size_t>(done));
    }
}

void LogFile::write_compressed(std::span<const u8> bytes) {
    constexpr std::size_t kMostAtOnce = 1 << 30;
    while (!bytes.empty()) {
        const std::size_t piece = std::min(bytes.size(), kMostAtOnce);
        errno = 0;
        if (::gzwrite(compressed_, bytes.data(), static_cast<unsigned>(piece)) != static_cast<int>(piece)) {
            failure_ = errno != 0 ? std::strerror(errno) : "zlib failed";
            return;
        }
        bytes = bytes.subspan(piece);
    }
}

void LogFile::check() const {
    if (!failure_.empty()) throw HostError(path_, "cannot write: " + failure_, "free some room, or log less");
}

void LogFile::finish() {
    errno = 0;
    if (compressed_ != nullptr && ::gzclose(std::exchange(compressed_, nullptr)) != Z_OK && failure_.empty())
        failure_ = errno != 0 ? std::strerror(errno) : "zlib failed";
    if (file_.open() && ::close(file_.release()) != 0 && failure_.empty()) failure_ = std::strerror(errno);
    check();
}
}  // namespace hartline
