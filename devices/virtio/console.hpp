// virtio-console: one port.
#pragma once
#include "devices/virtio/device.hpp"

namespace hartline {
struct ConsoleSize {
    u16 columns = 80;
    u16 rows = 25;
};
// What the guest sends goes to `sink`, which outlives the device.
VirtioFactory virtio_console(ByteSink& sink, ConsoleSize size = {});
}  // namespace hartline
