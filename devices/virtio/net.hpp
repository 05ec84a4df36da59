// virtio-net: a network card.
#pragma once
#include <memory>

#include "devices/net/backend.hpp"
#include "devices/virtio/device.hpp"

namespace hartline {
struct NetCardConfig {
    net::Mac mac{0x52, 0x54, 0x00, 0x12, 0x34, 0x56};
    u16 mtu = 1500;  // 68 to 65535: what the driver is told
};
// The device takes records (see net::RecordKind) as its input.
VirtioFactory virtio_net(std::shared_ptr<net::NetBackend> backend, const NetCardConfig& card = {});
}  // namespace hartline
