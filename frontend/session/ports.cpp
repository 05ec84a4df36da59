// The option --port.
#include "frontend/session/ports.hpp"

#include <algorithm>
#include <stdexcept>

#include "devices/stream/ports.hpp"
#include "frontend/session/config.hpp"
#include "frontend/session/errors.hpp"

namespace hartline {
namespace {
constexpr std::string_view kSocket = "socket:", kStdio = "stdio";

bool is_port_name(const std::string& text) {
    return !text.empty() && text.size() <= ConsolePort::kMostNameBytes && text != "." && text != ".." &&
           std::ranges::all_of(text, [](char c) { return c > ' ' && c <= '~' && c != '/'; });
}
}  // namespace

PortConfig parse_port(const std::string& text) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos || equals + 1 == text.size())
        throw InputError("--port", "'" + text + "' leads nowhere",
                         "write NAME=FILE, NAME=socket:PATH or NAME=stdio");
    PortConfig port{.name = text.substr(0, equals), .path = text.substr(equals + 1)};
    if (!is_port_name(port.name))
        throw InputError("--port", "'" + port.name + "' cannot be a port's name",
                         "choose up to 63 printable characters without '/'; org.example.agent for example");
    if (port.path == kStdio) {
        port.kind = PortConfig::Kind::Stdio;
        port.path.clear();
    } else if (port.path.starts_with(kSocket)) {
        port.kind = PortConfig::Kind::Socket;
        port.path.erase(0, kSocket.size());
        if (port.path.empty())
            throw InputError("--port", "'" + text + "' has no path", "write NAME=socket:PATH");
    }
    return port;
}

std::string port_text(const PortConfig& port) {
    switch (port.kind) {
        case PortConfig::Kind::Stdio: return port.name + "=" + std::string(kStdio);
        case PortConfig::Kind::Socket: return port.name + "=" + std::string(kSocket) + port.path;
        case PortConfig::Kind::File: break;
    }
    return port.name + "=" + port.path;
}

void validate_ports(const RunConfig& config) {
    if (config.ports.size() > ConsoleOptions::kMostPorts)
        throw InputError("--port", std::to_string(config.ports.size()) + " are too many",
                         "the console has up to 8");
    unsigned typed = config.virtio_input ? 1 : 0;
    for (std::size_t i = 0; i < config.ports.size(); ++i) {
        const PortConfig& port = config.ports[i];
        for (std::size_t k = 0; k < i; ++k)
            if (config.ports[k].name == port.name)
                throw InputError("--port", "two have the name '" + port.name + "'", "choose another");
        if (port.kind == PortConfig::Kind::Stdio && ++typed > 1)
            throw InputError("--port", "what is typed can go to one place only",
                             "give stdio once, and not with --console virtio");
        if (port.kind == PortConfig::Kind::Socket && config.deterministic)
            throw InputError("--port", port.name + ": whoever is at a socket comes when he likes",
                             "leave --deterministic out, or give a FILE");
    }
}

unsigned typed_port(const RunConfig& config) {
    for (std::size_t i = 0; i < config.ports.size(); ++i)
        if (config.ports[i].kind == PortConfig::Kind::Stdio) return static_cast<unsigned>(i) + 1;
    return 0;
}

std::vector<ConsolePort> make_ports(const std::vector<PortConfig>& ports, ByteSink& sink,
                                    const std::function<void(std::string_view)>& tell) {
    std::vector<ConsolePort> made;
    const auto failed = [tell](const std::string& what) {
        if (tell) tell("hartline: --port: " + what);
    };
    try {
        for (const PortConfig& port : ports)
            made.push_back(
                {port.name, port.kind == PortConfig::Kind::File     ? stream::file_port(port.path, failed)
                            : port.kind == PortConfig::Kind::Socket ? stream::socket_port(port.path)
                                                                    : stream::sink_port(sink)});
    } catch (const std::runtime_error& error) {
        throw InputError(std::string("--port: ") + error.what());
    }
    return made;
}
}  // namespace hartline
