// Error numbers of the host as Linux numbers them for a guest.
#pragma once
#include "core/types.hpp"

namespace hartline::share {
// Of include/uapi/asm-generic/errno*.h, which RISC-V uses. EIO for what Linux has no name for.
u32 linux_errno(int host);
}  // namespace hartline::share
