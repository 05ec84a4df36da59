// virtio-blk: a disk.
#pragma once
#include <memory>
#include <string>

#include "devices/virtio/device.hpp"
#include "devices/storage/backend.hpp"

namespace hartline {
// `serial`: what GET_ID and /dev/disk/by-id show, at most 20 bytes.
VirtioFactory virtio_block(std::shared_ptr<BlockBackend> backend, std::string serial = "hartline");
}  // namespace hartline
