// A card with a driver in front of it and nothing behind it, for tests of virtio-net.
#pragma once
#include <cstring>

#include "devices/virtio/mmio.hpp"
#include "devices/virtio/net.hpp"
#include "tests/devices/packets.hpp"
#include "tests/devices/virtio_driver.hpp"

namespace hartline::test {

struct FakeNetwork final : net::NetBackend {
    std::vector<Frame> sent;
    u64 credit = 0;
    void open(net::Deliver) override {}
    void close() override {}
    void send(Frame frame) override { sent.push_back(std::move(frame)); }
    void taken(u64 bytes) override { credit += bytes; }
};

struct NetCard {
    static constexpr u32 kReceive = 0, kTransmit = 1, kControl = 2;
    static constexpr u64 feature(unsigned bit) { return u64{1} << bit; }

    FakePort port;
    std::shared_ptr<FakeNetwork> network = std::make_shared<FakeNetwork>();
    std::unique_ptr<Device> device = virtio_mmio(virtio_net(network))(port);
    VirtioDriver driver{port, *device};

    void start(u64 without = VirtioDriver::kEventIdx, u16 size = 32) { driver.start(size, 3, without); }
    // Gives the card a buffer for receiving.
    u64 room(u32 bytes) {
        const u64 at = driver.alloc(bytes);
        driver.submit(kReceive, {{at, bytes, true}});
        return at;
    }
    void receive(const Frame& frame) { device->input(net::record_of(frame)); }
    Bytes load(u64 at, std::size_t bytes) {
        Bytes all(bytes);
        REQUIRE(port.ram.read(at, all));
        return all;
    }
    u64 place(const Bytes& bytes) {
        const u64 at = driver.alloc(bytes.size() + 1);
        REQUIRE(port.ram.write(at, bytes));
        return at;
    }
    static Bytes header(const net::Offload& offload, std::size_t bytes = 12) {
        Bytes all(bytes);
        std::memcpy(all.data(), &offload, sizeof offload);
        return all;
    }
    // Sends a frame in one buffer.
    void transmit(const Frame& frame) {
        Bytes all = header(frame.offload);
        all.insert(all.end(), frame.bytes.begin(), frame.bytes.end());
        driver.submit(kTransmit, {{place(all), static_cast<u32>(all.size())}});
        driver.kick(kTransmit);
    }
    // A control command; its acknowledgement: 0 is good.
    u8 command(u8 kind, u8 number, const Bytes& data) {
        Bytes all{kind, number};
        all.insert(all.end(), data.begin(), data.end());
        const u64 ack = driver.alloc(1);
        driver.store<u8>(ack, 0xee);
        driver.submit(kControl, {{place(all), static_cast<u32>(all.size())}, {ack, 1, true}});
        driver.kick(kControl);
        REQUIRE(driver.collect(kControl));
        return driver.load<u8>(ack);
    }
    // A plain frame of so many bytes for an address.
    static Frame plain(std::size_t bytes, net::Mac to = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56}) {
        Frame frame;
        frame.bytes.resize(bytes);
        for (std::size_t i = 0; i < bytes; ++i) frame.bytes[i] = static_cast<u8>(i * 7);
        std::copy(to.begin(), to.end(), frame.bytes.begin());
        frame.bytes[12] = 8;
        frame.bytes[13] = 6;
        return frame;
    }
    // Is a frame taken when there is room for it?
    bool takes(const Frame& frame) {
        room(4096);
        receive(frame);
        driver.free = 0x8018'0000;
        return driver.collect(kReceive).has_value();
    }
};
}  // namespace hartline::test
