// Finding the device of an address.
#include "core/bus.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace hartline {

void Bus::attach(u64 base, Device& device) {
    const u64 size = device.size();
    for (const Slot& slot : slots_)
        if (base < slot.base + slot.size && slot.base < base + size)
            throw std::invalid_argument(std::string(device.name()) + " overlaps " +
                                        std::string(slot.device->name()));
    slots_.push_back({base, size, &device});
    std::sort(slots_.begin(), slots_.end(), [](const Slot& a, const Slot& b) { return a.base < b.base; });
}

const Bus::Slot* Bus::find(u64 paddr, unsigned bytes) const {
    const auto after = std::upper_bound(slots_.begin(), slots_.end(), paddr,
                                        [](u64 address, const Slot& slot) { return address < slot.base; });
    if (after == slots_.begin()) return nullptr;
    const Slot& slot = *std::prev(after);
    const u64 offset = paddr - slot.base;
    return offset < slot.size && bytes <= slot.size - offset ? &slot : nullptr;
}

bool Bus::read(u64 paddr, unsigned bytes, u64& value) const {
    const Slot* const slot = find(paddr, bytes);
    return slot != nullptr && slot->device->read(paddr - slot->base, bytes, value);
}
bool Bus::write(u64 paddr, unsigned bytes, u64 value) const {
    const Slot* const slot = find(paddr, bytes);
    return slot != nullptr && slot->device->write(paddr - slot->base, bytes, value);
}
bool Bus::executable(u64 paddr) const {
    const Slot* const slot = find(paddr, 1);
    return slot != nullptr && slot->device->executable();
}
const u8* Bus::fixed_page(u64 paddr) const {
    const Slot* const slot = find(paddr, kFrameBytes);
    return slot == nullptr || (paddr - slot->base) % kFrameBytes != 0
               ? nullptr
               : slot->device->fixed_page(paddr - slot->base);
}
}  // namespace hartline
