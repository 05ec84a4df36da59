// Where a console's port can lead at the host: to a file, to whoever connects to a socket, to a sink.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "core/device.hpp"
#include "devices/stream/port_host.hpp"

namespace hartline::stream {
// What the guest sends is written to the file, which is made anew; nothing comes from it. `failed` is told
// once when writing fails; what is sent then is lost. Throws std::runtime_error: the file cannot be made.
std::shared_ptr<PortHost> file_port(const std::string& path, std::function<void(const std::string&)> failed);
// A socket at `path` for one to connect to at a time. Throws std::runtime_error.
std::shared_ptr<PortHost> socket_port(const std::string& path);
// What the guest sends goes to `sink`, which outlives it. What is for the guest is posted by others.
std::shared_ptr<PortHost> sink_port(ByteSink& sink);
}  // namespace hartline::stream
