// virtio-vsock: stream sockets between host and guest.
#pragma once
#include <memory>

#include "devices/stream/vsock_host.hpp"
#include "devices/virtio/device.hpp"

namespace hartline {
// `cid` is the guest's address, 3 to 0xfffffffe; the host's is 2. The device's input is records, see
// stream::VsockRecord.
VirtioFactory virtio_vsock(u32 cid, std::shared_ptr<stream::VsockHost> host);
}  // namespace hartline
