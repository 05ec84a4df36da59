// virtio-console: the console, and named ports beside it.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "devices/stream/port_host.hpp"
#include "devices/virtio/device.hpp"

namespace hartline {
struct ConsoleSize {
    u16 columns = 80;
    u16 rows = 25;
};
struct ConsolePort {
    static constexpr std::size_t kMostNameBytes = 63;
    std::string name;  // /dev/virtio-ports/NAME in the guest
    std::shared_ptr<stream::PortHost> host;
};
struct ConsoleOptions {
    static constexpr std::size_t kMostPorts = 8;
    ConsoleSize size = {};
    std::vector<ConsolePort> ports = {};  // at most kMostPorts; numbered from 1, the console is 0
    unsigned typed = 0;                   // the port whose room input_room() tells
    bool console = true;                  // false: port 0 is not there, and the ports alone are
};
// What the guest sends to the console goes to `sink`, which outlives the device. Its input is records, see
// stream::PortRecord.
VirtioFactory virtio_console(ByteSink& sink, const ConsoleOptions& options = {});
}  // namespace hartline
