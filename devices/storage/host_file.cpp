// Files of the host, by POSIX and Linux calls.
#include "devices/storage/host_file.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace hartline {
namespace {
constexpr u64 kMostOffset = ~u64{0} >> 1;  // of off_t

class FileDescriptor {
public:
    explicit FileDescriptor(int number) : number_(number) {}
    ~FileDescriptor() {
        if (number_ >= 0) ::close(number_);
    }
    FileDescriptor(FileDescriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
    FileDescriptor& operator=(FileDescriptor&&) = delete;
    int number() const { return number_; }
    int release() { return std::exchange(number_, -1); }

private:
    int number_;
};

bool in_off_t(u64 offset, u64 bytes) { return offset <= kMostOffset && bytes <= kMostOffset - offset; }

template <class Call>
auto retried(Call call) {
    auto result = call();
    while (result < 0 && errno == EINTR) result = call();
    return result;
}

class PosixFile final : public HostFile {
public:
    PosixFile(FileDescriptor file, bool read_only) : file_(std::move(file)), read_only_(read_only) {}
    bool read_only() const override { return read_only_; }
    bool read(u64 offset, std::span<u8> out) override;
    bool write(u64 offset, std::span<const u8> in) override;
    bool flush() override;
    bool truncate(u64 bytes) override;
    bool punch(u64 offset, u64 bytes) override { return allocate(FALLOC_FL_PUNCH_HOLE, offset, bytes); }
    bool zero(u64 offset, u64 bytes) override { return allocate(FALLOC_FL_ZERO_RANGE, offset, bytes); }
    std::optional<u64> size() override;
    std::optional<u64> allocated() override;
    Extent extent(u64 offset) override;
    bool same_as(const HostFile& other) const override;

private:
    bool allocate(int mode, u64 offset, u64 bytes);

    FileDescriptor file_;
    bool read_only_;
    std::atomic<bool> lost_writes_ = false;
};

bool PosixFile::read(u64 offset, std::span<u8> out) {
    if (!in_off_t(offset, out.size())) return false;
    while (!out.empty()) {
        const ssize_t got = retried(
            [&] { return ::pread(file_.number(), out.data(), out.size(), static_cast<off_t>(offset)); });
        if (got <= 0) return false;
        out = out.subspan(static_cast<std::size_t>(got));
        offset += static_cast<u64>(got);
    }
    return true;
}

bool PosixFile::write(u64 offset, std::span<const u8> in) {
    if (read_only_ || !in_off_t(offset, in.size())) return false;
    while (!in.empty()) {
        const ssize_t put = retried(
            [&] { return ::pwrite(file_.number(), in.data(), in.size(), static_cast<off_t>(offset)); });
        if (put <= 0) return false;
        in = in.subspan(static_cast<std::size_t>(put));
        offset += static_cast<u64>(put);
    }
    return true;
}

bool PosixFile::flush() {
    if (lost_writes_) return false;
    if (retried([&] { return ::fdatasync(file_.number()); }) == 0) return true;
    lost_writes_ = true;
    return false;
}

bool PosixFile::truncate(u64 bytes) {
    if (read_only_ || bytes > kMostOffset) return false;
    return retried([&] { return ::ftruncate(file_.number(), static_cast<off_t>(bytes)); }) == 0;
}

bool PosixFile::allocate(int mode, u64 offset, u64 bytes) {
    if (read_only_ || !in_off_t(offset, bytes)) return false;
    return bytes == 0 || retried([&] {
                             return ::fallocate(file_.number(), mode | FALLOC_FL_KEEP_SIZE,
                                                static_cast<off_t>(offset), static_cast<off_t>(bytes));
                         }) == 0;
}

std::optional<u64> PosixFile::size() {
    const off_t end = ::lseek(file_.number(), 0, SEEK_END);
    if (end < 0) return std::nullopt;
    return static_cast<u64>(end);
}

std::optional<u64> PosixFile::allocated() {
    struct stat about {};
    if (::fstat(file_.number(), &about) != 0) return std::nullopt;
    return static_cast<u64>(about.st_blocks) * 512;
}

HostFile::Extent PosixFile::extent(u64 offset) {
    const u64 end = size().value_or(0);
    const u64 rest = offset < end ? end - offset : u64{1};
    if (offset >= end) return {rest, false};
    const off_t data = ::lseek(file_.number(), static_cast<off_t>(offset), SEEK_DATA);
    if (data < 0) return {rest, errno != ENXIO};  // ENXIO: a hole up to the end
    if (static_cast<u64>(data) > offset) return {static_cast<u64>(data) - offset, false};
    const off_t hole = ::lseek(file_.number(), static_cast<off_t>(offset), SEEK_HOLE);
    if (hole <= static_cast<off_t>(offset)) return {rest, true};
    return {static_cast<u64>(hole) - offset, true};
}

bool PosixFile::same_as(const HostFile& other) const {
    const auto* file = dynamic_cast<const PosixFile*>(&other);
    struct stat a {
    }, b{};
    return file != nullptr && ::fstat(file_.number(), &a) == 0 && ::fstat(file->file_.number(), &b) == 0 &&
           a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

[[noreturn]] void refuse(const std::string& path, const std::string& why) {
    throw std::runtime_error(path + ": " + why);
}

[[noreturn]] void refuse_open(const std::string& path, const HostFileOptions& options) {
    switch (errno) {
        case EISDIR: refuse(path, "is a directory, not a disk image");
        case EACCES:
        case EPERM:
        case EROFS:
            if (options.create) refuse(path, "cannot be created: permission denied; choose another place");
            if (!options.read_only)
                refuse(path, "cannot be opened for writing; add ',ro' to use it read-only");
            refuse(path, "cannot be opened for reading: permission denied");
        case ENOENT:
            if (options.create) refuse(path, "cannot be created: there is no such folder");
            refuse(path, "no such file; create it, or check the name");
        case EEXIST: refuse(path, "is there already; remove it, choose another name, or give --force");
        case EXDEV:
        case ELOOP: refuse(path, "leads out of the folder " + options.beneath.value_or("."));
        default: refuse(path, std::string("cannot be opened: ") + std::strerror(errno));
    }
}

int open_beneath(const std::string& path, const std::string& folder, int flags) {
    const FileDescriptor root(
        ::open(folder.empty() ? "." : folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (root.number() < 0) return -1;
    struct open_how how {};
    how.flags = static_cast<u64>(flags);
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
    return static_cast<int>(::syscall(SYS_openat2, root.number(), path.c_str(), &how, sizeof how));
}

FileDescriptor open_file(const std::string& path, const HostFileOptions& options) {
    // O_NONBLOCK: do not hang on a FIFO before it is refused.
    int flags = (options.read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
    if (options.create) flags |= O_CREAT | (options.replace ? 0 : O_EXCL);
    FileDescriptor file(options.beneath ? open_beneath(path, *options.beneath, flags)
                                        : ::open(path.c_str(), flags, 0666));
    if (file.number() < 0) refuse_open(path, options);
    struct stat about {};
    if (::fstat(file.number(), &about) != 0) refuse(path, std::strerror(errno));
    if (S_ISDIR(about.st_mode)) refuse(path, "is a directory, not a disk image");
    if (!S_ISREG(about.st_mode) && !S_ISBLK(about.st_mode))
        refuse(path, "is neither a file nor a block device");
    return file;
}

// QEMU's protocol ("Image locking" of its manual; the numbers are those of its block/file-posix.c): a byte
// for each permission that is used, and one for each that others may not use; all are read locks, so that
// holding never fails and asking tells whether somebody holds them.
constexpr off_t kUsed = 100, kUnshared = 200;
constexpr off_t kConsistentRead = 0, kWrite = 1, kResize = 3;

int lock_byte(int file, int command, short type, off_t at, struct flock& lock) {
    lock = {};
    lock.l_type = type;
    lock.l_whence = SEEK_SET;
    lock.l_start = at;
    lock.l_len = 1;
    return ::fcntl(file, command, &lock);
}

void hold(int file, const std::string& path, off_t at) {
    struct flock lock;
    if (lock_byte(file, F_OFD_SETLK, F_RDLCK, at, lock) == 0) return;
    if (errno != EAGAIN && errno != EACCES)
        refuse(path, std::string("cannot be locked: ") + std::strerror(errno));
    refuse(path, "in use by another process (or another disk of this machine); stop it, or use a copy");
}

void require_free(int file, const std::string& path, off_t at) {
    struct flock lock;
    if (lock_byte(file, F_OFD_GETLK, F_WRLCK, at, lock) == 0 && lock.l_type == F_UNLCK) return;
    refuse(path, "in use by another process (or another disk of this machine); stop it, or use a copy");
}

void lock(int file, const std::string& path, bool read_only) {
    hold(file, path, kUsed + kConsistentRead);
    for (const off_t changing : {kWrite, kResize}) {
        if (!read_only) hold(file, path, kUsed + changing);
        hold(file, path, kUnshared + changing);
    }
    require_free(file, path, kUnshared + kConsistentRead);
    for (const off_t changing : {kWrite, kResize}) {
        if (!read_only) require_free(file, path, kUnshared + changing);
        require_free(file, path, kUsed + changing);
    }
}

// A write lock, as the file may not even be readable; it excludes every opener of the protocol. A host that
// knows no locks can still keep a log.
void lock_output(int file, const std::string& path) {
    struct flock lock;
    for (const off_t at : {kUsed + kWrite, kUnshared + kWrite})
        if (lock_byte(file, F_OFD_SETLK, F_WRLCK, at, lock) != 0 && (errno == EAGAIN || errno == EACCES))
            refuse(path, "in use, by another process or by this machine; choose another file");
}
}  // namespace

bool read_padded(HostFile& file, u64 offset, std::span<u8> out) {
    if (file.read(offset, out)) return true;
    const auto end = file.size();
    if (!end || (offset <= *end && out.size() <= *end - offset)) return false;
    const u64 there = offset < *end ? *end - offset : 0;
    std::ranges::fill(out.subspan(there), u8{0});
    return there == 0 || file.read(offset, out.first(there));
}

bool write_zeroes(HostFile& file, u64 offset, u64 bytes) {
    static constexpr std::array<u8, 64 * 1024> kZeroes{};
    for (u64 done = 0; done < bytes;) {
        const u64 piece = std::min<u64>(bytes - done, kZeroes.size());
        if (!file.write(offset + done, std::span(kZeroes).first(piece))) return false;
        done += piece;
    }
    return true;
}

std::unique_ptr<HostFile> open_host_file(const std::string& path, const HostFileOptions& options) {
    FileDescriptor file = open_file(path, options);
    lock(file.number(), path, options.read_only);
    if (options.create && options.replace && ::ftruncate(file.number(), 0) != 0)
        refuse(path, std::string("cannot be emptied: ") + std::strerror(errno));
    return std::make_unique<PosixFile>(std::move(file), options.read_only);
}

int open_output(const std::string& path) {
    // Emptied only when it is known to be nobody else's: no O_TRUNC.
    FileDescriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY, 0666));
    struct stat about {};
    if (file.number() < 0 || ::fstat(file.number(), &about) != 0)
        refuse(path, std::string(std::strerror(errno)) + ": choose a file that can be written");
    if (S_ISREG(about.st_mode) || S_ISBLK(about.st_mode)) lock_output(file.number(), path);
    if (S_ISREG(about.st_mode) && retried([&] { return ::ftruncate(file.number(), 0); }) != 0)
        refuse(path, std::string("cannot be emptied: ") + std::strerror(errno));
    return file.release();
}
}  // namespace hartline
