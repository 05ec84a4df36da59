// virtio-vsock: stream sockets between host and guest.
//
// References are to "Socket Device" of virtio 1.2. The protocol's state is the machine's; the host's sockets
// are told of what it decides, and tell by records. Each direction of a connection is bounded by credit: the
// guest's by what we announce, ours by what the guest announces.
#include "devices/virtio/vsock.hpp"

#include <algorithm>
#include <cstring>
#include <deque>
#include <vector>

#include "devices/byte_queue.hpp"

namespace hartline {
namespace {
using stream::VsockRecord;
using virtio::Chain;

constexpr u32 kDeviceType = 19;
constexpr u64 kStream = 1;  // the feature VIRTIO_VSOCK_F_STREAM
constexpr unsigned kReceive = 0, kTransmit = 1, kEvents = 2;
constexpr u32 kQueueSize = 128;
constexpr u64 kHostCid = 2;
constexpr u16 kStreamType = 1;
constexpr u32 kTransportReset = 0;  // the event

enum Operation : u16 {
    kInvalid,
    kRequest,
    kResponse,
    kReset,
    kShutdown,
    kReadWrite,
    kCreditUpdate,
    kCreditRequest
};
constexpr u32 kNoReceive = 1, kNoSend = 2, kNeither = 3;  // flags of a shutdown

constexpr u64 kMostPacket = 64 * 1024;           // payload, as Linux has it
constexpr std::size_t kMostReplies = 64;         // to packets of no connection
constexpr u32 kTell = stream::kVsockWindow / 4;  // the guest hears of new credit by so much at the latest

// As in memory, byte by byte.
struct Header {
    u64 src_cid, dst_cid;
    u32 src_port, dst_port, len;
    u16 type, op;
    u32 flags, buf_alloc, fwd_cnt;
};
constexpr u64 kHeaderBytes = 44;
static_assert(offsetof(Header, fwd_cnt) == 40);

struct Connection {
    u32 number = 0;  // the host's name for it
    u32 guest_port = 0, host_port = 0;
    u32 peer_alloc = 0, peer_forward = 0;  // the guest's buffer, and what it took of what was sent
    u32 sent = 0, received = 0;            // bytes to and from the guest, modulo 2^32
    u32 forward = 0, told_forward = 0;     // bytes that went on to the host, and what the guest knows of them
    u32 guest_shut = 0;                    // kNoReceive, kNoSend: of the guest
    u16 next = kInvalid;                   // what is to be said before data: kRequest, kResponse, kReset
    bool open = false;                     // both have agreed
    bool ended = false, closed = false;    // at the host's end
    u32 told_shut = 0;                     // what of that the guest knows
    bool credit_wanted = false;
    ByteQueue backlog{stream::kVsockWindow};
};

class VirtioVsock final : public virtio::VirtioDevice {
public:
    VirtioVsock(DevicePort& port, u32 cid, std::shared_ptr<stream::VsockHost> host)
        : VirtioDevice(port, {"virtio_vsock", kDeviceType, kStream, {kQueueSize, kQueueSize, kQueueSize}}),
          cid_(cid),
          host_(std::move(host)) {}
    void input(std::span<const u8> record) override;

private:
    std::span<const u8> config() const override {
        return std::span(reinterpret_cast<const u8*>(&cid_), sizeof cid_);
    }
    void serve(unsigned queue) override;
    void driver_reset_own() override { drop_all(); }
    void reset_own() override { drop_all(); }
    void describe_own(Archive& archive) override;
    void describe_connection(Archive& archive, Connection& connection);

    // --- from the guest
    u64 transmit(const Chain& chain);
    void packet(const Header& header, const Chain& chain);
    void request(const Header& header);
    void obey(Connection& connection, const Header& header, const Chain& chain);
    void payload(Connection& connection, const Header& header, const Chain& chain);
    void shut(Connection& connection, u32 flags);
    void refuse(const Header& header);

    // --- to the guest
    bool anything_to_say() const;
    static bool has_something(const Connection& connection);
    static u32 credit(const Connection& connection);
    u64 receive(const Chain& chain);
    void say(Connection& connection, const Chain& chain);
    void write(const Chain& chain, const Header& header, std::span<const u8> data = {});
    Header header_of(const Connection& connection, u16 operation) const;
    u64 tell_event(const Chain& chain);

    // --- of the host
    void take_record(VsockRecord kind, u32 number, std::span<const u8> rest);
    void incoming(u32 number, u32 port);
    Connection* of_number(u32 number);
    Connection* of_ports(u32 guest_port, u32 host_port);
    void forget_connection(Connection& connection);
    void drop_all();

    std::vector<Connection> connections_;  // the state, with
    std::deque<Header> replies_;           // resets of what is no connection
    struct State {
        u32 next_number = 1;      // of the guest's connections: odd
        u32 next_port = 1 << 20;  // of the host's end of those that came from there
        u32 turn = 0;             // the connection that speaks next
        bool lost = false;        // the guest is to be told
    } s_;
    static_assert(sizeof(State) == 16, "VirtioVsock::State changed: extend describe_own()");
    u64 cid_;
    std::shared_ptr<stream::VsockHost> host_;
};

void VirtioVsock::serve(unsigned queue) {
    if (queue == kReceive) {
        drain(
            queue, [this] { return anything_to_say(); },
            [this](const Chain& chain) { return receive(chain); });
    } else if (queue == kEvents) {
        drain(
            queue, [this] { return s_.lost; }, [this](const Chain& chain) { return tell_event(chain); });
    } else {
        drain(
            queue, [this] { return replies_.size() < kMostReplies; },
            [this](const Chain& chain) { return transmit(chain); });
        kick(kReceive);
    }
}

// --- from the guest

// CVE-2019-18960: what a packet says of its length is checked against the chain that it came in.
u64 VirtioVsock::transmit(const Chain& chain) {
    Header header{};
    const u64 got =
        copy_in(port().memory(), chain.readable, 0, std::span(reinterpret_cast<u8*>(&header), kHeaderBytes));
    const bool whole = got == kHeaderBytes && header.len <= chain.readable_bytes - kHeaderBytes;
    if (whole && header.len <= kMostPacket) packet(header, chain);
    give(kTransmit, chain.head, 0);
    return kHeaderBytes + (whole ? header.len : 0);
}

void VirtioVsock::packet(const Header& header, const Chain& chain) {
    if (header.src_cid != cid_) return;
    Connection* const connection = of_ports(header.src_port, header.dst_port);
    const bool known = header.dst_cid == kHostCid && header.type == kStreamType;
    if (known && connection != nullptr) return obey(*connection, header, chain);
    if (known && header.op == kRequest && connections_.size() < stream::kMostConnections)
        return request(header);
    if (header.op != kReset) refuse(header);
}

void VirtioVsock::refuse(const Header& header) {
    replies_.push_back({.src_cid = header.dst_cid,
                        .dst_cid = cid_,
                        .src_port = header.dst_port,
                        .dst_port = header.src_port,
                        .len = 0,
                        .type = header.type,
                        .op = kReset,
                        .flags = 0,
                        .buf_alloc = 0,
                        .fwd_cnt = 0});
}

void VirtioVsock::request(const Header& header) {
    Connection connection;
    connection.number = s_.next_number;
    s_.next_number += 2;
    connection.guest_port = header.src_port;
    connection.host_port = header.dst_port;
    connection.peer_alloc = header.buf_alloc;
    connection.peer_forward = header.fwd_cnt;
    host_->connect(connection.number, connection.host_port);
    connections_.push_back(std::move(connection));
}

void VirtioVsock::obey(Connection& connection, const Header& header, const Chain& chain) {
    connection.peer_alloc = header.buf_alloc;
    connection.peer_forward = header.fwd_cnt;
    switch (header.op) {
        case kResponse:
            if (connection.open || connection.number % 2 != 0) break;
            connection.open = true;
            return host_->established(connection.number);
        case kReadWrite:
            if (connection.open) return payload(connection, header, chain);
            break;
        case kShutdown: return shut(connection, header.flags & kNeither);
        case kCreditUpdate: return;
        case kCreditRequest: connection.credit_wanted = true; return;
        case kReset: host_->abort(connection.number); return forget_connection(connection);
        default: break;
    }
    host_->finish(connection.number);  // out of order: the connection ends
    connection.next = kReset;
}

// CVE-2020-27174: who sends more than he was given room for loses his connection.
void VirtioVsock::payload(Connection& connection, const Header& header, const Chain& chain) {
    const u32 under_way = connection.received - connection.forward;
    if (header.len > stream::kVsockWindow - std::min(under_way, stream::kVsockWindow) ||
        (connection.guest_shut & kNoSend) != 0) {
        host_->finish(connection.number);
        connection.next = kReset;
        return;
    }
    std::vector<u8> bytes(header.len);
    copy_in(port().memory(), chain.readable, kHeaderBytes, bytes);
    connection.received += header.len;
    if (!connection.closed) return host_->send(connection.number, bytes);
    connection.forward += header.len;
}

// "Disconnection": who shuts both directions is answered by a reset.
void VirtioVsock::shut(Connection& connection, u32 flags) {
    const u32 before = connection.guest_shut;
    connection.guest_shut |= flags;
    if (connection.guest_shut == kNeither) {
        host_->finish(connection.number);
        connection.next = kReset;
    } else if ((flags & ~before & kNoSend) != 0) {
        host_->end(connection.number);
    }
}

// --- to the guest

u32 VirtioVsock::credit(const Connection& connection) {
    const u32 under_way = connection.sent - connection.peer_forward;
    return under_way < connection.peer_alloc ? connection.peer_alloc - under_way : 0;
}

bool VirtioVsock::has_something(const Connection& connection) {
    if (connection.next != kInvalid) return true;
    if (!connection.open) return false;
    const u32 shut = connection.closed ? kNeither : connection.ended ? kNoSend : 0;
    return (!connection.backlog.empty() && credit(connection) != 0) || connection.credit_wanted ||
           (connection.backlog.empty() && shut != connection.told_shut) ||
           connection.forward - connection.told_forward >= kTell;
}

bool VirtioVsock::anything_to_say() const {
    return !replies_.empty() || std::ranges::any_of(connections_, has_something);
}

// CVE-2016-4453: connections take turns, a packet each.
u64 VirtioVsock::receive(const Chain& chain) {
    if (chain.writable_bytes < kHeaderBytes) {
        needs_reset();
        return 0;
    }
    if (!replies_.empty()) {
        write(chain, replies_.front());
        replies_.pop_front();
        if (replies_.size() + 1 == kMostReplies) work_later(kTransmit);
        return kHeaderBytes;
    }
    for (std::size_t i = 0; i < connections_.size(); ++i) {
        Connection& connection = connections_[(s_.turn + i) % connections_.size()];
        if (!has_something(connection)) continue;
        s_.turn = static_cast<u32>((s_.turn + i + 1) % connections_.size());
        say(connection, chain);
        break;
    }
    return kHeaderBytes;
}

void VirtioVsock::say(Connection& connection, const Chain& chain) {
    const u64 room = std::min<u64>({chain.writable_bytes - kHeaderBytes, credit(connection), kMostPacket});
    if (connection.next != kInvalid) {
        const u16 operation = std::exchange(connection.next, u16{kInvalid});
        write(chain, header_of(connection, operation));
        if (operation == kReset) forget_connection(connection);
        return;
    }
    if (!connection.backlog.empty() && room != 0) {
        const std::vector<u8> bytes = connection.backlog.take(room);
        connection.sent += static_cast<u32>(bytes.size());
        host_->taken(connection.number, bytes.size());
        connection.told_forward = connection.forward;
        return write(chain, header_of(connection, kReadWrite), bytes);
    }
    const u32 shut = connection.closed ? kNeither : connection.ended ? kNoSend : 0;
    Header header = header_of(connection, kCreditUpdate);
    if (connection.backlog.empty() && shut != connection.told_shut) {
        header.op = kShutdown;
        header.flags = connection.told_shut = shut;
    }
    connection.credit_wanted = false;
    connection.told_forward = connection.forward;
    write(chain, header);
}

Header VirtioVsock::header_of(const Connection& connection, u16 operation) const {
    return {.src_cid = kHostCid,
            .dst_cid = cid_,
            .src_port = connection.host_port,
            .dst_port = connection.guest_port,
            .len = 0,
            .type = kStreamType,
            .op = operation,
            .flags = 0,
            .buf_alloc = stream::kVsockWindow,
            .fwd_cnt = connection.forward};
}

void VirtioVsock::write(const Chain& chain, const Header& header, std::span<const u8> data) {
    Header with = header;
    with.len = static_cast<u32>(data.size());
    copy_out(port().memory(), chain.writable, 0, std::span(reinterpret_cast<const u8*>(&with), kHeaderBytes));
    copy_out(port().memory(), chain.writable, kHeaderBytes, data);
    give(kReceive, chain.head, kHeaderBytes + data.size());
}

u64 VirtioVsock::tell_event(const Chain& chain) {
    const u32 event = kTransportReset;
    copy_out(port().memory(), chain.writable, 0,
             std::span(reinterpret_cast<const u8*>(&event), sizeof event));
    give(kEvents, chain.head, std::min<u64>(chain.writable_bytes, sizeof event));
    s_.lost = false;
    return sizeof event;
}

// --- of the host

void VirtioVsock::input(std::span<const u8> record) {
    constexpr std::size_t kHead = 5;
    if (record.size() < kHead || record[0] > static_cast<u8>(VsockRecord::Lost)) return;
    u32 number = 0;
    std::memcpy(&number, &record[1], sizeof number);
    take_record(static_cast<VsockRecord>(record[0]), number, record.subspan(kHead));
    kick(kReceive);
}

void VirtioVsock::take_record(VsockRecord kind, u32 number, std::span<const u8> rest) {
    u32 value = 0;
    if (rest.size() == sizeof value) std::memcpy(&value, rest.data(), sizeof value);
    if (kind == VsockRecord::Connect) return incoming(number, value);
    if (kind == VsockRecord::Lost) {
        drop_all();
        s_.lost = true;
        return kick(kEvents);
    }
    Connection* const connection = of_number(number);
    if (connection == nullptr) return;
    switch (kind) {
        case VsockRecord::Accepted:
            if (connection->open || number % 2 == 0) return;
            connection->open = true;
            connection->next = kResponse;
            return;
        case VsockRecord::Data: return connection->backlog.append(rest);
        case VsockRecord::Credit:
            connection->forward += std::min(value, connection->received - connection->forward);
            return;
        case VsockRecord::End: connection->ended = true; return;
        default:
            connection->closed = true;
            connection->forward = connection->received;
            if (!connection->open) connection->next = kReset;
    }
}

void VirtioVsock::incoming(u32 number, u32 port) {
    if (number % 2 != 0 || of_number(number) != nullptr) return;
    if (!running() || connections_.size() >= stream::kMostConnections) return host_->finish(number);
    Connection connection;
    connection.number = number;
    connection.guest_port = port;
    do ++s_.next_port;
    while (of_ports(port, s_.next_port) != nullptr);
    connection.host_port = s_.next_port;
    connection.next = kRequest;
    connections_.push_back(std::move(connection));
}

Connection* VirtioVsock::of_number(u32 number) {
    const auto at = std::ranges::find(connections_, number, &Connection::number);
    return at == connections_.end() ? nullptr : &*at;
}
Connection* VirtioVsock::of_ports(u32 guest_port, u32 host_port) {
    const auto at = std::ranges::find_if(connections_, [=](const Connection& each) {
        return each.guest_port == guest_port && each.host_port == host_port;
    });
    return at == connections_.end() ? nullptr : &*at;
}

void VirtioVsock::forget_connection(Connection& connection) {
    connections_.erase(connections_.begin() + (&connection - connections_.data()));
    if (s_.turn >= connections_.size()) s_.turn = 0;
}

void VirtioVsock::drop_all() {
    connections_.clear();
    replies_.clear();
    s_.turn = 0;
    s_.lost = false;
    host_->drop_all();
}

void VirtioVsock::describe_connection(Archive& archive, Connection& connection) {
    const Section section(archive, "connection");
    archive.field("number", connection.number);
    archive.field("guest_port", connection.guest_port);
    archive.field("host_port", connection.host_port);
    archive.field("peer_alloc", connection.peer_alloc);
    archive.field("peer_forward", connection.peer_forward);
    archive.field("sent", connection.sent);
    archive.field("received", connection.received);
    archive.field("forward", connection.forward);
    archive.field("told_forward", connection.told_forward);
    archive.field("guest_shut", connection.guest_shut);
    archive.field("next", connection.next);
    archive.field("open", connection.open);
    archive.field("ended", connection.ended);
    archive.field("closed", connection.closed);
    archive.field("told_shut", connection.told_shut);
    archive.field("credit_wanted", connection.credit_wanted);
    connection.backlog.describe(archive, "backlog");
    archive.require(connection.guest_shut <= kNeither && connection.told_shut <= kNeither, "vsock.shut");
    archive.require(connection.next <= kReset, "vsock.next");
    archive.require(connection.received - connection.forward <= stream::kVsockWindow, "vsock.forward");
}

void VirtioVsock::describe_own(Archive& archive) {
    u64 count = connections_.size(), replies = replies_.size();
    archive.field("connections", count);
    archive.field("replies", replies);
    archive.require(count <= stream::kMostConnections && replies <= kMostReplies, "vsock.connections");
    if (archive.loading()) {
        connections_.assign(static_cast<std::size_t>(count), {});
        replies_.assign(static_cast<std::size_t>(replies), {});
    }
    for (Connection& connection : connections_) describe_connection(archive, connection);
    for (Header& reply : replies_) archive.raw("reply", &reply, kHeaderBytes, 4);
    archive.field("next_number", s_.next_number);
    archive.field("next_port", s_.next_port);
    archive.field("turn", s_.turn);
    archive.field("lost", s_.lost);
    archive.require(s_.next_number % 2 == 1, "vsock.next_number");
    archive.require(s_.turn < std::max<std::size_t>(connections_.size(), 1), "vsock.turn");
}
}  // namespace

VirtioFactory virtio_vsock(u32 cid, std::shared_ptr<stream::VsockHost> host) {
    return [cid, host = std::move(host)](DevicePort& port) {
        return std::make_unique<VirtioVsock>(port, cid, host);
    };
}
}  // namespace hartline
