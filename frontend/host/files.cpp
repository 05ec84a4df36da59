// Reading and writing of host files.
#include "frontend/host/files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "frontend/session/errors.hpp"

namespace hartline {
namespace {
[[noreturn]] void refuse(const std::string& path, const char* way_out) {
    throw InputError(path, std::strerror(errno), way_out);
}

void write_all(int fd, const std::string& path, std::span<const u8> bytes) {
    while (!bytes.empty()) {
        const ssize_t done = ::write(fd, bytes.data(), bytes.size());
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) throw HostError(path, std::string("cannot write: ") + std::strerror(errno));
        bytes = bytes.subspan(static_cast<std::size_t>(done));
    }
}

void write_through(const std::string& path, std::span<const std::span<const u8>> parts) {
    const Descriptor file(::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY));
    if (!file.open()) refuse(path, "choose a place that can be written");
    for (const auto part : parts) write_all(file.get(), path, part);
}

// Removes the temporary file unless it got its name.
struct Temporary {
    std::string path;
    bool kept = false;
    ~Temporary() {
        if (!kept) ::unlink(path.c_str());
    }
};

void sync_folder(const std::string& path) {
    const auto parent = std::filesystem::path(path).parent_path();
    const Descriptor folder(
        ::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (folder.open()) ::fsync(folder.get());
}

mode_t creation_mode() {
    const mode_t mask = ::umask(0);
    ::umask(mask);
    return 0666 & ~mask;
}
}  // namespace

TemporaryFolder::TemporaryFolder()
    : path_((std::filesystem::temp_directory_path() / "hartline-XXXXXX").string()) {
    if (::mkdtemp(path_.data()) == nullptr)
        throw HostError(path_, std::string("cannot be made: ") + std::strerror(errno),
                        "is there room in TMPDIR?");
}

TemporaryFolder::~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
    if (this != &other) {
        close();
        fd_ = other.release();
    }
    return *this;
}
int Descriptor::release() {
    const int fd = fd_;
    fd_ = -1;
    return fd;
}
void Descriptor::close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
}

std::vector<u8> read_file(const std::string& path, u64 limit, std::string_view too_large) {
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
    if (!file.open()) refuse(path, errno == ENOENT ? "check the name" : "check its permissions");
    struct stat status {};
    if (::fstat(file.get(), &status) != 0) refuse(path, "");
    if (S_ISDIR(status.st_mode)) throw InputError(path, "is a directory", "give a file");
    const bool regular = S_ISREG(status.st_mode);
    if (regular && static_cast<u64>(status.st_size) > limit) throw InputError(path, std::string(too_large));
    std::vector<u8> bytes;
    if (regular) bytes.reserve(static_cast<std::size_t>(status.st_size) + 1);
    constexpr std::size_t kChunk = 1 << 20;
    for (;;) {
        const std::size_t before = bytes.size();
        const std::size_t room = bytes.capacity() > before ? bytes.capacity() - before : kChunk;
        bytes.resize(before + std::min(room, kChunk));
        const ssize_t got = ::read(file.get(), bytes.data() + before, bytes.size() - before);
        bytes.resize(before + static_cast<std::size_t>(got > 0 ? got : 0));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) throw HostError(path, std::string("cannot read: ") + std::strerror(errno));
        if (bytes.size() > limit) throw InputError(path, std::string(too_large));
        if (got == 0) return bytes;
    }
}

void write_file(const std::string& path, std::span<const std::span<const u8>> parts) {
    struct stat status {};
    const bool there = ::stat(path.c_str(), &status) == 0;
    if (there && S_ISDIR(status.st_mode)) throw InputError(path, "is a directory", "give a file");
    if (there && !S_ISREG(status.st_mode)) return write_through(path, parts);
    Temporary temporary{path + ".XXXXXX"};
    Descriptor file(::mkostemp(temporary.path.data(), O_CLOEXEC));
    if (!file.open()) {
        temporary.kept = true;
        refuse(path, "choose a place that can be written");
    }
    ::fchmod(file.get(), there ? status.st_mode & 07777 : creation_mode());
    for (const auto part : parts) write_all(file.get(), path, part);
    if (::fsync(file.get()) != 0 || ::rename(temporary.path.c_str(), path.c_str()) != 0)
        throw HostError(path, std::string("cannot write: ") + std::strerror(errno));
    temporary.kept = true;
    sync_folder(path);
}

void fill_standard_descriptors() {
    for (int fd = 0; fd <= 2; ++fd)
        if (::fcntl(fd, F_GETFD) < 0 && errno == EBADF)
            if (const int opened = ::open("/dev/null", O_RDWR); opened > 2) ::close(opened);
}
}  // namespace hartline
