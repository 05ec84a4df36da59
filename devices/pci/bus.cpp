// Routing of configuration, memory, I/O and interrupts.
#include "devices/pci/bus.hpp"

#include <stdexcept>
#include <string>

namespace hartline::pci {
namespace {
constexpr u64 ones(unsigned bytes) { return bytes >= 8 ? ~u64{0} : (u64{1} << (8 * bytes)) - 1; }
}  // namespace

void PciBus::add(unsigned slot, PciFunction& function) {
    if (slot >= kSlots || functions_[slot] != nullptr)
        throw std::invalid_argument("PCI slot " + std::to_string(slot) + " is not free");
    functions_[slot] = &function;
}

// pcie, "PCI Express Enhanced Configuration Access Mechanism": bus, device and function number above the 4
// KiB of a function. Only bus 0 is populated, with functions 0.
PciFunction* PciBus::of_offset(u64 offset) const {
    const u64 devfn = offset >> 12;
    return devfn < kSlots * 8 && devfn % 8 == 0 ? functions_[devfn / 8] : nullptr;
}

u64 PciBus::read_config(u64 offset, unsigned bytes) {
    PciFunction* const function = of_offset(offset);
    if (function == nullptr) return ones(bytes);
    const auto at = static_cast<u32>(offset % 4096);
    if (bytes < 8) return function->read_config(at, bytes);
    const u64 low = function->read_config(at, 4);
    return low | u64{function->read_config(at + 4, 4)} << 32;
}

void PciBus::write_config(u64 offset, unsigned bytes, u64 value) {
    PciFunction* const function = of_offset(offset);
    if (function == nullptr) return;
    const auto at = static_cast<u32>(offset % 4096);
    function->write_config(at, bytes < 8 ? bytes : 4, static_cast<u32>(value));
    if (bytes == 8) function->write_config(at + 4, 4, static_cast<u32>(value >> 32));
}

u64 PciBus::read(Space space, u64 address, unsigned bytes) {
    u64 value = 0;
    for (PciFunction* const function : functions_)
        if (function != nullptr && function->read(space, address, bytes, value)) return value;
    return ones(bytes);
}

void PciBus::write(Space space, u64 address, unsigned bytes, u64 value) {
    for (PciFunction* const function : functions_)
        if (function != nullptr && function->write(space, address, bytes, value)) return;
}

// pci, "Interrupt Routing", as the bridge's `interrupt-map` tells it: pins rotate with the device number.
void PciBus::set_pin(unsigned slot, unsigned pin, bool level) {
    if (slot >= kSlots || pin < 1 || pin > kLines) return;
    const unsigned line = (slot + pin - 1) % kLines;
    u32& asserted = s_.asserted[line];
    const u32 before = asserted, mask = u32{1} << slot;
    asserted = level ? before | mask : before & ~mask;
    if ((before != 0) != (asserted != 0) && lines_[line] != nullptr) lines_[line]->set_irq(asserted != 0);
}

void PciBus::send(u64 address, u32 data, Ram& ram) {
    if (msi_ != nullptr && msi_->deliver(address, data)) return;
    (void)ram.write(address, data);
}

void PciBus::describe(Archive& archive) { archive.field("asserted", s_.asserted); }
}  // namespace hartline::pci
