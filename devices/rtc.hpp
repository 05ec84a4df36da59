// Goldfish real-time clock: the time of day as a base plus virtual time, and an alarm.
#pragma once
#include "core/device.hpp"

namespace hartline {
// `unix_ns`: nanoseconds since 1970 at virtual time 0.
DeviceFactory rtc(u64 unix_ns);
}  // namespace hartline
