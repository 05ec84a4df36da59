// ACLINT: the machine timer, and software interrupts for machine and supervisor mode.
#pragma once
#include "core/device.hpp"

namespace hartline {
DeviceFactory aclint();       // MSWI and MTIMER where a SiFive CLINT has them
DeviceFactory aclint_sswi();  // SSWI
}  // namespace hartline
