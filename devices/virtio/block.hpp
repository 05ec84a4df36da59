// virtio-blk: a disk.
#pragma once
#include <memory>
#include <string>

#include "devices/storage/backend.hpp"
#include "devices/storage/block_options.hpp"
#include "devices/virtio/device.hpp"

namespace hartline {

VirtioFactory virtio_block(std::shared_ptr<BlockBackend> backend, BlockOptions options);
VirtioFactory virtio_block(std::shared_ptr<BlockBackend> backend, std::string serial = "hartline");
}  // namespace hartline
