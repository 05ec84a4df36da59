// Virtio over PCI, the modern interface only: a device as a function of a PCI bus.
#pragma once
#include "devices/pci/bus.hpp"
#include "devices/virtio/device.hpp"

namespace hartline {
DeviceFactory virtio_pci(pci::PciSlot slot, VirtioFactory make);
}  // namespace hartline
