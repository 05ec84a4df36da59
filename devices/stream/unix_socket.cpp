// Unix stream sockets.
#include "devices/stream/unix_socket.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace hartline::stream {
namespace {
constexpr int kKind = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK;
constexpr int kBacklog = 16;

// false: the name is too long for a socket.
bool address_of(const std::string& path, sockaddr_un& address) {
    address = {};
    address.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof address.sun_path) return false;
    std::memcpy(address.sun_path, path.data(), path.size());
    return true;
}

const sockaddr* plain(const sockaddr_un& address) { return reinterpret_cast<const sockaddr*>(&address); }

// Is it a socket that was left behind?
bool stale(const std::string& path) {
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0 || !S_ISSOCK(status.st_mode)) return false;
    errno = 0;
    return !connect_unix(path) && errno == ECONNREFUSED;
}
}  // namespace

Fd& Fd::operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
}
void Fd::reset() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
}

UnixListener::UnixListener(const std::string& path) : path_(path) {
    sockaddr_un address;
    if (!address_of(path, address))
        throw std::runtime_error(path + ": is too long for a socket's name: choose one of up to 107 bytes");
    if (stale(path)) ::unlink(path.c_str());
    Fd fd(::socket(AF_UNIX, kKind, 0));
    if (!fd || ::bind(fd.get(), plain(address), sizeof address) != 0) {
        const int why = errno;
        throw std::runtime_error(
            path + ": " +
            (why == EADDRINUSE ? "is there already: choose another, or end who has it"
                               : std::string(std::strerror(why)) + ": choose a place where a socket can be"));
    }
    if (::chmod(path.c_str(), S_IRUSR | S_IWUSR) != 0 || ::listen(fd.get(), kBacklog) != 0) {
        const int why = errno;
        ::unlink(path.c_str());
        throw std::runtime_error(path + ": " + std::strerror(why) + ": choose another");
    }
    fd_ = std::move(fd);
}

UnixListener::~UnixListener() { ::unlink(path_.c_str()); }

Fd UnixListener::accept() { return Fd(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)); }

Fd connect_unix(const std::string& path) {
    sockaddr_un address;
    if (!address_of(path, address)) return {};
    Fd fd(::socket(AF_UNIX, kKind, 0));
    if (!fd) return {};
    if (::connect(fd.get(), plain(address), sizeof address) == 0) return fd;
    const int why = errno;
    fd.reset();
    errno = why;
    return {};
}

i64 send_some(int fd, std::span<const u8> bytes) {
    const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) return sent;
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? 0 : -1;
}

Received receive_some(int fd, std::span<u8> into) {
    const ssize_t got = ::recv(fd, into.data(), into.size(), MSG_DONTWAIT);
    if (got > 0) return {Received::How::Bytes, static_cast<std::size_t>(got)};
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return {};
    return {Received::How::End};
}
}  // namespace hartline::stream
