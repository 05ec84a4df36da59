// Stream sockets of the host that have a file's name, as they are made, accepted, and connected to.
#pragma once
#include <span>
#include <string>

#include "core/types.hpp"

namespace hartline::stream {

// Owns a descriptor.
class Fd {
public:
    Fd() = default;
    explicit Fd(int fd) : fd_(fd) {}
    ~Fd() { reset(); }
    Fd(Fd&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
    Fd& operator=(Fd&& other) noexcept;
    int get() const { return fd_; }
    explicit operator bool() const { return fd_ >= 0; }
    void reset();

private:
    int fd_ = -1;
};

// Listens at `path`, for this user only; its file is gone when this is. What nobody listens at any more is
// replaced. Sockets do not block.
class UnixListener {
public:
    // Throws std::runtime_error, which names the path and what to do.
    explicit UnixListener(const std::string& path);
    ~UnixListener();
    UnixListener(const UnixListener&) = delete;
    UnixListener& operator=(const UnixListener&) = delete;
    int fd() const { return fd_.get(); }
    Fd accept();  // none: nobody has come

private:
    std::string path_;
    Fd fd_;
};

// None: nobody listens there.
Fd connect_unix(const std::string& path);

// As many bytes as go without waiting. Negative: the connection is broken.
i64 send_some(int fd, std::span<const u8> bytes);
struct Received {
    enum class How : u8 { Bytes, Nothing, End };
    How how = How::Nothing;
    std::size_t bytes = 0;
};
Received receive_some(int fd, std::span<u8> into);
}  // namespace hartline::stream
