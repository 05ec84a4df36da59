// A disk image that is a plain file, byte for byte.
//
// The file is locked while it is open (an open-file-description lock, so that it also holds within a
// process): one writer, or many readers.
#include "devices/storage/raw.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace hartline {
namespace {
constexpr u64 kSector = 512;

class FileDescriptor {
public:
    explicit FileDescriptor(int number) : number_(number) {}
    ~FileDescriptor() {
        if (number_ >= 0) ::close(number_);
    }
    FileDescriptor(FileDescriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
    FileDescriptor& operator=(FileDescriptor&&) = delete;
    int number() const { return number_; }

private:
    int number_;
};

class RawFile final : public BlockBackend {
public:
    RawFile(FileDescriptor file, u64 bytes, bool read_only)
        : file_(std::move(file)), bytes_(bytes), read_only_(read_only) {}
    u64 bytes() const override { return bytes_; }
    bool read_only() const override { return read_only_; }
    bool read(u64 offset, std::span<u8> out) override;
    bool write(u64 offset, std::span<const u8> in) override;
    bool flush() override;
    bool discard(u64 offset, u64 bytes) override;
    bool zero(u64 offset, u64 bytes) override;

private:
    bool inside(u64 offset, u64 bytes) const { return offset <= bytes_ && bytes <= bytes_ - offset; }
    bool allocate(int mode, u64 offset, u64 bytes);
    bool write_zeroes(u64 offset, u64 bytes);

    FileDescriptor file_;
    u64 bytes_;
    bool read_only_;
};

bool RawFile::read(u64 offset, std::span<u8> out) {
    if (!inside(offset, out.size())) return false;
    while (!out.empty()) {
        const ssize_t got = ::pread(file_.number(), out.data(), out.size(), static_cast<off_t>(offset));
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return false;  // an end of file here: somebody has cut the file short
        out = out.subspan(static_cast<std::size_t>(got));
        offset += static_cast<u64>(got);
    }
    return true;
}

bool RawFile::write(u64 offset, std::span<const u8> in) {
    if (read_only_ || !inside(offset, in.size())) return false;
    while (!in.empty()) {
        const ssize_t put = ::pwrite(file_.number(), in.data(), in.size(), static_cast<off_t>(offset));
        if (put < 0 && errno == EINTR) continue;
        if (put <= 0) return false;
        in = in.subspan(static_cast<std::size_t>(put));
        offset += static_cast<u64>(put);
    }
    return true;
}

bool RawFile::flush() {
    int status = 0;
    do status = ::fdatasync(file_.number());
    while (status != 0 && errno == EINTR);
    return status == 0;
}

bool RawFile::allocate(int mode, u64 offset, u64 bytes) {
    int status = 0;
    do status = ::fallocate(file_.number(), mode, static_cast<off_t>(offset), static_cast<off_t>(bytes));
    while (status != 0 && errno == EINTR);
    return status == 0;
}

// What a file system cannot do is done the slow way, so that a guest sees the same on all of them.
bool RawFile::discard(u64 offset, u64 bytes) {
    if (read_only_ || !inside(offset, bytes)) return false;
    return bytes == 0 || allocate(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, bytes) ||
           write_zeroes(offset, bytes);
}
bool RawFile::zero(u64 offset, u64 bytes) {
    if (read_only_ || !inside(offset, bytes)) return false;
    return bytes == 0 || allocate(FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, offset, bytes) ||
           write_zeroes(offset, bytes);
}

bool RawFile::write_zeroes(u64 offset, u64 bytes) {
    static constexpr std::array<u8, 64 * 1024> kZeroes{};
    for (u64 done = 0; done < bytes;) {
        const u64 piece = std::min<u64>(bytes - done, kZeroes.size());
        if (!write(offset + done, std::span(kZeroes).first(piece))) return false;
        done += piece;
    }
    return true;
}

[[noreturn]] void refuse(const std::string& path, const std::string& why) {
    throw std::runtime_error(path + ": " + why);
}

FileDescriptor open_file(const std::string& path, bool read_only) {
    // O_NONBLOCK: do not hang on a FIFO before it is refused.
    FileDescriptor file(
        ::open(path.c_str(), (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
    if (file.number() >= 0) return file;
    switch (errno) {
        case EISDIR: refuse(path, "is a directory, not a disk image");
        case EACCES:
        case EPERM:
        case EROFS:
            if (!read_only) refuse(path, "cannot be opened for writing; add ',ro' to use it read-only");
            refuse(path, "cannot be opened for reading: permission denied");
        case ENOENT: refuse(path, "no such file; create it, or check the name");
        default: refuse(path, std::string("cannot be opened: ") + std::strerror(errno));
    }
}

void lock(const FileDescriptor& file, const std::string& path, bool read_only) {
    struct flock whole {};
    whole.l_type = read_only ? F_RDLCK : F_WRLCK;
    whole.l_whence = SEEK_SET;
    if (::fcntl(file.number(), F_OFD_SETLK, &whole) == 0) return;
    if (errno == EAGAIN || errno == EACCES)
        refuse(path, "in use by another process (or another disk of this machine); stop it, or use a copy");
    refuse(path, std::string("cannot be locked: ") + std::strerror(errno));
}

u64 size_of(const FileDescriptor& file, const std::string& path) {
    struct stat about {};
    if (::fstat(file.number(), &about) != 0) refuse(path, std::strerror(errno));
    if (S_ISDIR(about.st_mode)) refuse(path, "is a directory, not a disk image");
    if (!S_ISREG(about.st_mode) && !S_ISBLK(about.st_mode))
        refuse(path, "is neither a file nor a block device");
    const off_t end = ::lseek(file.number(), 0, SEEK_END);
    if (end < 0) refuse(path, std::string("cannot tell its size: ") + std::strerror(errno));
    const auto bytes = static_cast<u64>(end);
    if (bytes == 0) refuse(path, "is empty; give it a size, for example: truncate -s 1G " + path);
    if (bytes % kSector != 0)
        refuse(path, "its size, " + std::to_string(bytes) +
                         " bytes, is no multiple of 512; round it up: truncate -s %512 " + path);
    return bytes;
}
}  // namespace

std::unique_ptr<BlockBackend> open_raw(const std::string& path, bool read_only) {
    FileDescriptor file = open_file(path, read_only);
    const u64 bytes = size_of(file, path);
    lock(file, path, read_only);
    return std::make_unique<RawFile>(std::move(file), bytes, read_only);
}
}  // namespace hartline
