// virtio-9p: a shared folder's requests and answers. What they mean is the channel's business.
#pragma once
#include <memory>
#include <string>

#include "devices/share/channel.hpp"
#include "devices/virtio/device.hpp"

namespace hartline {
// `tag`: what the guest mounts it by, 1 to 255 bytes of it count.
VirtioFactory virtio_ninep(std::shared_ptr<share::Channel> channel, const std::string& tag);
}  // namespace hartline
