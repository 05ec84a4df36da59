// NVMe: a controller with one namespace, as a function of a PCI bus.
#pragma once
#include <memory>

#include "devices/pci/bus.hpp"
#include "devices/storage/backend.hpp"
#include "devices/storage/block_options.hpp"

namespace hartline {
DeviceFactory nvme_controller(pci::PciSlot slot, std::shared_ptr<BlockBackend> backend,
                              BlockOptions options = {});
}  // namespace hartline
