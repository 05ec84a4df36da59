// Where frames go: bounded queues, a switch between machines, the user's own network; and their replay.
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>
#include <catch2/catch.hpp>

#include <chrono>
#include <condition_variable>

#include "core/machine.hpp"
#include "devices/net/link.hpp"
#include "devices/net/switch.hpp"
#include "devices/net/tap.hpp"
#include "devices/net/thread.hpp"
#include "devices/net/user.hpp"
#include "tests/devices/net_card.hpp"

using namespace hartline;
using namespace hartline::net;
using namespace hartline::test;
using Driver = VirtioDriver;

namespace {
// Frames for a card, as its machine would get them.
struct Mailbox {
    std::mutex lock;
    std::condition_variable came;
    std::vector<Frame> frames;
    Deliver deliver() {
        return [this](std::span<const u8> record) {
            Frame frame;
            if (!frame_of(record, frame)) return;
            const std::lock_guard held(lock);
            frames.push_back(std::move(frame));
            came.notify_one();
        };
    }
    // The first frame that is such; waits some seconds for it.
    template <class Such>
    bool wait_for(Such such, std::chrono::seconds most = std::chrono::seconds(20)) {
        std::unique_lock held(lock);
        return came.wait_for(held, most, [&] { return std::any_of(frames.begin(), frames.end(), such); });
    }
};

Frame between(u8 from, u8 to) {
    Frame frame;
    frame.bytes = {2, 0, 0, 0, 0, to, 2, 0, 0, 0, 0, from, 8, 6, from, to};
    if (to == 0xff) std::fill_n(frame.bytes.begin(), 6, u8{0xff});
    return frame;
}

Frame arp_for(std::array<u8, 4> address) {
    Frame frame;
    frame.bytes = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x52, 0x54, 0, 0x12, 0x34, 0x56, 8,  6, 0, 1,
                   8,    0,    6,    4,    0,    1,    0x52, 0x54, 0, 0x12, 0x34, 0x56, 10, 0, 2, 15};
    frame.bytes.resize(38);
    frame.bytes.insert(frame.bytes.end(), address.begin(), address.end());
    frame.bytes.resize(60);
    return frame;
}

// Counts what the card sends, and sleeps for ever when nobody wakes it.
class Counter final : public ThreadedBackend {
public:
    ~Counter() override { close(); }
    std::atomic<u64> frames{0};

private:
    void turn() override {
        std::vector<pollfd> none;
        wait(none, kForEverMs);
        frames += link().collect().size();
    }
    static constexpr int kForEverMs = 60'000;  // so that the test ends when it fails
};

// A machine with nothing but a card at one end of a backend, driven from outside: its bus is the test's.
struct Guest {
    Machine machine{{.ram_bytes = 4 << 20}};
    std::shared_ptr<NetBackend> backend;
    Device* device;
    FakePort unused;

    explicit Guest(std::shared_ptr<NetBackend> end, Mac mac) : backend(std::move(end)) {
        device = &machine.attach(0x1000'1000, 1, virtio_mmio(virtio_net(backend, {.mac = mac})));
        backend->open([this](std::span<const u8> record) { machine.post(*device, record); });
    }
    ~Guest() { backend->close(); }
};
}  // namespace

TEST_CASE("CVE-2020-27174: both queues of a link are bounded", "[net]") {
    Link link;
    u64 delivered = 0;
    link.open([&](std::span<const u8> record) { delivered += record.size(); });
    Frame frame;
    frame.bytes.resize(50'000);
    for (int i = 0; i < 1000; ++i) {
        link.send(frame);
        link.deliver(frame);
    }
    CHECK(delivered <= Link::kMostInbound);
    CHECK_FALSE(link.room());
    u64 kept = 0;
    for (const Frame& each : link.collect()) kept += each.bytes.size();
    CHECK(kept <= Link::kMostOutbound);
    CHECK(kept > Link::kMostOutbound - 100'000);
    link.taken(delivered);
    CHECK(link.room());
    link.taken(~u64{0});  // more than ever came
    link.deliver(frame);
    CHECK(delivered > Link::kMostInbound - 100'000);
    link.close();
    const u64 before = delivered;
    link.deliver(frame);
    CHECK(delivered == before);
}

TEST_CASE("a frame that is sent while its server wakes is not left behind", "[net]") {
    Counter server;
    server.open([](std::span<const u8>) {});
    u64 sent = 0;
    bool late = false;
    for (unsigned burst = 0; burst < 20'000 && !late; ++burst) {
        for (unsigned i = 0; i < 2 + burst % 20; ++i, ++sent) server.send({});
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        while (server.frames != sent && !late) late = std::chrono::steady_clock::now() > end;
    }
    CHECK(server.frames == sent);
}

TEST_CASE("a switch learns where cards are", "[net]") {
    const auto lan = Switch::make();
    std::array<Mailbox, 3> boxes;
    std::vector<std::shared_ptr<NetBackend>> ports;
    for (Mailbox& box : boxes) {
        ports.push_back(lan->port());
        ports.back()->open(box.deliver());
    }
    const auto counts = [&] {
        return std::array{boxes[0].frames.size(), boxes[1].frames.size(), boxes[2].frames.size()};
    };
    ports[0]->send(between(1, 2));  // unknown: everywhere else
    CHECK(counts() == std::array<std::size_t, 3>{0, 1, 1});
    ports[1]->send(between(2, 1));
    CHECK(counts() == std::array<std::size_t, 3>{1, 1, 1});
    ports[0]->send(between(1, 2));
    CHECK(counts() == std::array<std::size_t, 3>{1, 2, 1});
    ports[2]->send(between(3, 0xff));
    CHECK(counts() == std::array<std::size_t, 3>{2, 3, 1});
    ports[0]->send(between(1, 1));  // to its own side: nowhere
    CHECK(counts() == std::array<std::size_t, 3>{2, 3, 1});
    CHECK(lan->known() == 3);
    ports[1].reset();  // unplugged
    CHECK(lan->known() == 2);
    ports[0]->send(between(1, 2));
    CHECK(counts() == std::array<std::size_t, 3>{2, 3, 2});
    for (u32 i = 0; i < 10'000; ++i) {  // a flood of senders
        Frame frame = between(1, 3);
        put32(frame.bytes, 8, i);
        ports[0]->send(frame);
    }
    CHECK(lan->known() <= Switch::kMostMacs);
    for (const auto& port : ports)
        if (port) port->close();
}

TEST_CASE("the user network answers for its gateway", "[net]") {
    const auto network = user_network(1500, {});
    Mailbox box;
    network->open(box.deliver());
    network->send(arp_for({10, 0, 2, 2}));
    CHECK(box.wait_for([](const Frame& frame) {
        return frame.bytes.size() >= 42 && get16(frame.bytes, 12) == 0x0806 && frame.bytes[21] == 2 &&
               get32(frame.bytes, 28) == 0x0a00'0202;
    }));
    network->close();
}

TEST_CASE("CVE-2026-9539: hostile packets do no harm to the user network", "[net]") {
    const auto network = user_network(1500, {});
    Mailbox box;
    network->open(box.deliver());
    std::mt19937_64 random(10);
    for (int i = 0; i < 3000; ++i) {
        Packet packet = random_packet(random, random() % 8 == 0 ? 30'000 : 600);
        packet.flags = static_cast<u8>(random());
        Frame frame = packet.frame();
        if (!packet.ip6) put32(frame.bytes, packet.network() + 16, 0x0a00'0202);
        for (u64 n = random() % 3; n != 0; --n)
            frame.bytes[random() % std::min<std::size_t>(frame.bytes.size(), 90)] = static_cast<u8>(random());
        if (sound(frame)) network->send(frame);
    }
    // Behind so many frames one may be lost, as on any network: who asks asks again.
    bool answered = false;
    for (int i = 0; i < 20 && !answered; ++i) {
        network->send(arp_for({10, 0, 2, 2}));
        answered = box.wait_for([](const Frame& frame) { return get16(frame.bytes, 12) == 0x0806; },
                                std::chrono::seconds(1));
    }
    CHECK(answered);
    network->close();
}

TEST_CASE("a port that is taken is named", "[net]") {
    const int holder = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    REQUIRE(::bind(holder, reinterpret_cast<sockaddr*>(&at), size) == 0);
    REQUIRE(::listen(holder, 1) == 0);
    REQUIRE(::getsockname(holder, reinterpret_cast<sockaddr*>(&at), &size) == 0);
    const u16 port = ntohs(at.sin_port);
    std::string line;
    try {
        (void)user_network(1500, {{.port = port, .guest_port = 22}});
    } catch (const std::runtime_error& error) {
        line = error.what();
    }
    INFO(line);
    CHECK(line.find("127.0.0.1:" + std::to_string(port)) != std::string::npos);
    CHECK(line.find("in use") != std::string::npos);
    CHECK_THROWS_AS(user_network(1500, {{.host = "here", .port = port, .guest_port = 22}}),
                    std::runtime_error);
    ::close(holder);
}

TEST_CASE("a TAP interface that cannot be had is named", "[net]") {
    try {
        (void)tap_network("a-name-that-is-far-too-long");
        FAIL("it was had");
    } catch (const std::runtime_error& error) {
        CHECK(std::string(error.what()).find("a-name-that-is-far-too-long") != std::string::npos);
    }
}

TEST_CASE("two machines of a process talk through a switch", "[net]") {
    const auto lan = Switch::make();
    Guest one(lan->port(), {2, 0, 0, 0, 0, 1}), two(lan->port(), {2, 0, 0, 0, 0, 2});
    one.backend->send(between(1, 2));
    CHECK(two.machine.journal().waiting());
    CHECK_FALSE(one.machine.journal().waiting());
    two.backend->send(between(2, 1));
    CHECK(one.machine.journal().waiting());
}

TEST_CASE("recorded frames come again at the same tick and leave the same state", "[net]") {
    const auto play = [](const std::vector<JournalRecord>* recorded, std::vector<JournalRecord>* record) {
        const auto lan = Switch::make();
        Guest guest(lan->port(), {2, 0, 0, 0, 0, 2});
        Journal& journal = guest.machine.journal();
        if (recorded != nullptr)
            journal.replay(*recorded);
        else
            journal.record();
        // The driver's part, in the machine's own memory.
        const auto put_register = [&](u64 offset, u32 value) {
            REQUIRE(guest.device->write(offset, 4, value));
        };
        const std::array<std::pair<u64, u32>, 7> set_up{
            {{0x70, 1}, {0x70, 3}, {0x24, 0}, {0x20, 0}, {0x24, 1}, {0x20, 1}, {0x70, 11}}};
        for (const auto& [offset, value] : set_up) put_register(offset, value);
        put_register(0x30, 0);
        put_register(0x38, 8);
        put_register(0x80, 0x8000'1000);
        put_register(0x90, 0x8000'2000);
        put_register(0xa0, 0x8000'3000);
        put_register(0x44, 1);
        put_register(0x70, 15);
        Ram& ram = guest.machine.ram();
        for (u16 i = 0; i < 4; ++i) {
            REQUIRE(
                ram.write(0x8000'1000 + 16u * i, Driver::Descriptor{0x8001'0000u + 0x1000u * i, 2048, 2, 0}));
            REQUIRE(ram.write(0x8000'2004 + 2u * i, i));
        }
        REQUIRE(ram.write(0x8000'2002, u16{4}));
        if (recorded == nullptr) {
            const auto peer = lan->port();
            for (u8 i = 0; i < 6; ++i) peer->send(between(static_cast<u8>(10 + i), 2));
        }
        (void)guest.machine.run(1);
        u16 used = 0;
        REQUIRE(ram.read(0x8000'3002, used));
        CHECK(used == 4);  // and two wait
        if (record != nullptr) *record = journal.records();
        return guest.machine.hash();
    };
    std::vector<JournalRecord> records;
    const u64 lived = play(nullptr, &records);
    CHECK(records.size() == 6);
    CHECK(play(&records, nullptr) == lived);
}

TEST_CASE("a port that cannot be had is named, with why and a way out", "[net]") {
    using net::unpublished;
    CHECK(
        unpublished({"127.0.0.1", 80, 8, false}, EACCES) ==
        "--publish: port 127.0.0.1:80 cannot be had: Permission denied: ports below 1024 are root's: choose another, "
        "127.0.0.1:8080:8 for example");
    CHECK(unpublished({"0.0.0.0", 53, 53, true}, EACCES).find("0.0.0.0:8053:53/udp for example") !=
          std::string::npos);
    CHECK(
        unpublished({"127.0.0.1", 8080, 80, false}, EADDRINUSE) ==
        "--publish: port 127.0.0.1:8080 cannot be had: Address already in use: choose another, or end who has it");
    CHECK(unpublished({"10.9.8.7", 8080, 80, false}, EADDRNOTAVAIL).find("no address of this host's") !=
          std::string::npos);
}
