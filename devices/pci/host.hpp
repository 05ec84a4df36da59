// The generic PCI Express host bridge: windows of the board's address space onto one root bus.
#pragma once
#include "devices/pci/bus.hpp"

namespace hartline {

inline constexpr u64 kPciEcamBytes = u64{256} << 20, kPciIoBytes = 0x1'0000, kPciMemoryBytes = u64{1} << 30,
                     kPciHighBytes = u64{16} << 30;

// Where the window above RAM is: the end of RAM, rounded up to the window's size, as QEMU has it.
constexpr u64 pci_high_base(u64 ram_end) {
    return (ram_end + kPciHighBytes - 1) / kPciHighBytes * kPciHighBytes;
}

// Configuration space, and the bridge's node. It holds the bus' state. `high_base` is that of
// pci_high_memory(). The interrupts of the four windows, in this order, are those of the bus' lines, 0 to 3.
DeviceFactory pci_ecam(std::shared_ptr<pci::PciBus> bus, u64 high_base);
DeviceFactory pci_io(std::shared_ptr<pci::PciBus> bus);
// Windows whose addresses are the same on the bus: from `base`.
DeviceFactory pci_memory(std::shared_ptr<pci::PciBus> bus, u64 base);
DeviceFactory pci_high_memory(std::shared_ptr<pci::PciBus> bus, u64 base);
// The bridge as a function of its own bus, in slot 0.
DeviceFactory pci_host_function(std::shared_ptr<pci::PciBus> bus);
}  // namespace hartline
