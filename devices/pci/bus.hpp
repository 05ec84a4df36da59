// One PCI bus behind a host bridge: finds the function of an access, ORs interrupt pins, sends messages.
//
// References are to the PCI Local Bus and PCI Express Base specifications, by title of the section.
#pragma once
#include <array>
#include <memory>

#include "core/device.hpp"

namespace hartline::pci {

enum class Space : u8 { Memory, Io };

// What the bus sees of a function. Accesses are of 1, 2 or 4 bytes and naturally aligned, in memory of 8 too.
class PciFunction {
public:
    virtual ~PciFunction() = default;
    // Of its configuration space: offset < 4096.
    virtual u32 read_config(u32 offset, unsigned bytes) = 0;
    virtual void write_config(u32 offset, unsigned bytes, u32 value) = 0;
    // false: the address is in none of its mapped base address registers.
    virtual bool read(Space space, u64 address, unsigned bytes, u64& value) = 0;
    virtual bool write(Space space, u64 address, unsigned bytes, u64 value) = 0;
};

// Takes message-signalled interrupts: a controller at an address of its own.
class MsiTarget {
public:
    virtual ~MsiTarget() = default;
    virtual bool deliver(u64 address, u32 data) = 0;  // false: the address is not the target's
};

class PciBus {
public:
    static constexpr unsigned kSlots = 32;  // a function each; slot 0 has the host bridge
    static constexpr unsigned kLines = 4;   // INTA to INTD, as they reach the interrupt controller

    // --- building. Throws std::invalid_argument for a slot that is taken or does not exist.
    void add(unsigned slot, PciFunction& function);
    // The port whose interrupt is that of a line, 0 to kLines - 1.
    void set_line(unsigned line, DevicePort& port) { lines_.at(line) = &port; }
    void set_msi_target(MsiTarget& target) { msi_ = &target; }

    // --- as the host bridge has it. What nobody answers reads as ones, and a write of it is lost.
    u64 read_config(u64 offset, unsigned bytes);  // offset: of the enhanced configuration access mechanism
    void write_config(u64 offset, unsigned bytes, u64 value);
    u64 read(Space space, u64 address, unsigned bytes);
    void write(Space space, u64 address, unsigned bytes, u64 value);

    // --- as functions have it
    // The level of a function's pin: 1 (INTA) to 4.
    void set_pin(unsigned slot, unsigned pin, bool level);
    // A message goes to the interrupt controller or to RAM, never to a device.
    void send(u64 address, u32 data, Ram& ram);

    void reset() { s_ = State{}; }
    void describe(Archive& archive);

private:
    PciFunction* of_offset(u64 offset) const;

    struct State {
        std::array<u32, kLines> asserted{};  // by which slots
    } s_;
    static_assert(sizeof(State) == 16, "PciBus::State changed: extend describe()");
    std::array<PciFunction*, kSlots> functions_{};
    std::array<DevicePort*, kLines> lines_{};
    MsiTarget* msi_ = nullptr;
};

// Where on a root bus a function sits.
struct PciSlot {
    std::shared_ptr<PciBus> bus;
    unsigned number = 0;  // 0 to PciBus::kSlots - 1
};
}  // namespace hartline::pci
