// A learning Ethernet switch between cards of machines in one process.
//
// "IEEE 802.1D", "Learning" and "Forwarding": a frame goes where its destination was last seen, or everywhere
// else when that is unknown or a group.
#pragma once
#include <memory>

#include "devices/net/backend.hpp"

namespace hartline::net {

class Switch : public std::enable_shared_from_this<Switch> {
public:
    static constexpr std::size_t kMostMacs = 4096;  // that are remembered; one more makes it forget all

    static std::shared_ptr<Switch> make();
    virtual ~Switch() = default;
    // A port for one card. Cards may be of machines on different threads. The switch lives as long as a port.
    virtual std::shared_ptr<NetBackend> port() = 0;
    // How many addresses are known.
    virtual std::size_t known() = 0;
};
}  // namespace hartline::net
