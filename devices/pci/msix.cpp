// The table, masks and pending bits of MSI-X.
#include "devices/pci/msix.hpp"

#include <algorithm>

namespace hartline::pci {
namespace {
constexpr u32 kMask = 1;  // of "Vector Control"
}

Msix::Msix(unsigned vectors, Send send) : send_(std::move(send)) {
    s_.table.resize(std::clamp(vectors, 1u, kMostVectors));
}

bool Msix::masked(unsigned vector) const { return s_.all_masked || (s_.table[vector].control & kMask) != 0; }

void Msix::control(bool enabled, bool masked) {
    s_.enabled = enabled;
    s_.all_masked = masked;
    if (!enabled) s_.pending = 0;
    send_pending();
}

void Msix::raise(unsigned vector) {
    if (!s_.enabled || vector >= vectors()) return;
    s_.pending |= u64{1} << vector;
    send_pending();
}

void Msix::send_pending() {
    for (unsigned vector = 0; vector < vectors(); ++vector) {
        if (bit(s_.pending, vector) == 0 || masked(vector)) continue;
        s_.pending &= ~(u64{1} << vector);
        const Entry& entry = s_.table[vector];
        send_(u64{entry.address_high} << 32 | entry.address_low, entry.data);
    }
}

u32 Msix::word(u64 offset) const {
    if (offset == kPendingAt) return static_cast<u32>(s_.pending);
    if (offset == kPendingAt + 4) return static_cast<u32>(s_.pending >> 32);
    const u64 vector = offset / sizeof(Entry);
    if (vector >= vectors()) return 0;
    const Entry& entry = s_.table[vector];
    switch (offset % sizeof(Entry)) {
        case 0: return entry.address_low;
        case 4: return entry.address_high;
        case 8: return entry.data;
        default: return entry.control;
    }
}

// A message is of 4 bytes, so its address is aligned to them. Pending bits are read-only.
void Msix::set_word(u64 offset, u32 value) {
    const u64 vector = offset / sizeof(Entry);
    if (vector >= vectors()) return;
    Entry& entry = s_.table[vector];
    switch (offset % sizeof(Entry)) {
        case 0: entry.address_low = value & ~u32{3}; break;
        case 4: entry.address_high = value; break;
        case 8: entry.data = value; break;
        default: entry.control = value & kMask; send_pending();
    }
}

u64 Msix::read(u64 offset, unsigned bytes) const {
    if (bytes == 4) return word(offset);
    return bytes == 8 ? word(offset) | u64{word(offset + 4)} << 32 : 0;
}

void Msix::write(u64 offset, unsigned bytes, u64 value) {
    if (bytes < 4) return;
    set_word(offset, static_cast<u32>(value));
    if (bytes == 8) set_word(offset + 4, static_cast<u32>(value >> 32));
}

void Msix::reset() {
    s_.pending = 0;
    s_.enabled = s_.all_masked = false;
    std::fill(s_.table.begin(), s_.table.end(), Entry{});
}

void Msix::describe(Archive& archive) {
    archive.field("pending", s_.pending);
    archive.field("enabled", s_.enabled);
    archive.field("all_masked", s_.all_masked);
    for (Entry& entry : s_.table) {
        archive.field("address_low", entry.address_low);
        archive.field("address_high", entry.address_high);
        archive.field("data", entry.data);
        archive.field("control", entry.control);
        archive.require(entry.address_low % 4 == 0 && entry.control <= kMask, "msix.entry");
    }
    archive.require(vectors() == 64 || s_.pending >> vectors() == 0, "msix.pending");
}
}  // namespace hartline::pci
