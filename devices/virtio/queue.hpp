// Split virtqueue, the device's side: takes chains of descriptors, gives them back used.
//
// A ring is guest memory and hostile: each descriptor is read once, a walk is bounded, and every address is
// checked against RAM before anybody sees it.
#pragma once
#include <span>
#include <vector>

#include "core/archive.hpp"
#include "core/ram.hpp"
#include "core/types.hpp"

namespace hartline::virtio {

// A piece of guest memory, known to lie in RAM.
struct Segment {
    u64 address = 0;
    u32 bytes = 0;
};

// What a driver asks for in one go.
struct Chain {
    u16 head = 0;
    std::vector<Segment> readable, writable;  // by the device
    u64 readable_bytes = 0, writable_bytes = 0;
};

// Copies between a host buffer and bytes [offset, offset + size) of a list of segments, as far as the list
// goes. Returns how many bytes were copied.
u64 copy_in(Ram& ram, std::span<const Segment> from, u64 offset, std::span<u8> to);
u64 copy_out(Ram& ram, std::span<const Segment> to, u64 offset, std::span<const u8> from);

// Which parts of the ring's protocol were agreed on.
struct RingFeatures {
    bool indirect = false;
    bool event_index = false;
};

class Queue {
public:
    static constexpr u32 kMostSize = 1024;  // of any queue, and of an indirect table

    explicit Queue(u32 most) : most_(most) { reset(); }

    // --- as the transport sets it up
    u32 most() const { return most_; }
    u32 size() const { return s_.size; }
    bool ready() const { return s_.ready; }
    enum class Area : u8 { Descriptors, Driver, Device };
    void set_size(u32 size);
    u64 address(Area area) const;
    void set_address_half(Area area, bool high, u32 value);
    bool start(Ram& ram);  // false: it cannot be where it was put
    void reset();

    // --- as the device uses it
    enum class Taken : u8 { Empty, Chain, Broken };
    Taken take(Ram& ram, RingFeatures features, Chain& chain);
    // The last `chains` that were taken, and not given, are available again.
    void untake(u16 chains) { s_.next_available = static_cast<u16>(s_.next_available - chains); }
    // Gives `head` back with `written` bytes in its writable part. false: the ring is broken.
    bool give(Ram& ram, u16 head, u32 written);
    // Has anything been given since the last call, and does the driver want to hear of it?
    bool wants_interrupt(Ram& ram, RingFeatures features);

    void describe(Archive& archive);

private:
    bool available(Ram& ram, u16& count) const;
    struct Table {
        u64 address;
        u32 entries;
    };
    static bool walk(Ram& ram, Table table, u32 first, RingFeatures features, Chain& chain);

    struct State {
        u64 descriptors = 0, driver = 0, device = 0;
        u32 size = 0;
        bool ready = false;
        u16 next_available = 0;  // the device's own positions in the rings, free running
        u16 next_used = 0;
        u16 signalled = 0;  // next_used when wants_interrupt() was last asked
    } s_;
    static_assert(sizeof(State) == 40, "Queue::State changed: extend describe()");
    u32 most_;
};
}  // namespace hartline::virtio
