// virtio-rng: random bytes that are the same in every run of a seed.
#pragma once
#include "devices/virtio/device.hpp"

namespace hartline {
// The bytes follow from the seed and are no secret: not for keys that must hold outside of the machine.
VirtioFactory virtio_entropy(u64 seed);
}  // namespace hartline
