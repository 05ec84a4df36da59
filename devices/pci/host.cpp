// Windows onto a bus, and the bridge's device-tree node.
#include "devices/pci/host.hpp"

#include <vector>

#include "devices/board.hpp"
#include "devices/node_name.hpp"
#include "devices/pci/endpoint.hpp"

namespace hartline {
namespace pci {
namespace {
class Window : public Device {
public:
    Window(DevicePort& port, std::shared_ptr<PciBus> bus, unsigned line) : bus_(std::move(bus)) {
        bus_->set_line(line, port);
    }
    void reset() override {}
    void describe(Archive&) override {}

protected:
    PciBus& bus() { return *bus_; }

private:
    std::shared_ptr<PciBus> bus_;
};

class Ecam final : public Window {
public:
    Ecam(DevicePort& port, std::shared_ptr<PciBus> bus, u64 high_base)
        : Window(port, std::move(bus), 0), high_base_(high_base) {}
    std::string_view name() const override { return "pci_ecam"; }
    u64 size() const override { return kPciEcamBytes; }
    bool read(u64 offset, unsigned bytes, u64& value) override {
        value = bus().read_config(offset, bytes);
        return true;
    }
    bool write(u64 offset, unsigned bytes, u64 value) override {
        bus().write_config(offset, bytes, value);
        return true;
    }
    void reset() override { bus().reset(); }
    void describe(Archive& archive) override { bus().describe(archive); }
    void describe_node(DeviceTree& tree, const NodePlace& place) const override;

private:
    u64 high_base_;
};

// "Open Firmware PCI bus binding": three cells of address, of which the first has the device number; the
// space of a range is in its top byte.
void Ecam::describe_node(DeviceTree& tree, const NodePlace& place) const {
    constexpr u32 kIo = 0x100'0000, kMemory32 = 0x200'0000, kMemory64 = 0x300'0000;
    const auto high = [](u64 value) { return static_cast<u32>(value >> 32); };
    const auto low = [](u64 value) { return static_cast<u32>(value); };
    const u64 io = place_of("pci_io").base, memory = place_of("pci_memory").base;
    std::vector<u32> map;
    for (u32 device = 0; device < PciBus::kLines; ++device)
        for (u32 pin = 1; pin <= PciBus::kLines; ++pin)
            map.insert(map.end(), {device << 11, 0, 0, pin, place.controller_phandle,
                                   place.irq + (device + pin - 1) % PciBus::kLines});
    tree.begin(node_name("pci", place.base));
    tree.cells("interrupt-map-mask", {0x1800, 0, 0, 7});
    tree.cells("interrupt-map", map);
    tree.cells("ranges", {kIo,
                          0,
                          0,
                          high(io),
                          low(io),
                          0,
                          low(kPciIoBytes),
                          kMemory32,
                          0,
                          low(memory),
                          high(memory),
                          low(memory),
                          0,
                          low(kPciMemoryBytes),
                          kMemory64,
                          high(high_base_),
                          low(high_base_),
                          high(high_base_),
                          low(high_base_),
                          high(kPciHighBytes),
                          low(kPciHighBytes)});
    tree.reg(place.base, size());
    tree.flag("dma-coherent");
    tree.cells("bus-range", {0, 0xff});
    tree.cells("linux,pci-domain", {0});
    tree.text("device_type", "pci");
    tree.text("compatible", "pci-host-ecam-generic");
    tree.cells("#size-cells", {2});
    tree.cells("#interrupt-cells", {1});
    tree.cells("#address-cells", {3});
    tree.end();
}

struct Range {
    std::string_view name;
    Space space;
    u64 base, bytes;
    unsigned line;
};

class AddressWindow final : public Window {
public:
    AddressWindow(DevicePort& port, std::shared_ptr<PciBus> bus, const Range& range)
        : Window(port, std::move(bus), range.line), range_(range) {}
    std::string_view name() const override { return range_.name; }
    u64 size() const override { return range_.bytes; }
    bool read(u64 offset, unsigned bytes, u64& value) override {
        value = bus().read(range_.space, range_.base + offset, bytes);
        return true;
    }
    bool write(u64 offset, unsigned bytes, u64 value) override {
        bus().write(range_.space, range_.base + offset, bytes, value);
        return true;
    }

private:
    Range range_;
};

DeviceFactory window(std::shared_ptr<PciBus> bus, const Range& range) {
    return [bus = std::move(bus), range](DevicePort& port) {
        return std::make_unique<AddressWindow>(port, bus, range);
    };
}

// QEMU's "PCIe Host bridge", which drivers pass over.
class HostFunction final : public Endpoint {
public:
    HostFunction(DevicePort& port, const PciSlot& slot)
        : Endpoint(port, slot,
                   {.vendor = 0x1b36,
                    .device = 0x0008,
                    .subsystem_vendor = 0x1af4,
                    .subsystem = 0x1100,
                    .class_code = 0x06'0000,
                    .interrupt = false}) {}
    std::string_view name() const override { return "pci_host"; }
};
}  // namespace
}  // namespace pci

DeviceFactory pci_ecam(std::shared_ptr<pci::PciBus> bus, u64 high_base) {
    return [bus = std::move(bus), high_base](DevicePort& port) {
        return std::make_unique<pci::Ecam>(port, bus, high_base);
    };
}
DeviceFactory pci_io(std::shared_ptr<pci::PciBus> bus) {
    return pci::window(std::move(bus), {"pci_io", pci::Space::Io, 0, kPciIoBytes, 1});
}
DeviceFactory pci_memory(std::shared_ptr<pci::PciBus> bus, u64 base) {
    return pci::window(std::move(bus), {"pci_memory", pci::Space::Memory, base, kPciMemoryBytes, 2});
}
DeviceFactory pci_high_memory(std::shared_ptr<pci::PciBus> bus, u64 base) {
    return pci::window(std::move(bus), {"pci_high_memory", pci::Space::Memory, base, kPciHighBytes, 3});
}
DeviceFactory pci_host_function(std::shared_ptr<pci::PciBus> bus) {
    return [bus = std::move(bus)](DevicePort& port) {
        return std::make_unique<pci::HostFunction>(port, pci::PciSlot{bus, 0});
    };
}
}  // namespace hartline
