// The physical map of devices: overlap is refused, and a device sees an offset only.
#pragma once
#include <vector>

#include "core/device.hpp"

namespace hartline {

class Bus {
public:
    // Throws std::invalid_argument when [base, base + device.size()) meets another device.
    void attach(u64 base, Device& device);
    // false: nothing there, or the device refuses the access.
    bool read(u64 paddr, unsigned bytes, u64& value) const;
    bool write(u64 paddr, unsigned bytes, u64 value) const;
    bool executable(u64 paddr) const;
    const u8* fixed_page(u64 paddr) const;  // of an aligned page that lies in one device; null: see Device

private:
    struct Slot {
        u64 base, size;
        Device* device;
    };
    const Slot* find(u64 paddr, unsigned bytes) const;
    std::vector<Slot> slots_;  // sorted by base
};
}  // namespace hartline
