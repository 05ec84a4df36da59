// Files, sockets and sinks behind a console's ports.
#include "devices/stream/ports.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <stdexcept>
#include <utility>

#include "devices/poll_thread.hpp"
#include "devices/storage/host_file.hpp"
#include "devices/stream/unix_socket.hpp"

namespace hartline::stream {
namespace {
class FilePort final : public PortHost {
public:
    FilePort(const std::string& path, std::function<void(const std::string&)> failed)
        : path_(path), fd_(open_output(path)), failed_(std::move(failed)) {}
    bool constant() const override { return true; }
    void send(u32, std::span<const u8> bytes) override {
        while (!bytes.empty() && !broken_) {
            const ssize_t done = ::write(fd_.get(), bytes.data(), bytes.size());
            if (done >= 0)
                bytes = bytes.subspan(static_cast<std::size_t>(done));
            else if (errno != EINTR)
                fail();
        }
    }

private:
    void fail() {
        broken_ = true;
        if (failed_) failed_(path_ + ": " + std::strerror(errno));
    }
    std::string path_;
    Fd fd_;
    std::function<void(const std::string&)> failed_;
    bool broken_ = false;
};

class SinkPort final : public PortHost {
public:
    explicit SinkPort(ByteSink& sink) : sink_(sink) {}
    bool constant() const override { return true; }
    void send(u32, std::span<const u8> bytes) override { sink_.write(bytes); }

private:
    ByteSink& sink_;
};

class SocketPort final : public PortHost, private PollThread {
public:
    explicit SocketPort(const std::string& path) : listener_(path) {}
    ~SocketPort() { stop(); }

    void open(u8 number, Deliver deliver) override {
        {
            const std::lock_guard lock(lock_);
            number_ = number;
            deliver_ = std::move(deliver);
        }
        start();
    }
    void close() override {
        {
            const std::lock_guard lock(lock_);
            deliver_ = nullptr;
        }
        stop();
    }
    void announce() override;
    bool constant() const override { return false; }
    void send(u32 number, std::span<const u8> bytes) override;
    void taken(u64 bytes) override;

private:
    void turn() override;
    void accept();
    void disconnect();
    void read();
    void write();
    void post(PortRecord kind, u32 number) {
        if (deliver_) deliver_(port_record(kind, number_, number));
    }

    UnixListener listener_;
    std::mutex lock_;  // of all below. Delivering is done under it, so that records keep their order
    u8 number_ = 0;
    Deliver deliver_;
    Fd peer_;
    u32 connection_ = 0;  // of the peer, or of the last one
    u64 inbound_ = 0;     // bytes on their way to the guest
    std::vector<u8> outbound_;
};

void SocketPort::announce() {
    const std::lock_guard lock(lock_);
    post(PortRecord::Closed, 0);
    if (!peer_) return;
    // What was sent before is not counted again: a new number, so that it is known apart.
    outbound_.clear();
    post(PortRecord::Open, ++connection_);
}

void SocketPort::send(u32 number, std::span<const u8> bytes) {
    {
        const std::lock_guard lock(lock_);
        if (!peer_ || number != connection_) return;
        outbound_.insert(outbound_.end(), bytes.begin(), bytes.end());
    }
    wake();
}

// A snapshot's or a replay's bytes were never counted here, so the count ends at zero.
void SocketPort::taken(u64 bytes) {
    {
        const std::lock_guard lock(lock_);
        inbound_ -= std::min(inbound_, bytes);
    }
    wake();
}

// CVE-2020-27174, CVE-2020-16843: what is on its way is at most a window; the socket is read again when the
// guest has taken some of it.
void SocketPort::turn() {
    std::vector<pollfd> files{{listener_.fd(), POLLIN, 0}};
    {
        const std::lock_guard lock(lock_);
        if (peer_) {
            const int wanted = (inbound_ < kPortWindow ? POLLIN : 0) | (outbound_.empty() ? 0 : POLLOUT);
            files[0].fd = -1;  // one at a time: the next waits to be accepted
            files.push_back({wanted == 0 ? -1 : peer_.get(), static_cast<short>(wanted), 0});
        }
    }
    wait(files);
    const std::lock_guard lock(lock_);
    if (files[0].revents != 0) accept();
    if (files.size() < 2 || !peer_) return;
    if ((files[1].revents & POLLOUT) != 0) write();
    if (peer_ && (files[1].revents & POLLIN) != 0 && inbound_ < kPortWindow) read();
    if (peer_ && (files[1].revents & (POLLHUP | POLLERR)) != 0 && (files[1].revents & POLLIN) == 0 &&
        inbound_ < kPortWindow)
        disconnect();
}

void SocketPort::accept() {
    Fd peer = listener_.accept();
    if (!peer) return;
    peer_ = std::move(peer);
    outbound_.clear();
    post(PortRecord::Open, ++connection_);
}

void SocketPort::disconnect() {
    peer_.reset();
    outbound_.clear();
    post(PortRecord::Closed, 0);
}

void SocketPort::read() {
    std::array<u8, kPortWindow> bytes;
    const Received got = receive_some(peer_.get(), std::span(bytes).first(kPortWindow - inbound_));
    if (got.how == Received::How::End) return disconnect();
    if (got.bytes == 0) return;
    inbound_ += got.bytes;
    if (deliver_) deliver_(port_record(PortRecord::Data, number_, std::span(bytes).first(got.bytes)));
}

void SocketPort::write() {
    const i64 sent = send_some(peer_.get(), outbound_);
    if (sent < 0) return disconnect();
    outbound_.erase(outbound_.begin(), outbound_.begin() + sent);
    if (sent != 0) post(PortRecord::Credit, static_cast<u32>(sent));
}
}  // namespace

std::shared_ptr<PortHost> file_port(const std::string& path, std::function<void(const std::string&)> failed) {
    return std::make_shared<FilePort>(path, std::move(failed));
}
std::shared_ptr<PortHost> socket_port(const std::string& path) { return std::make_shared<SocketPort>(path); }
std::shared_ptr<PortHost> sink_port(ByteSink& sink) { return std::make_shared<SinkPort>(sink); }
}  // namespace hartline::stream
