// `hartline run disk.qcow2`: a disk image in the place of a kernel.
#pragma once
#include "frontend/session/config.hpp"

namespace hartline {
// Where the image of `config` is a disk's, by its content, it becomes the first disk, and what is started is
// found on it. The name may have --disk's options behind it: disk.qcow2,rw. Without any that says where
// changes go, they go to a temporary overlay. Throws InputError.
void adopt_disk(RunConfig& config);
}  // namespace hartline
