// A machine's network: what can be asked for, and the making of it.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "devices/net/user.hpp"
#include "frontend/session/bus.hpp"

namespace hartline {

struct NetConfig {
    static constexpr unsigned kLeastMtu = 1280;  // that of IPv6
    static constexpr unsigned kMostMtu = 65520;

    enum class Kind : u8 { None, User, Tap };
    Kind kind = Kind::None;
    std::string interface;  // of a TAP
    net::Mac mac{0x52, 0x54, 0x00, 0x12, 0x34, 0x56};
    unsigned mtu = 1500;
    std::optional<DeviceBus> bus{};  // not given: that of the run
    bool operator==(const NetConfig&) const = default;
};

// none, user or tap=INTERFACE, the latter two with ,mac=… ,mtu=… and ,bus=mmio|pci. Throws InputError.
NetConfig parse_net(const std::string& text);
std::string net_text(const NetConfig& config);  // parse_net() reads it back
// [HOST:]PORT:GUEST[/udp]. Throws InputError.
net::PublishedPort parse_publish(const std::string& text);
std::string publish_text(const net::PublishedPort& port);

// null: none is asked for. Throws InputError: a port is taken, an interface cannot be had.
std::shared_ptr<net::NetBackend> make_network(const NetConfig& config,
                                              const std::vector<net::PublishedPort>& published);
}  // namespace hartline
