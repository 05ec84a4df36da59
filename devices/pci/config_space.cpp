// Header, sizing of base address registers, the list of capabilities.
#include "devices/pci/config_space.hpp"

#include <algorithm>
#include <stdexcept>

namespace hartline::pci {
namespace {
constexpr u32 kVendor = 0x00, kDevice = 0x02, kCommand = 0x04, kStatus = 0x06, kRevision = 0x08,
              kClass = 0x09, kCacheLine = 0x0c, kFirstBar = 0x10, kSubsystemVendor = 0x2c, kSubsystem = 0x2e,
              kCapabilities = 0x34, kInterruptLine = 0x3c, kInterruptPin = 0x3d, kFirstCapability = 0x40;
// "Command Register"
constexpr u32 kIoSpace = 1, kMemorySpace = 2, kBusMaster = 4, kParity = 0x40, kSystemError = 0x100,
              kPinDisable = 0x400;
constexpr u32 kCommandBits = kIoSpace | kMemorySpace | kBusMaster | kParity | kSystemError | kPinDisable;
// "Status Register"
constexpr u32 kInterruptPending = 8, kHasCapabilities = 0x10;
constexpr u32 kBarIo = 1, kBarWide = 4, kBarPrefetchable = 8;
constexpr u8 kExpress = 0x10;
}  // namespace

ConfigSpace::ConfigSpace(const PciIdentity& identity) : last_link_(kCapabilities), free_(kFirstCapability) {
    set_initial(kVendor, 2, identity.vendor);
    set_initial(kDevice, 2, identity.device);
    set_initial(kCommand, 2, 0, kCommandBits);
    set_initial(kRevision, 1, identity.revision);
    set_initial(kClass, 2, identity.class_code & 0xffff);
    set_initial(kClass + 2, 1, identity.class_code >> 16);
    set_initial(kCacheLine, 1, 0, 0xff);
    set_initial(kSubsystemVendor, 2, identity.subsystem_vendor);
    set_initial(kSubsystem, 2, identity.subsystem);
    set_initial(kInterruptLine, 1, 0, 0xff);
    set_initial(kInterruptPin, 1, identity.interrupt ? 1 : 0);
}

void ConfigSpace::set_initial(u32 offset, unsigned bytes, u32 value, u32 writable) {
    for (unsigned i = 0; i < bytes; ++i) {
        s_.bytes.at(offset + i) = static_cast<u8>(value >> (8 * i));
        writable_.at(offset + i) = static_cast<u8>(writable >> (8 * i));
    }
    initial_ = s_;
}

// "Base Address Registers": the bits below the size are wired, so that writing ones and reading back tells
// it.
void ConfigSpace::set_bar(unsigned number, const BarKind& kind) {
    bars_.at(number) = kind;
    const u64 mask = ~(kind.bytes - 1);
    const u32 type = kind.space == Space::Io
                         ? kBarIo
                         : (kind.wide ? kBarWide : 0) | (kind.prefetchable ? kBarPrefetchable : 0);
    set_initial(kFirstBar + 4 * number, 4, type, static_cast<u32>(mask));
    if (kind.wide) set_initial(kFirstBar + 4 * (number + 1), 4, 0, static_cast<u32>(mask >> 32));
}

u32 ConfigSpace::add_capability(u8 id, std::span<const u8> body, std::span<const u8> writable) {
    const u32 at = free_;
    if (body.size() + 2 > kBytes - at) throw std::length_error("no room for a PCI capability");
    set_initial(last_link_, 1, at);
    set_initial(at, 2, id);
    for (u32 i = 0; i < body.size(); ++i)
        set_initial(at + 2 + i, 1, body[i], i < writable.size() ? writable[i] : 0);
    set_initial(kStatus, 2, kHasCapabilities);
    last_link_ = at + 1;
    free_ = (at + 2 + static_cast<u32>(body.size()) + 3) & ~u32{3};
    return at;
}

// "PCI Express Capability Structure", version 2; no link, for the function is a part of the root complex.
u32 ConfigSpace::add_express_capability() {
    constexpr u8 kVersion = 2, kIntegratedEndpoint = 9;
    std::array<u8, 0x3a> body{}, writable{};
    body[0] = kVersion | kIntegratedEndpoint << 4;
    body[3] = 0x80;                          // of Device Capabilities: role-based error reporting
    writable[6] = 0x1f, writable[7] = 0x7f;  // Device Control, but for its reset of the function
    return add_capability(kExpress, body, writable);
}

u32 ConfigSpace::read(u32 offset, unsigned bytes) const {
    u32 value = 0;
    for (unsigned i = 0; i < bytes && offset + i < kBytes; ++i) value |= u32{s_.bytes[offset + i]} << (8 * i);
    return value;
}

void ConfigSpace::write(u32 offset, unsigned bytes, u32 value) {
    for (unsigned i = 0; i < bytes && offset + i < kBytes; ++i) {
        u8& byte = s_.bytes[offset + i];
        byte = static_cast<u8>(merge(byte, writable_[offset + i], value >> (8 * i)));
    }
}

void ConfigSpace::set(u32 offset, unsigned bytes, u32 value) {
    for (unsigned i = 0; i < bytes; ++i) s_.bytes[offset + i] = static_cast<u8>(value >> (8 * i));
}

u64 ConfigSpace::bar_address(unsigned number) const {
    const u64 low = read(kFirstBar + 4 * number, 4);
    const u64 high = bars_[number].wide ? read(kFirstBar + 4 * (number + 1), 4) : 0;
    return (high << 32 | low) & ~(bars_[number].bytes - 1);
}

std::optional<ConfigSpace::Hit> ConfigSpace::find(Space space, u64 address, unsigned bytes) const {
    if ((read(kCommand, 2) & (space == Space::Io ? kIoSpace : kMemorySpace)) == 0) return {};
    for (unsigned number = 0; number < kBars; ++number) {
        const BarKind& bar = bars_[number];
        if (bar.bytes == 0 || bar.space != space) continue;
        const u64 base = bar_address(number);
        if (address >= base && address - base < bar.bytes && bytes <= bar.bytes - (address - base))
            return Hit{number, address - base};
    }
    return {};
}

bool ConfigSpace::bus_master() const { return (read(kCommand, 2) & kBusMaster) != 0; }
bool ConfigSpace::pin_disabled() const { return (read(kCommand, 2) & kPinDisable) != 0; }

void ConfigSpace::show_interrupt(bool pending) {
    const u32 status = read(kStatus, 2) & ~kInterruptPending;
    set(kStatus, 2, pending ? status | kInterruptPending : status);
}

// What the guest cannot write is the function's own, and a snapshot must agree with it.
void ConfigSpace::describe(Archive& archive) {
    archive.field("config", s_.bytes);
    for (u32 at = 0; at < kBytes; ++at) {
        const u8 free = static_cast<u8>(writable_[at] | (at == kStatus ? kInterruptPending : 0));
        archive.require(((s_.bytes[at] ^ initial_.bytes[at]) & ~free) == 0, "pci.config");
    }
}
}  // namespace hartline::pci
