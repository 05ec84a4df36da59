// Ports of the virtio console beside the console: what can be asked for, and the making of their hosts' ends.
#pragma once
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/device.hpp"
#include "devices/virtio/console.hpp"

namespace hartline {
struct RunConfig;

struct PortConfig {
    enum class Kind : u8 { File, Socket, Stdio };
    std::string name;
    Kind kind = Kind::File;
    std::string path;  // of a file or socket
    bool operator==(const PortConfig&) const = default;
};

// NAME=FILE, NAME=socket:PATH or NAME=stdio. Throws InputError.
PortConfig parse_port(const std::string& text);
std::string port_text(const PortConfig& port);  // that parse_port() reads back
// Throws InputError: too many, two of a name, or what an exact run cannot have.
void validate_ports(const RunConfig& config);
// Which of the console's ports takes what is typed; 0: the console itself.
unsigned typed_port(const RunConfig& config);
// `sink` is where a port's text for this terminal goes; `tell` takes a line when a file fails, and may be
// empty. Throws InputError: a file or a socket cannot be made.
std::vector<ConsolePort> make_ports(const std::vector<PortConfig>& ports, ByteSink& sink,
                                    const std::function<void(std::string_view)>& tell);
}  // namespace hartline
