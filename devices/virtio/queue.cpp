// Split virtqueue: walking chains, publishing what was used, event indices.
//
// References are to "Split Virtqueues" of virtio 1.2. A ring's memory is shared with harts, which run on
// threads of their own in a parallel machine: hence the fences.
#include "devices/virtio/queue.hpp"

#include <algorithm>
#include <atomic>
#include <bit>

namespace hartline::virtio {
namespace {
struct Descriptor {
    u64 address;
    u32 length;
    u16 flags;
    u16 next;
};
static_assert(sizeof(Descriptor) == 16);
constexpr u16 kNext = 1, kWrite = 2, kIndirect = 4;

constexpr u16 kNoInterrupt = 1;           // in the flags of the available ring
constexpr u64 kIndexAt = 2, kRingAt = 4;  // in both rings
constexpr u64 kAvailableEntry = 2, kUsedEntry = 8;
struct UsedElement {
    u32 id;
    u32 length;
};

// "Used Buffer Notification Suppression": has `index` passed `event` between `before` and now? Modulo 2^16.
bool passed(u16 event, u16 index, u16 before) {
    return static_cast<u16>(index - event - 1) < static_cast<u16>(index - before);
}

template <class Copy>
u64 for_each_piece(std::span<const Segment> segments, u64 offset, u64 bytes, const Copy& copy) {
    u64 done = 0;
    for (const Segment& segment : segments) {
        if (done == bytes) break;
        if (offset >= segment.bytes) {
            offset -= segment.bytes;
            continue;
        }
        const u64 piece = std::min(segment.bytes - offset, bytes - done);
        if (!copy(segment.address + offset, done, piece)) break;
        done += piece;
        offset = 0;
    }
    return done;
}
}  // namespace

u64 copy_in(Ram& ram, std::span<const Segment> from, u64 offset, std::span<u8> to) {
    return for_each_piece(from, offset, to.size(), [&](u64 paddr, u64 at, u64 bytes) {
        return ram.read(paddr, to.subspan(at, bytes));
    });
}
u64 copy_out(Ram& ram, std::span<const Segment> to, u64 offset, std::span<const u8> from) {
    return for_each_piece(to, offset, from.size(), [&](u64 paddr, u64 at, u64 bytes) {
        return ram.write(paddr, from.subspan(at, bytes));
    });
}

void Queue::reset() {
    s_ = State{};
    s_.size = most_;
}

void Queue::set_size(u32 size) {
    if (!s_.ready && std::has_single_bit(size) && size <= most_) s_.size = size;
}

u64 Queue::address(Area area) const {
    return area == Area::Descriptors ? s_.descriptors : area == Area::Driver ? s_.driver : s_.device;
}

void Queue::set_address_half(Area area, bool high, u32 value) {
    if (s_.ready) return;
    u64& address = area == Area::Descriptors ? s_.descriptors : area == Area::Driver ? s_.driver : s_.device;
    address = high ? merge(address, ~u64{0xffff'ffff}, u64{value} << 32) : merge(address, 0xffff'ffff, value);
}

bool Queue::start(Ram& ram) {
    if (!ram.contains(s_.descriptors, u64{s_.size} * sizeof(Descriptor)) ||
        !ram.contains(s_.driver, kRingAt + s_.size * kAvailableEntry + 2) ||
        !ram.contains(s_.device, kRingAt + s_.size * kUsedEntry + 2))
        return false;
    s_.ready = true;
    return true;
}

// How many chains the driver has made available. false: more than there can be.
bool Queue::available(Ram& ram, u16& count) const {
    u16 index = 0;
    if (!ram.read(s_.driver + kIndexAt, index)) return false;
    std::atomic_thread_fence(std::memory_order_acquire);
    count = static_cast<u16>(index - s_.next_available);
    return count <= s_.size;
}

Queue::Taken Queue::take(Ram& ram, RingFeatures features, Chain& chain) {
    u16 count = 0;
    if (!available(ram, count)) return Taken::Broken;
    if (count == 0 && features.event_index) {
        // "Tell me of the next one"; then look again, for it may have come in between.
        if (!ram.write(s_.device + kRingAt + s_.size * kUsedEntry, s_.next_available)) return Taken::Broken;
        std::atomic_thread_fence(std::memory_order_seq_cst);
        if (!available(ram, count)) return Taken::Broken;
    }
    if (count == 0) return Taken::Empty;
    u16 head = 0;
    const u64 slot = s_.next_available % s_.size;
    if (!ram.read(s_.driver + kRingAt + slot * kAvailableEntry, head) || head >= s_.size)
        return Taken::Broken;
    ++s_.next_available;
    chain = Chain{};
    chain.head = head;
    return walk(ram, {s_.descriptors, s_.size}, head, features, chain) ? Taken::Chain : Taken::Broken;
}

// "The Virtqueue Descriptor Table": what the device can read comes before what it can write; an indirect
// table ends its chain and holds no indirect descriptor. A chain is no longer than its table, so a loop is
// noticed.
bool Queue::walk(Ram& ram, Table table, u32 first, RingFeatures features, Chain& chain) {
    u32 at = first;
    for (u32 steps = 0; steps < table.entries && at < table.entries; ++steps) {
        Descriptor descriptor{};
        if (!ram.read(table.address + u64{at} * sizeof descriptor, descriptor)) return false;
        if ((descriptor.flags & kIndirect) != 0) {
            const u32 inner = descriptor.length / u32{sizeof descriptor};
            if (!features.indirect || (descriptor.flags & kNext) != 0 || inner == 0 || inner > kMostSize ||
                descriptor.length % sizeof descriptor != 0 ||
                !ram.contains(descriptor.address, descriptor.length))
                return false;
            features.indirect = false;
            return walk(ram, {descriptor.address, inner}, 0, features, chain);
        }
        const bool writable = (descriptor.flags & kWrite) != 0;
        if (!writable && !chain.writable.empty()) return false;
        if (descriptor.length != 0) {
            if (!ram.contains(descriptor.address, descriptor.length)) return false;
            (writable ? chain.writable : chain.readable).push_back({descriptor.address, descriptor.length});
            (writable ? chain.writable_bytes : chain.readable_bytes) += descriptor.length;
        }
        if ((descriptor.flags & kNext) == 0) return true;
        at = descriptor.next;
    }
    return false;
}

bool Queue::give(Ram& ram, u16 head, u32 written) {
    const u64 slot = s_.next_used % s_.size;
    if (!ram.write(s_.device + kRingAt + slot * kUsedEntry, UsedElement{head, written})) return false;
    ++s_.next_used;
    std::atomic_thread_fence(std::memory_order_release);
    return ram.write(s_.device + kIndexAt, s_.next_used);
}

bool Queue::wants_interrupt(Ram& ram, RingFeatures features) {
    const u16 before = s_.signalled;
    if (s_.next_used == before) return false;
    s_.signalled = s_.next_used;
    std::atomic_thread_fence(std::memory_order_seq_cst);
    u16 word = 0;
    if (features.event_index)
        return !ram.read(s_.driver + kRingAt + s_.size * kAvailableEntry, word) ||
               passed(word, s_.next_used, before);
    return !ram.read(s_.driver, word) || (word & kNoInterrupt) == 0;
}

void Queue::describe(Archive& archive) {
    const Section section(archive, "queue");
    archive.field("descriptors", s_.descriptors);
    archive.field("driver", s_.driver);
    archive.field("device", s_.device);
    archive.field("size", s_.size);
    archive.field("ready", s_.ready);
    archive.field("next_available", s_.next_available);
    archive.field("next_used", s_.next_used);
    archive.field("signalled", s_.signalled);
    archive.require(std::has_single_bit(s_.size) && s_.size <= most_, "virtio.queue.size");
}
}  // namespace hartline::virtio
