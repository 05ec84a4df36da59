// One of each device, for batteries over all of them.
#pragma once
#include "devices/aclint.hpp"
#include "devices/finisher.hpp"
#include "devices/flash.hpp"
#include "devices/htif.hpp"
#include "devices/plic.hpp"
#include "devices/rom.hpp"
#include "devices/rtc.hpp"
#include "devices/uart.hpp"
#include "devices/virtio/balloon.hpp"
#include "devices/virtio/block.hpp"
#include "devices/virtio/console.hpp"
#include "devices/virtio/entropy.hpp"
#include "devices/virtio/mmio.hpp"
#include "devices/virtio/net.hpp"
#include "devices/virtio/ninep.hpp"
#include "devices/virtio/vsock.hpp"
#include "devices/watchdog.hpp"
#include "tests/devices/fake_port.hpp"
#include "tests/devices/memory_disk.hpp"

namespace hartline::test {
// A network where nobody is.
struct NoNetwork final : net::NetBackend {
    void open(net::Deliver) override {}
    void close() override {}
    void send(net::Frame) override {}
    void taken(u64) override {}
};

// The host's end of a port, where somebody is when a record says so.
struct SilentPort final : stream::PortHost {
    bool constant() const override { return false; }
    void send(u32, std::span<const u8>) override {}
};

// A host where nobody is, and from which records say that somebody is.
struct SilentVsock final : stream::VsockHost {
    void connect(u32, u32) override {}
    void established(u32) override {}
    void send(u32, std::span<const u8>) override {}
    void end(u32) override {}
    void finish(u32) override {}
    void abort(u32) override {}
    void taken(u32, u64) override {}
    void drop_all() override {}
};

inline std::vector<std::pair<std::string, DeviceFactory>> every_device(ByteSink& sink) {
    return {
        {"rom", rom({1, 2, 3}, 0xf000)},
        {"finisher", finisher()},
        {"rtc", rtc(1'700'000'000'000'000'000)},
        {"aclint", aclint()},
        {"aclint_sswi", aclint_sswi()},
        {"plic", plic()},
        {"uart", uart(sink)},
        {"virtio0", virtio_mmio(virtio_block(std::make_shared<MemoryDisk>(1 << 20)))},
        {"virtio1", virtio_mmio(virtio_console(sink, {.ports = {{"port", std::make_shared<SilentPort>()}}}))},
        {"virtio2", virtio_mmio(virtio_entropy(7))},
        {"virtio3", virtio_mmio(virtio_block(std::make_shared<MemoryDisk>(1 << 20, true)))},
        {"virtio4", virtio_mmio(virtio_net(std::make_shared<NoNetwork>()))},
        {"virtio5", virtio_mmio(virtio_balloon())},
        {"virtio6", virtio_mmio(virtio_ninep(std::make_shared<share::SilentChannel>(), "share0"))},
        {"flash", flash({FlashBankConfig{.contents = {1, 2, 3}, .read_only = true},
                         FlashBankConfig{.read_only = true}})},
        {"watchdog", watchdog(WatchdogAction::Reset)},
        {"virtio7", virtio_mmio(virtio_vsock(3, std::make_shared<SilentVsock>()))},
        {"htif", htif(sink, 0x8000'1000, 0x8000'1008)},
    };
}
}  // namespace hartline::test
