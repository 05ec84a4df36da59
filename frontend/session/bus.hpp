// How the machine's software reaches a device.
#pragma once
#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "core/types.hpp"

namespace hartline {

enum class DeviceBus : u8 { Mmio, Pci, Nvme };  // Nvme: PCI too, for disks only
inline constexpr std::array<std::string_view, 3> kBusNames{"mmio", "pci", "nvme"};

constexpr std::string_view name(DeviceBus bus) { return kBusNames[static_cast<std::size_t>(bus)]; }
// `auto`: nothing, which is as --bus has it. Throws InputError for what is no bus, or not `disk` and NVMe;
// `option` is where it was given.
std::optional<DeviceBus> parse_bus(const std::string& option, const std::string& text, bool disk = false);
}  // namespace hartline
