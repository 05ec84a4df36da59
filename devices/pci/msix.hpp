// MSI-X: a table of messages, one of which is sent in place of an interrupt pin.
//
// References are to "MSI-X Capability and Table Structure" of the PCI Express Base specification.
#pragma once
#include <functional>
#include <vector>

#include "core/archive.hpp"

namespace hartline::pci {

class Msix {
public:
    static constexpr unsigned kMostVectors = 64;  // one word of pending bits
    static constexpr u64 kPendingAt = 0x800;      // in its region of 4 KiB; the table is at 0
    static constexpr u64 kRegionBytes = 0x1000;

    using Send = std::function<void(u64 address, u32 data)>;
    // `vectors`: 1 to kMostVectors. `send` is called from within the calls below.
    Msix(unsigned vectors, Send send);

    unsigned vectors() const { return static_cast<unsigned>(s_.table.size()); }
    // As Message Control says.
    void control(bool enabled, bool masked);
    bool enabled() const { return s_.enabled; }
    void raise(unsigned vector);

    // The table and the pending bits: of 4 and 8 bytes; others read 0 and write nothing.
    u64 read(u64 offset, unsigned bytes) const;
    void write(u64 offset, unsigned bytes, u64 value);

    void reset();
    void describe(Archive& archive);

private:
    u32 word(u64 offset) const;
    void set_word(u64 offset, u32 value);
    bool masked(unsigned vector) const;
    void send_pending();

    struct Entry {
        u32 address_low = 0, address_high = 0, data = 0, control = 1;  // masked
    };
    static_assert(sizeof(Entry) == 16, "Msix::Entry changed: extend describe()");
    struct State {
        u64 pending = 0;
        bool enabled = false, all_masked = false;
        std::vector<Entry> table;
    } s_;
    Send send_;
};
}  // namespace hartline::pci
