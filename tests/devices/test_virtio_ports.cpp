// Named ports of the console: how they are told of, opened, filled and held back; and drivers that lie.
#include <catch2/catch.hpp>

#include <linux/virtio_console.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>
#include <utility>

#include "devices/stream/ports.hpp"
#include "devices/stream/unix_socket.hpp"
#include "devices/virtio/console.hpp"
#include "devices/virtio/mmio.hpp"
#include "tests/devices/records.hpp"
#include "tests/devices/virtio_driver.hpp"
#include "tests/folder.hpp"

using namespace hartline;
using namespace hartline::test;
using stream::PortRecord;
using Driver = VirtioDriver;

namespace {
enum : u32 { kControlIn = 2, kControlOut = 3, kPortIn = 4, kPortOut = 5 };
// As Linux's driver spells them, not as the device does.
using Control = virtio_console_control;
constexpr u16 kDeviceReady = VIRTIO_CONSOLE_DEVICE_READY, kDeviceAdd = VIRTIO_CONSOLE_PORT_ADD,
              kPortReady = VIRTIO_CONSOLE_PORT_READY, kConsolePort = VIRTIO_CONSOLE_CONSOLE_PORT,
              kResize = VIRTIO_CONSOLE_RESIZE, kPortOpen = VIRTIO_CONSOLE_PORT_OPEN,
              kPortName = VIRTIO_CONSOLE_PORT_NAME;
constexpr u64 kMultiport = 1 << VIRTIO_CONSOLE_F_MULTIPORT;

// A host's end that is what a test says.
struct FakeHost final : stream::PortHost {
    bool constant() const override { return false; }
    void send(u32 number, std::span<const u8> bytes) override {
        connection = number;
        text.append(bytes.begin(), bytes.end());
    }
    void taken(u64 bytes) override { credit += bytes; }
    u32 connection = 0;
    std::string text;
    u64 credit = 0;
};

struct Rig {
    FakePort port;
    Sink sink;
    std::shared_ptr<FakeHost> host = std::make_shared<FakeHost>();
    std::unique_ptr<Device> device;
    Driver driver;
    u64 buffer, inbox;
    bool waiting = false;  // is a buffer for a message there?
    explicit Rig(u64 without = Driver::kEventIdx, bool console = true)
        : device(virtio_mmio(virtio_console(
              sink, {.size = {100, 30}, .ports = {{"org.example.one", host}}, .console = console}))(port)),
          driver(port, *device),
          buffer(driver.alloc(0x2'0000)),
          inbox(driver.alloc(0x4000)) {
        driver.start(64, (without & kMultiport) != 0 ? 2 : 6, without);
    }
    void control(u32 id, u16 event, u16 value) {
        driver.store(buffer, Control{id, event, value});
        driver.submit(kControlOut, {{buffer, sizeof(Control)}});
        driver.kick(kControlOut);
        CHECK(driver.collect(kControlOut));
    }
    // The device's next message; empty: it has none.
    std::string message() {
        if (!std::exchange(waiting, true)) driver.submit(kControlIn, {{inbox, 128, true}});
        driver.kick(kControlIn);
        const auto used = driver.collect(kControlIn);
        waiting = !used;
        return used ? read(inbox, used->length) : std::string();
    }
    std::string read(u64 at, u32 length) {
        std::string out(length, 0);
        CHECK(port.ram.read(at, std::span(reinterpret_cast<u8*>(out.data()), length)));
        return out;
    }
    static std::string plain(u32 id, u16 event, u16 value, const std::string& rest = {}) {
        const Control control{id, event, value};
        return std::string(reinterpret_cast<const char*>(&control), sizeof control) + rest;
    }
    void record(PortRecord kind, u8 number, u32 value) {
        device->input(stream::port_record(kind, number, value));
    }
    void data(u8 number, std::string_view text) {
        device->input(stream::port_record(PortRecord::Data, number, bytes_of(text)));
    }
    void send(u32 length) {
        driver.submit(kPortOut, {{buffer, length}});
        driver.kick(kPortOut);
    }
    void open_all() {
        control(0, kDeviceReady, 1);
        for (u32 id : {0, 1}) control(id, kPortReady, 1);
        control(1, kPortOpen, 1);
        while (!message().empty()) {}
        record(PortRecord::Open, 1, 7);
    }
};
}  // namespace

TEST_CASE("ports: the driver is told of each, its name, and who is there", "[ports]") {
    Rig r;
    CHECK(get(*r.device, Driver::kConfig + 4) == 2);  // max_nr_ports
    CHECK(r.message().empty());
    r.control(0, kDeviceReady, 1);
    CHECK(r.message() == Rig::plain(0, kDeviceAdd, 1));
    CHECK(r.message() == Rig::plain(1, kDeviceAdd, 1));
    r.control(0, kPortReady, 1);
    CHECK(r.message() == Rig::plain(0, kConsolePort, 1));
    CHECK(r.message() == Rig::plain(0, kResize, 1, std::string("\x1e\0\x64\0", 4)));
    CHECK(r.message() == Rig::plain(0, kPortOpen, 1));
    r.control(1, kPortReady, 1);
    CHECK(r.message() == Rig::plain(1, kPortName, 1, "org.example.one"));
    CHECK(r.message().empty());
    r.record(PortRecord::Open, 1, 1);
    CHECK(r.message() == Rig::plain(1, kPortOpen, 1));
    r.record(PortRecord::Closed, 1, 0);
    CHECK(r.message() == Rig::plain(1, kPortOpen, 0));
    r.record(PortRecord::Resized, 0, 50 << 16 | 132);
    CHECK(r.message() == Rig::plain(0, kResize, 1, std::string("\x32\0\x84\0", 4)));
    CHECK(get(*r.device, Driver::kConfig, 2) == 132);
}

TEST_CASE("ports: where no console is wanted none is told of, and the ports keep their numbers", "[ports]") {
    Rig r(Driver::kEventIdx, false);
    CHECK(get(*r.device, Driver::kConfig + 4) == 2);
    r.control(0, kDeviceReady, 1);
    CHECK(r.message() == Rig::plain(1, kDeviceAdd, 1));
    CHECK(r.message().empty());
    r.control(0, kPortReady, 1);
    r.record(PortRecord::Resized, 0, 50 << 16 | 132);
    CHECK(r.message().empty());
    r.control(1, kPortReady, 1);
    CHECK(r.message() == Rig::plain(1, kPortName, 1, "org.example.one"));
    // A driver that insists.
    r.data(0, "typed");
    r.driver.submit(0, {{r.inbox + 0x1000, 16, true}});
    r.driver.kick(0);
    CHECK_FALSE(r.driver.collect(0));
    r.driver.submit(1, {{r.buffer, 4}});
    r.driver.kick(1);
    CHECK(r.driver.collect(1));
    CHECK(r.sink.text.empty());
    const auto image = save_of(*r.device);
    Rig other(Driver::kEventIdx, false);
    load_into(*other.device, image);
    CHECK(save_of(*other.device) == image);
}

TEST_CASE("ports: bytes go both ways, when the guest has opened the port", "[ports]") {
    Rig r;
    r.open_all();
    r.control(1, kPortOpen, 0);
    r.driver.submit(kPortIn, {{r.inbox, 100, true}});
    r.data(1, "early");
    CHECK_FALSE(r.driver.collect(kPortIn));
    r.control(1, kPortOpen, 1);
    CHECK(r.driver.collect(kPortIn)->length == 5);
    CHECK(r.read(r.inbox, 5) == "early");
    CHECK(r.host->credit == 5);
    CHECK(r.port.ram.write(r.buffer, bytes_of("answer")));
    r.send(6);
    CHECK(r.host->text == "answer");
    CHECK(r.host->connection == 7);
    r.record(PortRecord::Closed, 1, 0);
    r.send(6);  // lost, but taken
    CHECK(r.host->text == "answer");
    CHECK((r.driver.collect(kPortOut) && r.driver.collect(kPortOut)));
    CHECK(r.sink.text.empty());
}

TEST_CASE("ports: without the feature there is the console alone", "[ports]") {
    Rig r(Driver::kEventIdx | kMultiport);
    CHECK(r.port.ram.write(r.buffer, bytes_of("text")));
    r.driver.submit(1, {{r.buffer, 4}});
    r.driver.kick(1);
    CHECK(r.sink.text == "text");
    r.record(PortRecord::Open, 1, 1);
    r.data(0, "typed");
    r.driver.submit(0, {{r.inbox, 16, true}});
    r.driver.kick(0);
    CHECK(r.driver.collect(0)->length == 5);
}

TEST_CASE("CVE-2020-27174: ports: a host that does not read holds the guest back, in bounded memory",
          "[ports]") {
    Rig r;
    r.open_all();
    for (int i = 0; i < 8; ++i) r.send(0x4000);
    CHECK(r.host->text.size() == stream::kPortWindow);
    CHECK((r.driver.collect(kPortOut) && r.driver.collect(kPortOut)));
    CHECK_FALSE(r.driver.collect(kPortOut));
    r.record(PortRecord::Credit, 1, 0x4000);
    CHECK(r.host->text.size() == stream::kPortWindow + 0x4000);
    r.record(PortRecord::Credit, 1, ~u32{0});  // no more than a window ever
    CHECK(r.host->text.size() == 2 * stream::kPortWindow + 0x4000);
    r.record(PortRecord::Closed, 1, 0);  // nobody is waited for
    unsigned more = 0;
    while (r.driver.collect(kPortOut)) ++more;
    CHECK(more == 6);
    for (int i = 0; i < 1000; ++i) r.control(1, kPortReady, 1);  // what is pending does not grow
    unsigned messages = 0;
    while (!r.message().empty()) ++messages;
    CHECK(messages <= 3);
}

TEST_CASE("CVE-2020-16843: ports: input beyond what fits is not read, and goes on later", "[ports]") {
    Rig r;
    r.open_all();
    r.data(1, std::string(70'000, 'q'));
    u64 got = 0;
    for (int i = 0; i < 20; ++i) {
        r.driver.submit(kPortIn, {{r.inbox, 0x4000, true}});
        r.driver.kick(kPortIn);
        if (const auto used = r.driver.collect(kPortIn)) got += used->length;
    }
    CHECK(got == 65536);
    CHECK(r.host->credit == 65536);
    r.data(1, "more");
    CHECK(r.host->credit == 65540);
}

TEST_CASE("CVE-2014-0150: ports: numbers of ports that are not there", "[ports]") {
    Rig r;
    for (const u32 id : {2u, 31u, 0xffff'ffffu})
        for (const u16 event : std::array<u16, 3>{kPortReady, kPortOpen, 99}) r.control(id, event, 1);
    CHECK(r.message().empty());
    r.driver.submit(kControlOut, {{r.buffer, 3}});  // less than a message
    r.driver.kick(kControlOut);
    CHECK(r.driver.collect(kControlOut));
    for (const u8 number : std::array<u8, 2>{2, 255}) r.data(number, "x");
    r.device->input(std::vector<u8>{9, 9, 9});
    r.device->input(std::vector<u8>{0});
    CHECK_FALSE(r.driver.broken());
    r.control(0, kDeviceReady, 1);
    r.driver.start(64, 6);
    r.control(0, kDeviceReady, 1);
    r.driver.submit(kControlIn, {{r.inbox, 7, true}});  // too small for any
    r.driver.kick(kControlIn);
    CHECK(r.driver.broken());
}

TEST_CASE("CVE-2021-3748: ports: a reset by the driver closes them, and keeps what the host knows",
          "[ports]") {
    Rig r;
    r.open_all();
    r.driver.start(64, 6);
    r.waiting = false;
    r.driver.submit(kPortIn, {{r.inbox, 100, true}});
    r.driver.kick(kPortIn);
    r.data(1, "for whom?");
    CHECK_FALSE(r.driver.collect(kPortIn));
    r.control(1, kPortReady, 1);
    CHECK(r.message().size() == 8 + 15);
    CHECK(r.message() == Rig::plain(1, kPortOpen, 1));
    r.control(1, kPortOpen, 1);
    CHECK(r.driver.collect(kPortIn)->length == 9);
    const auto image = save_of(*r.device);
    Rig other;
    load_into(*other.device, image);
    CHECK(save_of(*other.device) == image);
}

TEST_CASE("ports: a socket's guests come and go, one at a time", "[ports]") {
    const Folder folder;
    const std::string path = folder.path / "s";
    Records records;
    const auto host = stream::socket_port(path);
    host->open(3, records.deliver());
    {
        stream::Fd peer = stream::connect_unix(path);
        REQUIRE(peer);
        CHECK(records.at(0) == stream::port_record(PortRecord::Open, 3, 1));
        CHECK(stream::send_some(peer.get(), bytes_of("hello")) == 5);
        CHECK(records.at(1) == stream::port_record(PortRecord::Data, 3, bytes_of("hello")));
        host->send(1, bytes_of("back"));
        CHECK(records.at(2) == stream::port_record(PortRecord::Credit, 3, 4));
        host->send(99, bytes_of("of another time"));
        std::array<u8, 32> got{};
        CHECK(stream::receive_some(peer.get(), got).bytes == 4);
        host->announce();
        CHECK(records.at(3) == stream::port_record(PortRecord::Closed, 3, 0));
        CHECK(records.at(4) == stream::port_record(PortRecord::Open, 3, 2));
    }
    CHECK(records.at(5) == stream::port_record(PortRecord::Closed, 3, 0));
    stream::Fd next = stream::connect_unix(path);
    CHECK(records.at(6) == stream::port_record(PortRecord::Open, 3, 3));
    host->close();
}

TEST_CASE("CVE-2020-27174: ports: a socket is read no further than the guest is behind", "[ports]") {
    const Folder folder;
    const std::string path = folder.path / "s";
    Records records;
    const auto host = stream::socket_port(path);
    host->open(1, records.deliver());
    stream::Fd peer = stream::connect_unix(path);
    const std::vector<u8> much(200'000, 'x');
    u64 sent = 0;
    for (int i = 0; i < 50; ++i) {
        if (sent < much.size())
            sent += static_cast<u64>(stream::send_some(peer.get(), std::span(much).subspan(sent)));
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    const auto delivered = [&] {
        const std::lock_guard guard(records.lock);
        u64 bytes = 0;
        for (const auto& record : records.all)
            if (record[0] == static_cast<u8>(PortRecord::Data)) bytes += record.size() - 2;
        return bytes;
    };
    CHECK(delivered() == stream::kPortWindow);
    host->taken(1000);
    for (int i = 0; i < 500 && delivered() != stream::kPortWindow + 1000; ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    CHECK(delivered() == stream::kPortWindow + 1000);
    host->close();
}

TEST_CASE("ports: sockets left behind are replaced, files are not, and names have an end", "[ports]") {
    const Folder folder;
    const std::string path = folder.path / "s", file = folder.path / "f";
    {
        stream::UnixListener first(path);
        CHECK_THROWS_WITH(stream::UnixListener(path), Catch::Contains("is there already"));
        ::link(path.c_str(), (path + "2").c_str());
    }
    CHECK_FALSE(std::filesystem::exists(path));
    { stream::UnixListener again(path + "2"); }
    std::ofstream(file) << "content";
    CHECK_THROWS_WITH(stream::UnixListener(file), Catch::Contains(file));
    CHECK(std::filesystem::file_size(file) == 7);
    CHECK_THROWS(stream::UnixListener(std::string(200, 'x')));
    std::string told;
    const auto full = stream::file_port("/dev/full", [&](const std::string& what) { told += what; });
    full->send(0, bytes_of("text"));
    full->send(0, bytes_of("text"));
    CHECK(told.find("/dev/full: ") == 0);
    CHECK(told.rfind("/dev/full: ") == 0);
    stream::file_port(file, {})->send(0, bytes_of("new"));
    CHECK(std::filesystem::file_size(file) == 3);
    CHECK_THROWS(stream::file_port(folder.path, {}));
    const auto port = stream::file_port(file, {});
    port->send(0, bytes_of("kept"));
    CHECK_THROWS_WITH(stream::file_port(file, {}), Catch::Contains("in use"));
    CHECK(std::filesystem::file_size(file) == 4);
}
