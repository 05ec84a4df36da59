// Which device is on which bus, and whether the buses have room for all.
#include "frontend/session/bus.hpp"

#include <algorithm>

#include "frontend/session/config.hpp"
#include "frontend/session/errors.hpp"

namespace hartline {
namespace {
bool has_card(const RunConfig& config) { return config.net && config.net->kind != NetConfig::Kind::None; }

// Beside entropy and console.
std::size_t devices_on(const RunConfig& config, DeviceBus bus) {
    const auto on_it = [&](const DiskConfig& disk) { return bus_of(config, disk) == bus; };
    std::size_t count = static_cast<std::size_t>(std::ranges::count_if(config.disks, on_it));
    if (config.bus == bus)
        count += config.shares.size() + (config.balloon && config.balloon->present ? 1 : 0);
    if (config.bus == bus && config.vsock) ++count;
    if (has_card(config) && bus_of(config, *config.net) == bus) ++count;
    return count;
}
}  // namespace

std::optional<DeviceBus> parse_bus(const std::string& option, const std::string& text, bool disk) {
    if (text == "auto") return {};
    for (std::size_t i = 0; i < kBusNames.size(); ++i)
        if (text == kBusNames[i] && (disk || i != static_cast<std::size_t>(DeviceBus::Nvme)))
            return static_cast<DeviceBus>(i);
    throw InputError(option, "'" + text + "' is no bus for it",
                     disk ? "choose mmio, pci or nvme" : "choose mmio or pci");
}

DeviceBus bus_of(const RunConfig& config, const DiskConfig& disk) { return disk.bus.value_or(config.bus); }
DeviceBus bus_of(const RunConfig& config, const NetConfig& net) { return net.bus.value_or(config.bus); }

bool has_pci(const RunConfig& config) {
    return config.bus == DeviceBus::Pci || devices_on(config, DeviceBus::Pci) != 0 ||
           devices_on(config, DeviceBus::Nvme) != 0;
}

void validate_buses(const RunConfig& config) {
    const std::size_t all = config.disks.size() + config.shares.size(),
                      mmio = devices_on(config, DeviceBus::Mmio);
    const std::string option = config.shares.empty() ? "--disk" : "--share";
    if (all > RunConfig::kMostDisks)
        throw InputError(option, std::to_string(all) + " disks and shares are too many",
                         "the board takes 20 of both");
    if (mmio > RunConfig::kMostMmio)
        throw InputError(option,
                         std::to_string(mmio) + " disks, shares and other devices are too many over MMIO",
                         "the board takes 6 there; give --bus pci, or disks ,bus=pci or ,bus=nvme");
}

bool buses_have_room(const RunConfig& config) {
    return devices_on(config, DeviceBus::Mmio) <= RunConfig::kMostMmio;
}
}  // namespace hartline
