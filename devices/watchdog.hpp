// A watchdog: the machine is reset, or what else was asked for, when its guest does not show for too long.
#pragma once
#include <array>
#include <functional>
#include <string_view>

#include "core/device.hpp"

namespace hartline {

// What happens when it expires; the names are QEMU's.
enum class WatchdogAction : u8 { Reset, PowerOff, Pause, None };
inline constexpr std::array<std::string_view, 4> kWatchdogActions{"reset", "poweroff", "pause", "none"};

constexpr std::string_view name(WatchdogAction action) {
    return kWatchdogActions[static_cast<std::size_t>(action)];
}

// The watchdog of Allwinner's D1, for which Linux has a driver wherever it has RISC-V: 0.5 to 16 s of virtual
// time. `expired` is called before the action, but where that is None once in 10 s of virtual time; empty:
// nobody is told. It has no part in the machine's state.
DeviceFactory watchdog(WatchdogAction action, std::function<void()> expired = {});
}  // namespace hartline
