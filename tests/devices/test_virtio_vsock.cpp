// Sockets between host and guest: the protocol, credit, and drivers that lie.
#include <catch2/catch.hpp>

#include <array>
#include <chrono>
#include <cstring>
#include <thread>
#include <utility>

#include "devices/stream/unix_socket.hpp"
#include "devices/virtio/mmio.hpp"
#include "devices/virtio/vsock.hpp"
#include "tests/devices/records.hpp"
#include "tests/devices/virtio_driver.hpp"
#include "tests/folder.hpp"

using namespace hartline;
using namespace hartline::test;
using stream::VsockRecord;
using Driver = VirtioDriver;

namespace {
enum : u16 { kRequest = 1, kResponse, kReset, kShutdown, kReadWrite, kCreditUpdate, kCreditRequest };
constexpr u32 kReceive = 0, kTransmit = 1, kEvents = 2, kHeaderBytes = 44;
constexpr u32 kWindow = stream::kVsockWindow;

struct Packet {
    u64 src_cid = 3, dst_cid = 2;
    u32 src_port = 1000, dst_port = 80, len = 0;
    u16 type = 1, op = 0;
    u32 flags = 0, buf_alloc = 0x1'0000, fwd_cnt = 0;
};

// What the device tells the host, as a line each.
struct FakeHost final : stream::VsockHost {
    std::string log;
    u64 bytes = 0, credit = 0;
    void note(const char* what, u32 connection) { log += what + std::to_string(connection) + " "; }
    void connect(u32 connection, u32) override { note("connect", connection); }
    void established(u32 connection) override { note("established", connection); }
    void send(u32, std::span<const u8> data) override { bytes += data.size(); }
    void end(u32 connection) override { note("end", connection); }
    void finish(u32 connection) override { note("finish", connection); }
    void abort(u32 connection) override { note("abort", connection); }
    void taken(u32, u64 more) override { credit += more; }
    void drop_all() override { log += "drop "; }
};

struct Rig {
    FakePort port;
    std::shared_ptr<FakeHost> host = std::make_shared<FakeHost>();
    std::unique_ptr<Device> device = virtio_mmio(virtio_vsock(3, host))(port);
    Driver driver{port, *device};
    u64 out = driver.alloc(0x2'0000), in = driver.alloc(0x2'0000);
    bool waiting = false;
    Rig() {
        driver.start(64, 3);
        host->log.clear();
    }
    void send(const Packet& packet, u32 payload) {
        CHECK(port.ram.write(out, std::span(reinterpret_cast<const u8*>(&packet), kHeaderBytes)));
        driver.submit(kTransmit, {{out, kHeaderBytes + payload}});
        driver.kick(kTransmit);
        CHECK(driver.collect(kTransmit));
    }
    void send(const Packet& packet) { send(packet, packet.len); }
    // What the device says next; op 0: nothing.
    Packet next(u32 room = 0x1'0000) {
        if (!std::exchange(waiting, true)) driver.submit(kReceive, {{in, kHeaderBytes + room, true}});
        driver.kick(kReceive);
        const auto used = driver.collect(kReceive);
        waiting = !used;
        Packet packet;
        if (used) CHECK(port.ram.read(in, std::span(reinterpret_cast<u8*>(&packet), kHeaderBytes)));
        if (used) CHECK(used->length == kHeaderBytes + packet.len);
        return packet;
    }
    void record(VsockRecord kind, u32 number) { device->input(stream::vsock_record(kind, number)); }
    void record(VsockRecord kind, u32 number, u32 value) {
        device->input(stream::vsock_record(kind, number, value));
    }
    void data(u32 number, std::size_t size) {
        device->input(stream::vsock_record(VsockRecord::Data, number, std::vector<u8>(size, 'd')));
    }
    // The guest's connection 1, agreed on.
    void connect() {
        send({.op = kRequest});
        record(VsockRecord::Accepted, 1);
        CHECK(next().op == kResponse);
    }
};
}  // namespace

TEST_CASE("vsock: the guest reaches the host, sends, is answered and ends", "[vsock]") {
    Rig r;
    CHECK(get(*r.device, Driver::kConfig, 8) == 3);
    r.connect();
    r.send({.len = 1000, .op = kReadWrite});
    CHECK(r.host->bytes == 1000);
    r.record(VsockRecord::Credit, 1, 1000);
    r.data(1, 5);
    const Packet answer = r.next();
    CHECK((answer.op == kReadWrite && answer.len == 5 && answer.fwd_cnt == 1000 &&
           answer.buf_alloc == kWindow));
    CHECK((answer.src_port == 80 && answer.dst_port == 1000 && answer.src_cid == 2 && answer.dst_cid == 3));
    CHECK(r.host->credit == 5);
    r.send({.op = kShutdown, .flags = 2, .fwd_cnt = 5});
    CHECK(r.next().op == 0);
    r.record(VsockRecord::End, 1);
    const Packet end = r.next();
    CHECK((end.op == kShutdown && end.flags == 2));
    r.send({.op = kShutdown, .flags = 1, .fwd_cnt = 5});
    CHECK(r.next().op == kReset);
    CHECK(r.host->log == "connect1 end1 finish1 ");
    r.send({.len = 1, .op = kReadWrite});  // of a connection that is gone
    CHECK(r.next().op == kReset);
    CHECK(r.host->bytes == 1000);
}

TEST_CASE("vsock: the host reaches the guest, or is refused", "[vsock]") {
    Rig r;
    r.record(VsockRecord::Connect, 2, 5000);
    const Packet request = r.next();
    CHECK((request.op == kRequest && request.dst_port == 5000));
    r.send({.src_port = 5000, .dst_port = request.src_port, .op = kResponse});
    CHECK(r.host->log == "established2 ");
    r.data(2, 3);
    CHECK(r.next().len == 3);
    r.record(VsockRecord::Connect, 4, 5001);
    const Packet other = r.next();
    r.send({.src_port = 5001, .dst_port = other.src_port, .op = kReset});
    CHECK(r.host->log == "established2 abort4 ");
    r.record(VsockRecord::Closed, 2);
    const Packet end = r.next();
    CHECK((end.op == kShutdown && end.flags == 3));
}

TEST_CASE("vsock: a host's port where nobody is, and a type that is not known", "[vsock]") {
    Rig r;
    r.send({.op = kRequest});
    r.record(VsockRecord::Closed, 1);
    CHECK(r.next().op == kReset);
    r.send({.type = 2, .op = kRequest});
    CHECK(r.next().op == kReset);
    r.send({.dst_cid = 9, .op = kRequest});
    CHECK(r.next().op == kReset);
    r.send({.src_cid = 4, .op = kRequest});  // another's address: thrown away
    r.send({.op = kReset});
    CHECK(r.next().op == 0);
}

TEST_CASE("vsock: data waits for the guest's credit", "[vsock]") {
    Rig r;
    r.send({.op = kRequest, .buf_alloc = 100});
    r.record(VsockRecord::Accepted, 1);
    CHECK(r.next().op == kResponse);
    r.data(1, 250);
    CHECK(r.next(30).len == 30);  // in a small buffer
    CHECK(r.next().len == 70);
    CHECK(r.next().op == 0);
    r.send({.op = kCreditUpdate, .buf_alloc = 100, .fwd_cnt = 100});
    CHECK(r.next().len == 100);
    r.send({.op = kCreditUpdate, .buf_alloc = 0, .fwd_cnt = 100});  // less than is under way
    CHECK(r.next().op == 0);
    r.send({.op = kCreditRequest, .buf_alloc = 100, .fwd_cnt = 200});
    CHECK(r.next().len == 50);
}

TEST_CASE("CVE-2019-18960: vsock: lengths that the chain does not hold", "[vsock]") {
    Rig r;
    r.connect();
    r.send({.len = 1000, .op = kReadWrite}, 999);
    r.send({.len = ~0u, .op = kReadWrite}, 8);
    r.driver.submit(kTransmit, {{r.out, 43}});
    r.driver.kick(kTransmit);
    CHECK(r.driver.collect(kTransmit));
    CHECK(r.host->bytes == 0);
    CHECK_FALSE(r.driver.broken());
    r.driver.submit(kReceive, {{r.in, 43, true}});
    r.data(1, 1);
    CHECK(r.driver.broken());
}

TEST_CASE("CVE-2020-27174: vsock: who sends beyond his credit, or asks for too much, is refused", "[vsock]") {
    Rig r;
    r.connect();
    r.send({.len = 0x8000, .op = kReadWrite});
    r.send({.len = 0x8000, .op = kReadWrite});
    CHECK(r.host->bytes == kWindow);
    r.send({.len = 1, .op = kReadWrite});
    CHECK(r.host->bytes == kWindow);
    CHECK(r.next().op == kReset);
    for (u32 i = 0; i < stream::kMostConnections + 20; ++i) r.send({.src_port = 2000 + i, .op = kRequest});
    unsigned resets = 0;
    while (r.next().op == kReset) ++resets;
    CHECK(resets != 0);
    for (u32 i = 0; i < 300; ++i) {  // strangers, whose answers nobody takes
        CHECK(r.port.ram.write(r.out, std::vector<u8>(kHeaderBytes)));
        r.driver.store(r.out, u64{3});
        if (i < 60) r.driver.submit(kTransmit, {{r.out, kHeaderBytes}});
        r.driver.kick(kTransmit);
    }
    CHECK_FALSE(r.driver.broken());
    CHECK(save_of(*r.device).size() < 64 * 1024);
}

TEST_CASE("CVE-2021-3748: vsock: a reset forgets connections; a load tells the guest", "[vsock]") {
    Rig r;
    r.connect();
    r.data(1, 100);
    const auto image = save_of(*r.device);
    Rig other;
    load_into(*other.device, image);
    CHECK(save_of(*other.device) == image);
    r.driver.submit(kEvents, {{r.in, 4, true}});
    r.driver.store(r.in, u32{0xffff'ffff});
    r.record(VsockRecord::Lost, 0);
    CHECK(r.driver.collect(kEvents)->length == 4);
    CHECK(r.driver.load<u32>(r.in) == 0);
    CHECK(r.host->log.ends_with("drop "));
    r.driver.start(64, 3);
    r.waiting = false;
    r.send({.len = 1, .op = kReadWrite});
    CHECK(r.next().op == kReset);
}

TEST_CASE("CVE-2013-4534: vsock: a snapshot's numbers are checked", "[vsock]") {
    Rig r;
    r.connect();
    const auto image = save_of(*r.device);
    unsigned refused = 0;
    for (std::size_t at = 0; at < image.size(); ++at) {
        auto bad = image;
        bad[at] ^= 0xff;
        Rig other;
        try {
            load_into(*other.device, bad);
            other.data(1, 10);
            (void)other.next();
        } catch (const ArchiveError&) {
            ++refused;
        }
    }
    CHECK(refused > 30);
}

namespace {
struct SocketFolder : Folder {
    Records records;
    std::shared_ptr<stream::VsockHost> host = stream::vsock_folder(path);
    SocketFolder() { host->open(records.deliver()); }
    ~SocketFolder() { host->close(); }
    stream::Fd come(std::string_view line) {
        stream::Fd peer = stream::connect_unix(path / "connect");
        stream::send_some(peer.get(), bytes_of(line));
        return peer;
    }
    // What comes next; empty: the end.
    static std::string receive(const stream::Fd& peer) {
        std::array<u8, 64> bytes{};
        for (int i = 0; i < 3000; ++i) {
            const auto got = stream::receive_some(peer.get(), bytes);
            if (got.how == stream::Received::How::End) break;
            if (got.bytes != 0)
                return std::string(bytes.begin(), bytes.begin() + static_cast<i64>(got.bytes));
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
        }
        return {};
    }
};
}  // namespace

TEST_CASE("CVE-2025-11234: vsock: lines of the host's that are none end the connection", "[vsock]") {
    SocketFolder folder;
    for (const std::string& line :
         {std::string("HELLO 3\n"), std::string("CONNECT\n"), std::string("CONNECT x\n"),
          std::string("CONNECT 4294967296\n"), std::string("CONNECT -1\n"), std::string(1000, 'C')})
        CHECK(SocketFolder::receive(folder.come(line)).empty());
    CHECK(folder.records.all.empty());
    const stream::Fd half = folder.come("CONNECT 12");  // a slow one holds nobody up
    const stream::Fd peer = folder.come("CONNECT 1234\nbehind");
    const std::vector<u8> asked = folder.records.at(0);
    REQUIRE(asked.size() == 9);
    CHECK(asked[0] == static_cast<u8>(VsockRecord::Connect));
    u32 number = 0, port = 0;
    std::memcpy(&number, &asked[1], 4);
    std::memcpy(&port, &asked[5], 4);
    CHECK((number % 2 == 0 && port == 1234));
    folder.host->established(number);
    CHECK(SocketFolder::receive(peer) == "OK 1234\n");
    CHECK(folder.records.at(1) == stream::vsock_record(VsockRecord::Data, number, bytes_of("behind")));
    folder.host->send(number, bytes_of("hello"));
    CHECK(folder.records.at(2) == stream::vsock_record(VsockRecord::Credit, number, 5));  // none for the OK
    CHECK(SocketFolder::receive(peer) == "hello");
    folder.host->established(number + 100);  // who has gone meanwhile
    CHECK(folder.records.at(3) == stream::vsock_record(VsockRecord::Closed, number + 100));
    folder.host->send(number, bytes_of("bye"));
    folder.host->finish(number);
    CHECK(SocketFolder::receive(peer) == "bye");
    CHECK(SocketFolder::receive(peer).empty());
}

TEST_CASE("vsock: the guest's connections lead to sockets of the folder", "[vsock]") {
    SocketFolder folder;
    folder.host->connect(1, 99);
    CHECK(folder.records.at(0) == stream::vsock_record(VsockRecord::Closed, 1));
    stream::UnixListener listener(folder.path / "99");
    folder.host->connect(3, 99);
    CHECK(folder.records.at(1) == stream::vsock_record(VsockRecord::Accepted, 3));
    stream::Fd peer = listener.accept();
    REQUIRE(peer);
    folder.host->end(3);
    CHECK(SocketFolder::receive(peer).empty());
    stream::send_some(peer.get(), bytes_of("late"));
    CHECK(folder.records.at(2) == stream::vsock_record(VsockRecord::Data, 3, bytes_of("late")));
    peer.reset();
    CHECK(folder.records.at(3) == stream::vsock_record(VsockRecord::End, 3));
    folder.host->send(3, bytes_of("nobody"));
    CHECK(folder.records.at(4) == stream::vsock_record(VsockRecord::Closed, 3));
}

TEST_CASE("CVE-2020-27174: vsock: a guest's connections use up no files, however it leaves them", "[vsock]") {
    SocketFolder folder;
    stream::UnixListener listener(folder.path / "7");
    std::vector<stream::Fd> peers;
    const u32 most = 2 * stream::kMostConnections;
    for (u32 i = 0; i < most; ++i) {
        folder.host->connect(2 * i + 1, 7);
        REQUIRE(folder.records.hold(stream::vsock_record(VsockRecord::Accepted, 2 * i + 1)));
        peers.push_back(listener.accept());
        folder.host->send(2 * i + 1, std::vector<u8>(1 << 20));  // more than fits into a socket
    }
    folder.host->connect(2 * most + 1, 7);
    CHECK(folder.records.hold(stream::vsock_record(VsockRecord::Closed, 2 * most + 1)));
    folder.host->abort(1);
    std::size_t came = 0;
    for (std::string some; !(some = SocketFolder::receive(peers[0])).empty();) came += some.size();
    CHECK(came < 1 << 20);
    folder.host->connect(2 * most + 3, 7);
    CHECK(folder.records.hold(stream::vsock_record(VsockRecord::Accepted, 2 * most + 3)));
}
