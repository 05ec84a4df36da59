// What a device is, and all that a device may see of its machine.
#pragma once
#include <functional>
#include <memory>
#include <span>
#include <string_view>

#include "core/archive.hpp"
#include "core/device_tree.hpp"
#include "core/ram.hpp"
#include "core/types.hpp"

namespace hartline {

// Why a machine stops for good, restarts, or pauses until somebody lets it go on.
struct StopRequest {
    enum class Kind : u8 { PowerOff, Reset, Pause };
    Kind kind = Kind::PowerOff;
    u32 code = 0;  // 0: success; else what the guest gave as its exit code
};

// The only way out of a device. Valid for the life of the device.
class DevicePort {
public:
    virtual ~DevicePort() = default;
    virtual u64 now() const = 0;  // virtual time, in nanoseconds
    // The device's own interrupt line into the machine's interrupt controller, as a level.
    virtual void set_irq(bool level) = 0;
    // An input line of a hart (numbered as the hart numbers them), as a level: for interrupt controllers.
    virtual void set_hart_line(unsigned hart, unsigned line, bool level) = 0;
    virtual unsigned harts() const = 0;
    // Calls on_event(tag) when virtual time reaches `when`; replaces an event with the same tag.
    virtual void schedule(u64 when, u32 tag) = 0;
    virtual void cancel(u32 tag) = 0;
    // Guest memory for DMA: RAM frames only, never the bus, so that no device is entered from another.
    virtual Ram& memory() = 0;
    virtual void request_stop(StopRequest request) = 0;
    // What the guest has made its timer differ from virtual time, in the timer's own units (modulo 2^64).
    // Harts show the same time as the timer does, so the machine keeps it for both.
    virtual u64 time_offset() const = 0;
    virtual void set_time_offset(u64 offset) = 0;
    // What Device::fixed_page() gave may be otherwise from the next instruction on (of other harts on
    // threads: soon).
    virtual void fixed_pages_changed() {}
};

// Where in the board a device sits, for its device-tree node.
struct NodePlace {
    u64 base = 0;
    u32 irq = 0;                         // source number at the interrupt controller; 0: none
    u32 controller_phandle = 0;          // of the interrupt controller (PLIC)
    std::span<const u32> hart_phandles;  // of each hart's own interrupt controller
};

class Device {
public:
    virtual ~Device() = default;
    virtual std::string_view name() const = 0;
    virtual u64 size() const = 0;  // bytes of address space; 0: not on the bus

    // An access of 1, 2, 4 or 8 bytes that lies wholly inside and is naturally aligned.
    // false: the device does not take this offset or size (an access fault).
    virtual bool read(u64 offset, unsigned bytes, u64& value) = 0;
    virtual bool write(u64 offset, unsigned bytes, u64 value) = 0;
    virtual bool executable() const { return false; }  // may harts fetch from it? (ROM)

    // The 4 KiB at `offset` (aligned, inside) where fetching from them is reading these bytes, so that harts
    // may keep what they make of them; null: ask read() each time.
    virtual const u8* fixed_page(u64 /*offset*/) const { return nullptr; }

    virtual void reset() = 0;  // to the state of a new device; its irq line is already low
    virtual void describe(Archive& archive) = 0;
    // A snapshot was loaded, and nothing of it was wrong: what is outside of the machine, and what outlives a
    // reset, may follow now and not before. Throws ArchiveError, and then has changed neither.
    virtual void loaded() {}
    virtual void describe_node(DeviceTree&, const NodePlace&) const {}

    virtual void on_event(u32 /*tag*/) {}
    // Bytes from outside (console input, …), delivered through the machine's journal door.
    virtual void input(std::span<const u8>) {}
    // How many bytes of input() the device takes now without loss.
    virtual std::size_t input_room() const { return 0; }
    // A source line of this interrupt controller changed its level.
    virtual void set_source(u32 /*irq*/, bool /*level*/) {}
    // RAM in a range that the device watches was written (see Ram::watch).
    virtual void watched_write(u64 /*paddr*/, unsigned /*bytes*/) {}
};

using DeviceFactory = std::function<std::unique_ptr<Device>(DevicePort&)>;

// Where a device's bytes for a person go (console output): not part of the machine's state.
class ByteSink {
public:
    virtual ~ByteSink() = default;
    virtual void write(std::span<const u8> bytes) = 0;
};
}  // namespace hartline
