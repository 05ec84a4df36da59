// A root bus with windows and functions on ports of their own, for tests.
#pragma once
#include <array>
#include <memory>
#include <vector>

#include "devices/pci/host.hpp"
#include "tests/devices/fake_port.hpp"

namespace hartline::test {

struct Messages final : pci::MsiTarget {
    static constexpr u64 kAt = 0x2800'0000;
    std::vector<u32> sent;
    bool deliver(u64 address, u32 data) override {
        if (address != kAt) return false;
        sent.push_back(data);
        return true;
    }
};

struct PciRig {
    static constexpr u64 kMemory = 0x4000'0000, kHigh = 0x4'0000'0000;
    std::shared_ptr<pci::PciBus> bus = std::make_shared<pci::PciBus>();
    Messages messages;
    std::array<FakePort, 4> lines;
    std::unique_ptr<Device> ecam = pci_ecam(bus, kHigh)(lines[0]);
    std::unique_ptr<Device> io = pci_io(bus)(lines[1]);
    std::unique_ptr<Device> memory = pci_memory(bus, kMemory)(lines[2]);
    std::unique_ptr<Device> high = pci_high_memory(bus, kHigh)(lines[3]);
    FakePort host_port, port;  // port: of the function in slot 1
    std::unique_ptr<Device> host = pci_host_function(bus)(host_port);
    std::unique_ptr<Device> device;
    static constexpr u64 kFunction = 1 << 15;  // slot 1 in the configuration space

    explicit PciRig(const std::function<DeviceFactory(pci::PciSlot)>& make) : device(make({bus, 1})(port)) {
        bus->set_msi_target(messages);
    }
    u64 config(u64 offset, unsigned bytes = 4) { return get(*ecam, kFunction + offset, bytes); }
    void config(u64 offset, u64 value, unsigned bytes) { put(*ecam, kFunction + offset, value, bytes); }
    // The capability of that id, and of that type if virtio's.
    u32 capability(u8 id, u8 type = 0) {
        for (u64 at = config(0x34, 1); at != 0; at = config(at + 1, 1))
            if (config(at, 1) == id && (type == 0 || config(at + 3, 1) == type)) return static_cast<u32>(at);
        return 0;
    }
    // Maps register 0 or 4 (64-bit) at the start of the high window and 1 at that of the other; enables them.
    void map(unsigned wide) {
        config(0x10 + 4 * wide, kHigh & 0xffff'ffff, 4);
        config(0x14 + 4 * wide, kHigh >> 32, 4);
        if (wide != 0) config(0x14, kMemory, 4);
        config(4, 6, 2);
    }
};
}  // namespace hartline::test
