// The driver's side of virtio over MMIO, for tests: negotiates, builds rings in a Ram, collects what was
// used.
#pragma once
#include <array>
#include <optional>
#include <vector>

#include "tests/devices/fake_port.hpp"

namespace hartline::test {

struct VirtioDriver {
    enum : u64 {
        kDeviceFeatures = 0x10,
        kDeviceFeaturesSel = 0x14,
        kDriverFeatures = 0x20,
        kDriverFeaturesSel = 0x24,
        kQueueSel = 0x30,
        kQueueNumMax = 0x34,
        kQueueNum = 0x38,
        kQueueReady = 0x44,
        kNotify = 0x50,
        kInterruptStatus = 0x60,
        kInterruptAck = 0x64,
        kStatus = 0x70,
        kDesc = 0x80,
        kDriver = 0x90,
        kDevice = 0xa0,
        kConfig = 0x100,
    };
    static constexpr u64 kIndirect = u64{1} << 28, kEventIdx = u64{1} << 29, kVersion1 = u64{1} << 32;
    static constexpr u32 kNeedsReset = 0x40;
    struct Descriptor {
        u64 address;
        u32 length;
        u16 flags, next;
    };
    static constexpr u16 kNext = 1, kWrite = 2, kIndirectFlag = 4;
    struct Buffer {
        u64 address;
        u32 length;
        bool writable = false;
    };
    struct Used {
        u32 id, length;
    };
    struct Ring {
        u64 desc, avail, used;
        u16 size;
        u16 next_desc = 0, avail_index = 0, used_index = 0;
    };

    FakePort& port;
    Device& device;
    std::array<Ring, 8> rings{};
    u64 free = 0x8010'0000;  // of RAM, by alloc()

    VirtioDriver(FakePort& p, Device& d) : port(p), device(d) {}

    u32 reg(u64 offset) { return static_cast<u32>(get(device, offset)); }
    void reg(u64 offset, u32 value) { put(device, offset, value); }
    u64 alloc(u64 bytes) {
        const u64 at = free;
        free += (bytes + 63) / 64 * 64;
        return at;
    }
    template <class T>
    T load(u64 at) {
        T value{};
        if (!port.ram.read(at, value)) throw std::runtime_error("driver: load outside of RAM");
        return value;
    }
    template <class T>
    void store(u64 at, T value) {
        if (!port.ram.write(at, value)) throw std::runtime_error("driver: store outside of RAM");
    }

    u64 offered() {
        reg(kDeviceFeaturesSel, 1);
        const u64 high = reg(kDeviceFeatures);
        reg(kDeviceFeaturesSel, 0);
        return high << 32 | reg(kDeviceFeatures);
    }
    // false: FEATURES_OK did not stick.
    bool negotiate(u64 features) {
        reg(kStatus, 0);
        reg(kStatus, 1);
        reg(kStatus, 3);
        reg(kDriverFeaturesSel, 0);
        reg(kDriverFeatures, static_cast<u32>(features));
        reg(kDriverFeaturesSel, 1);
        reg(kDriverFeatures, static_cast<u32>(features >> 32));
        reg(kStatus, 11);
        return (reg(kStatus) & 8) != 0;
    }
    void write64(u64 offset, u64 value) {
        reg(offset, static_cast<u32>(value));
        reg(offset + 4, static_cast<u32>(value >> 32));
    }
    void set_up(u32 number, u16 size) {
        Ring& ring = rings[number];
        ring = {alloc(16u * size), alloc(6u + 2u * size), alloc(6u + 8u * size), size};
        const std::vector<u8> zeroes(free - ring.desc);
        if (!port.ram.write(ring.desc, zeroes)) throw std::runtime_error("driver: out of RAM");
        reg(kQueueSel, number);
        reg(kQueueNum, size);
        write64(kDesc, ring.desc);
        write64(kDriver, ring.avail);
        write64(kDevice, ring.used);
        reg(kQueueReady, 1);
    }
    void run() { reg(kStatus, 15); }
    // The usual start: everything offered (but `without`), queues of `size`.
    void start(u16 size, unsigned queues = 1, u64 without = kEventIdx) {
        if (!negotiate(offered() & ~without)) throw std::runtime_error("driver: features refused");
        for (u32 number = 0; number < queues; ++number) set_up(number, size);
        run();
    }
    bool broken() { return (reg(kStatus) & kNeedsReset) != 0; }

    void set_descriptor(u32 number, u16 index, Descriptor descriptor) {
        store(rings[number].desc + 16u * index, descriptor);
    }
    // Makes `head` available, without a notification.
    void offer(u32 number, u16 head) {
        Ring& ring = rings[number];
        store(ring.avail + 4 + 2u * (ring.avail_index % ring.size), head);
        store(ring.avail + 2, ++ring.avail_index);
    }
    static std::vector<Descriptor> chain_of(const std::vector<Buffer>& buffers, u16 first) {
        std::vector<Descriptor> chain;
        for (const Buffer& buffer : buffers)
            chain.push_back({buffer.address, buffer.length,
                             static_cast<u16>(kNext | (buffer.writable ? kWrite : 0)), ++first});
        chain.back().flags &= static_cast<u16>(~kNext);
        return chain;
    }
    u16 submit(u32 number, const std::vector<Buffer>& buffers) {
        Ring& ring = rings[number];
        const u16 head = ring.next_desc % ring.size;
        const auto chain = chain_of(buffers, head);
        if (head + chain.size() > ring.size) {
            ring.next_desc = 0;
            return submit(number, buffers);
        }
        for (const Descriptor& descriptor : chain)
            set_descriptor(number, ring.next_desc++ % ring.size, descriptor);
        offer(number, head);
        return head;
    }
    u16 submit_indirect(u32 number, const std::vector<Buffer>& buffers) {
        Ring& ring = rings[number];
        const auto chain = chain_of(buffers, 0);
        const u64 table = alloc(16 * chain.size());
        for (std::size_t i = 0; i < chain.size(); ++i) store(table + 16 * i, chain[i]);
        const u16 head = ring.next_desc++ % ring.size;
        set_descriptor(number, head, {table, static_cast<u32>(16 * chain.size()), kIndirectFlag, 0});
        offer(number, head);
        return head;
    }
    void kick(u32 number = 0) { reg(kNotify, number); }
    std::optional<Used> collect(u32 number = 0) {
        Ring& ring = rings[number];
        if (load<u16>(ring.used + 2) == ring.used_index) return {};
        return load<Used>(ring.used + 4 + 8u * (ring.used_index++ % ring.size));
    }
    bool acknowledge() {  // was there an interrupt?
        const u32 status = reg(kInterruptStatus);
        reg(kInterruptAck, status);
        return status != 0;
    }
    u16 avail_event(u32 number = 0) { return load<u16>(rings[number].used + 4 + 8u * rings[number].size); }
    void set_used_event(u16 value, u32 number = 0) {
        store(rings[number].avail + 4 + 2u * rings[number].size, value);
    }
};
}  // namespace hartline::test
