// Vsock's sockets in a folder of the host.
#include "devices/stream/vsock_host.hpp"

#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <map>
#include <mutex>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "devices/poll_thread.hpp"
#include "devices/stream/unix_socket.hpp"

namespace hartline::stream {
namespace {
constexpr std::size_t kMostLine = 32;  // of "CONNECT PORT\n"

std::string socket_in(const std::string& folder) {
    struct stat status {};
    if (::stat(folder.c_str(), &status) != 0 || !S_ISDIR(status.st_mode))
        throw std::runtime_error(folder + ": is no folder: make it, or give another");
    return folder + "/connect";
}

// "CONNECT PORT", without its end. false: it is something else.
bool port_of(std::string_view line, u32& port) {
    constexpr std::string_view kWord = "CONNECT ";
    if (!line.starts_with(kWord)) return false;
    line.remove_prefix(kWord.size());
    if (line.ends_with('\r')) line.remove_suffix(1);
    const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), port);
    return error == std::errc() && end == line.data() + line.size() && !line.empty();
}

class VsockFolder final : public VsockHost, private PollThread {
public:
    explicit VsockFolder(const std::string& folder) : folder_(folder), listener_(socket_in(folder)) {}
    ~VsockFolder() override { stop(); }

    void open(std::function<void(std::span<const u8>)> deliver) override {
        {
            const std::lock_guard lock(lock_);
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
    void connect(u32 connection, u32 port) override;
    void established(u32 connection) override;
    void send(u32 connection, std::span<const u8> bytes) override;
    void end(u32 connection) override;
    void finish(u32 connection) override;
    void abort(u32 connection) override;
    void taken(u32 connection, u64 bytes) override;
    void drop_all() override;

private:
    struct Peer {
        Fd fd;
        std::string line;  // what has come of "CONNECT PORT\n", while `known` is false
        std::vector<u8> outbound;
        u64 inbound = 0;  // bytes on their way to the guest
        u64 unpaid = 0;   // at the head of outbound: not of the guest, so no credit for it
        u32 port = 0;
        bool known = false;      // the guest was asked, or has asked
        bool agreed = false;     // bytes flow
        bool ended = false;      // nothing more comes from it
        bool ending = false;     // nothing more is sent to it when outbound is empty,
        bool finishing = false;  // and it is closed then
    };
    using Peers = std::map<u32, Peer>;

    void turn() override;
    static short wanted(const Peer& peer);
    void accept();
    bool serve(u32 number, Peer& peer, short events);  // false: it is over
    bool read(u32 number, Peer& peer);
    bool read_line(u32 number, Peer& peer);
    bool write(u32 number, Peer& peer);
    bool over(u32 number);
    void post(const std::vector<u8>& record) {
        if (deliver_) deliver_(record);
    }
    template <class Act>
    void with(u32 number, Act act) {
        {
            const std::lock_guard lock(lock_);
            const auto at = peers_.find(number);
            if (at == peers_.end()) return;
            act(at->second);
        }
        wake();
    }

    std::string folder_;
    UnixListener listener_;
    std::mutex lock_;  // of all below. Delivering is done under it, so that records keep their order
    std::function<void(std::span<const u8>)> deliver_;
    Peers peers_;
    u32 next_ = 2;  // the number of who comes next: even
};

// --- by the device

void VsockFolder::connect(u32 connection, u32 port) {
    const std::lock_guard lock(lock_);
    // The device forgets a connection that it ended, here it lasts until its bytes have gone on.
    if (peers_.size() >= 2 * kMostConnections) return post(vsock_record(VsockRecord::Closed, connection));
    Peer peer{.fd = connect_unix(folder_ + "/" + std::to_string(port)), .line = {}, .outbound = {}};
    if (!peer.fd) return post(vsock_record(VsockRecord::Closed, connection));
    peer.port = port;
    peer.known = peer.agreed = true;
    peers_.insert_or_assign(connection, std::move(peer));
    post(vsock_record(VsockRecord::Accepted, connection));
    wake();
}

void VsockFolder::established(u32 connection) {
    {
        const std::lock_guard lock(lock_);
        if (!peers_.contains(connection)) return post(vsock_record(VsockRecord::Closed, connection));
    }
    with(connection, [](Peer& peer) {
        const std::string line = "OK " + std::to_string(peer.port) + "\n";
        peer.agreed = true;
        peer.outbound.assign(line.begin(), line.end());
        peer.unpaid = line.size();
    });
}

void VsockFolder::send(u32 connection, std::span<const u8> bytes) {
    with(connection,
         [&](Peer& peer) { peer.outbound.insert(peer.outbound.end(), bytes.begin(), bytes.end()); });
}
void VsockFolder::end(u32 connection) {
    with(connection, [](Peer& peer) { peer.ending = true; });
}
void VsockFolder::finish(u32 connection) {
    with(connection, [](Peer& peer) { peer.finishing = true; });
}
void VsockFolder::abort(u32 connection) {
    {
        const std::lock_guard lock(lock_);
        peers_.erase(connection);
    }
    wake();
}
void VsockFolder::taken(u32 connection, u64 bytes) {
    with(connection, [=](Peer& peer) { peer.inbound -= std::min(peer.inbound, bytes); });
}
void VsockFolder::drop_all() {
    {
        const std::lock_guard lock(lock_);
        std::erase_if(peers_, [](const auto& peer) { return peer.second.known; });
    }
    wake();
}

// --- on the thread

// Who has not said whom he wants is read; else as far as the guest is behind (CVE-2020-16843).
short VsockFolder::wanted(const Peer& peer) {
    const bool reads =
        !peer.known || (peer.agreed && !peer.ended && !peer.finishing && peer.inbound < kVsockWindow);
    return static_cast<short>((reads ? POLLIN : 0) |
                              (!peer.outbound.empty() || peer.ending || peer.finishing ? POLLOUT : 0));
}

void VsockFolder::turn() {
    std::vector<pollfd> files;
    std::vector<u32> numbers;
    {
        const std::lock_guard lock(lock_);
        // More than there may be wait to be accepted.
        files.push_back({peers_.size() < kMostConnections ? listener_.fd() : -1, POLLIN, 0});
        for (const auto& [number, peer] : peers_) {
            const short events = wanted(peer);
            files.push_back({events == 0 ? -1 : peer.fd.get(), events, 0});
            numbers.push_back(number);
        }
    }
    wait(files);
    const std::lock_guard lock(lock_);
    for (std::size_t i = 0; i < numbers.size(); ++i) {
        const auto at = peers_.find(numbers[i]);
        if (at != peers_.end() && files[i + 1].revents != 0 &&
            !serve(at->first, at->second, files[i + 1].revents))
            peers_.erase(at);
    }
    if (files[0].revents != 0) accept();
}

void VsockFolder::accept() {
    Fd fd = listener_.accept();
    if (!fd) return;
    Peer peer;
    peer.fd = std::move(fd);
    peers_.insert_or_assign(next_, std::move(peer));
    next_ += 2;
}

bool VsockFolder::serve(u32 number, Peer& peer, short events) {
    const bool readable = (wanted(peer) & POLLIN) != 0 && (events & (POLLIN | POLLHUP | POLLERR)) != 0;
    if (readable && !(peer.known ? read(number, peer) : read_line(number, peer))) return false;
    return (events & POLLOUT) == 0 || write(number, peer);
}

bool VsockFolder::over(u32 number) {
    post(vsock_record(VsockRecord::Closed, number));
    return false;
}

// The line is read a byte at a time: what is behind it is the guest's.
bool VsockFolder::read_line(u32 number, Peer& peer) {
    for (;;) {
        u8 byte = 0;
        const Received got = receive_some(peer.fd.get(), std::span(&byte, 1));
        if (got.how == Received::How::End) return false;
        if (got.bytes == 0) return true;
        if (byte == '\n') break;
        peer.line += static_cast<char>(byte);
        if (peer.line.size() > kMostLine) return false;
    }
    if (!port_of(peer.line, peer.port)) return false;
    peer.known = true;
    post(vsock_record(VsockRecord::Connect, number, peer.port));
    return true;
}

bool VsockFolder::read(u32 number, Peer& peer) {
    std::array<u8, 16 * 1024> bytes;
    const std::size_t room = std::min<u64>(bytes.size(), kVsockWindow - peer.inbound);
    const Received got = receive_some(peer.fd.get(), std::span(bytes).first(room));
    if (got.how == Received::How::End) {
        peer.ended = true;
        post(vsock_record(VsockRecord::End, number));
    } else if (got.bytes != 0) {
        peer.inbound += got.bytes;
        post(vsock_record(VsockRecord::Data, number, std::span(bytes).first(got.bytes)));
    }
    return true;
}

bool VsockFolder::write(u32 number, Peer& peer) {
    if (!peer.outbound.empty()) {
        const i64 sent = send_some(peer.fd.get(), peer.outbound);
        if (sent < 0) return peer.finishing ? false : over(number);
        peer.outbound.erase(peer.outbound.begin(), peer.outbound.begin() + sent);
        const u64 unpaid = std::min(peer.unpaid, static_cast<u64>(sent));
        peer.unpaid -= unpaid;
        const u32 paid = static_cast<u32>(static_cast<u64>(sent) - unpaid);
        if (paid != 0) post(vsock_record(VsockRecord::Credit, number, paid));
    }
    if (!peer.outbound.empty()) return true;
    if (peer.finishing) return false;
    if (std::exchange(peer.ending, false)) ::shutdown(peer.fd.get(), SHUT_WR);
    return true;
}
}  // namespace

std::vector<u8> vsock_record(VsockRecord kind, u32 connection, std::span<const u8> rest) {
    std::vector<u8> record(1 + sizeof connection + rest.size());
    record[0] = static_cast<u8>(kind);
    std::memcpy(&record[1], &connection, sizeof connection);
    std::ranges::copy(rest, record.begin() + 1 + sizeof connection);
    return record;
}
std::vector<u8> vsock_record(VsockRecord kind, u32 connection, u32 number) {
    u8 bytes[sizeof number];
    std::memcpy(bytes, &number, sizeof number);
    return vsock_record(kind, connection, bytes);
}

std::shared_ptr<VsockHost> vsock_folder(const std::string& folder) {
    return std::make_shared<VsockFolder>(folder);
}
}  // namespace hartline::stream
