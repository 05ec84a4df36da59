// A network of the user's own, by libslirp: a gateway that opens the host's sockets for the guest, without
// any privilege. The guest is 10.0.2.15, the gateway and the host's loopback 10.0.2.2, the name
// server 10.0.2.3.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "devices/net/backend.hpp"

namespace hartline::net {

// A port of the host that leads to one of the guest.
struct PublishedPort {
    std::string host = "127.0.0.1";  // an IPv4 address
    u16 port = 0;
    u16 guest_port = 0;
    bool udp = false;
    bool operator==(const PublishedPort&) const = default;
};

// Throws std::runtime_error, which names the port that cannot be had and why.
std::shared_ptr<NetBackend> user_network(u16 mtu, const std::vector<PublishedPort>& published);
// Why a port cannot be had, and the way out. `error`: errno, or 0 where nobody knows.
std::string unpublished(const PublishedPort& port, int error);
}  // namespace hartline::net
