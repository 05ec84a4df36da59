// A TAP interface of a Linux host: the guest's card is the other end of it.
#pragma once
#include <memory>
#include <string>

#include "devices/net/backend.hpp"

namespace hartline::net {
// Throws std::runtime_error, which names the interface and what to do.
std::shared_ptr<NetBackend> tap_network(const std::string& interface);
}  // namespace hartline::net
