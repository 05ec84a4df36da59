// The configuration space of a type 0 function: header, base address registers, capabilities.
//
// References are to "PCI-Compatible Configuration Registers" of the PCI Express Base specification.
#pragma once
#include <array>
#include <optional>
#include <span>

#include "core/archive.hpp"
#include "devices/pci/bus.hpp"

namespace hartline::pci {

struct PciIdentity {
    u16 vendor = 0, device = 0;
    u16 subsystem_vendor = 0, subsystem = 0;
    u32 class_code = 0;  // base class, subclass, programming interface, from the high byte down
    u8 revision = 0;
    bool interrupt = true;  // has it a pin, INTA?
};

// What a base address register decodes.
struct BarKind {
    u64 bytes = 0;  // a power of two, 16 or more; 0: the register is absent
    Space space = Space::Memory;
    bool wide = false;  // a 64-bit address, which takes the next register too
    bool prefetchable = false;
};

class ConfigSpace {
public:
    static constexpr u32 kBytes = 256;  // what is beyond is empty: no extended capabilities
    static constexpr unsigned kBars = 6;

    explicit ConfigSpace(const PciIdentity& identity);

    // --- building
    void set_bar(unsigned number, const BarKind& kind);
    // Appends a capability. `body` follows its id and next pointer; `writable` has a mask a byte of it
    // (shorter: the rest is read-only). Returns its offset. Throws std::length_error: there is no room.
    u32 add_capability(u8 id, std::span<const u8> body, std::span<const u8> writable = {});
    u32 add_express_capability();  // of a root complex integrated endpoint

    // --- as the bus has it: 1, 2 or 4 bytes, aligned, offset < 4096
    u32 read(u32 offset, unsigned bytes) const;
    void write(u32 offset, unsigned bytes, u32 value);

    // --- as its function has it
    struct Hit {
        unsigned bar;
        u64 offset;
    };
    // The base address register that [address, address + bytes) lies in, if it is enabled.
    std::optional<Hit> find(Space space, u64 address, unsigned bytes) const;
    u64 bar_bytes(unsigned bar) const { return bar < kBars ? bars_[bar].bytes : 0; }
    bool bus_master() const;
    bool pin_disabled() const;
    void show_interrupt(bool pending);  // the status register's bit
    u32 get(u32 offset, unsigned bytes) const { return read(offset, bytes); }

    void reset() { s_ = initial_; }
    void describe(Archive& archive);

private:
    void set(u32 offset, unsigned bytes, u32 value);
    void set_initial(u32 offset, unsigned bytes, u32 value, u32 writable = 0);
    u64 bar_address(unsigned number) const;

    struct State {
        std::array<u8, kBytes> bytes{};
    } s_;
    static_assert(sizeof(State) == kBytes, "ConfigSpace::State changed: extend describe()");
    State initial_;
    std::array<u8, kBytes> writable_{};
    std::array<BarKind, kBars> bars_{};
    u32 last_link_, free_;  // where the next capability is linked from, and put
};
}  // namespace hartline::pci
