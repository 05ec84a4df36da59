// Reading --net and --publish.
#include "frontend/session/net.hpp"

#include <charconv>
#include <cstdio>
#include <stdexcept>

#include "devices/net/tap.hpp"
#include "frontend/session/errors.hpp"

namespace hartline {
namespace {
// Decimal, 1 to `most`; 0: it is none.
unsigned number_of(const std::string& text, unsigned most) {
    unsigned value = 0;
    const char* const end = text.data() + text.size();
    const auto [at, error] = std::from_chars(text.data(), end, value);
    return error == std::errc{} && at == end && value <= most ? value : 0;
}

[[noreturn]] void no_net(const std::string& text, const std::string& why) {
    throw InputError("--net", "'" + text + "' " + why,
                     "write user, none or tap=INTERFACE; with ,mac=52:54:00:12:34:56 or ,mtu=1500 if wanted");
}

net::Mac parse_mac(const std::string& whole, const std::string& text) {
    net::Mac mac{};
    unsigned parts[6];
    int used = 0;
    constexpr std::size_t kLength = 17;
    if (text.size() != kLength ||
        std::sscanf(text.c_str(), "%2x:%2x:%2x:%2x:%2x:%2x%n", &parts[0], &parts[1], &parts[2], &parts[3],
                    &parts[4], &parts[5], &used) != 6 ||
        used != static_cast<int>(kLength))
        no_net(whole, "has no address behind mac=");
    for (std::size_t i = 0; i < mac.size(); ++i) mac[i] = static_cast<u8>(parts[i]);
    if ((mac[0] & 1) != 0) no_net(whole, "has the address of a group: the first byte is even for a card");
    return mac;
}

void set_option(NetConfig& config, const std::string& whole, const std::string& option) {
    if (option.starts_with("mac=")) {
        config.mac = parse_mac(whole, option.substr(4));
    } else if (option.starts_with("mtu=")) {
        config.mtu = number_of(option.substr(4), NetConfig::kMostMtu);
        if (config.mtu < NetConfig::kLeastMtu) no_net(whole, "needs an mtu of 1280 to 65520");
    } else if (option.starts_with("bus=")) {
        config.bus = parse_bus("--net", option.substr(4));
    } else {
        no_net(whole, "has an unknown part '" + option + "'");
    }
}
}  // namespace

NetConfig parse_net(const std::string& text) {
    NetConfig config;
    std::size_t comma = text.find(',');
    const std::string kind = text.substr(0, comma);
    if (kind == "user") {
        config.kind = NetConfig::Kind::User;
    } else if (kind.starts_with("tap=") && kind.size() > 4) {
        config.kind = NetConfig::Kind::Tap;
        config.interface = kind.substr(4);
    } else if (kind != "none" || comma != std::string::npos) {
        no_net(text, "is no network");
    }
    while (comma != std::string::npos) {
        const std::size_t next = text.find(',', comma + 1);
        set_option(config, text, text.substr(comma + 1, next == std::string::npos ? next : next - comma - 1));
        comma = next;
    }
    return config;
}

std::string net_text(const NetConfig& config) {
    if (config.kind == NetConfig::Kind::None) return "none";
    char options[64];
    std::snprintf(options, sizeof options, ",mac=%02x:%02x:%02x:%02x:%02x:%02x,mtu=%u", config.mac[0],
                  config.mac[1], config.mac[2], config.mac[3], config.mac[4], config.mac[5], config.mtu);
    return (config.kind == NetConfig::Kind::User ? "user" : "tap=" + config.interface) + options +
           (config.bus ? ",bus=" + std::string(name(*config.bus)) : "");
}

net::PublishedPort parse_publish(const std::string& text) {
    net::PublishedPort port;
    std::string rest = text;
    for (const char* protocol : {"/udp", "/tcp"})
        if (rest.ends_with(protocol)) {
            port.udp = rest.ends_with("/udp");
            rest.resize(rest.size() - 4);
            break;
        }
    const std::size_t last = rest.rfind(':');
    constexpr unsigned kMostPort = 65535;
    if (last != std::string::npos) {
        port.guest_port = static_cast<u16>(number_of(rest.substr(last + 1), kMostPort));
        rest.resize(last);
        const std::size_t colon = rest.rfind(':');
        port.port = static_cast<u16>(
            number_of(colon == std::string::npos ? rest : rest.substr(colon + 1), kMostPort));
        if (colon != std::string::npos) port.host = rest.substr(0, colon);
    }
    if (port.port == 0 || port.guest_port == 0 || port.host.empty())
        throw InputError("--publish", "'" + text + "' is not [HOST:]PORT:GUEST[/udp]",
                         "write for example 2222:22 or 0.0.0.0:8080:80; ports are 1 to 65535");
    return port;
}

std::string publish_text(const net::PublishedPort& port) {
    return port.host + ":" + std::to_string(port.port) + ":" + std::to_string(port.guest_port) +
           (port.udp ? "/udp" : "/tcp");
}

std::shared_ptr<net::NetBackend> make_network(const NetConfig& config,
                                              const std::vector<net::PublishedPort>& published) {
    try {
        switch (config.kind) {
            case NetConfig::Kind::None: return nullptr;
            case NetConfig::Kind::User: return net::user_network(static_cast<u16>(config.mtu), published);
            case NetConfig::Kind::Tap: return net::tap_network(config.interface);
        }
    } catch (const std::runtime_error& error) {
        throw InputError(error.what());
    }
    return nullptr;
}
}  // namespace hartline
