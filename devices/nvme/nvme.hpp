// NVMe: a controller with one namespace, as a function of a PCI bus.
#pragma once
#include <memory>
#include <string>

#include "devices/pci/bus.hpp"
#include "devices/storage/backend.hpp"

namespace hartline {
// `serial`: what the controller tells, at most 20 bytes.
DeviceFactory nvme_controller(pci::PciSlot slot, std::shared_ptr<BlockBackend> backend,
                              std::string serial = "hartline");
}  // namespace hartline
