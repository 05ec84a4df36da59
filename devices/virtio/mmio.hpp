// Virtio over MMIO, version 2: a device at a place of the bus.
#pragma once
#include "devices/virtio/device.hpp"

namespace hartline {
DeviceFactory virtio_mmio(VirtioFactory make);
}  // namespace hartline
