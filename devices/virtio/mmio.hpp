// What every virtio device is: the MMIO transport (version 2), its queues, and hooks for the device's own
// part.
#pragma once
#include <initializer_list>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "core/device.hpp"
#include "devices/virtio/queue.hpp"

namespace hartline::virtio {

class MmioDevice : public Device {
public:
    struct Identity {
        std::string_view name;
        u32 id = 0;                              // "Device Types"
        u64 features = 0;                        // the device's own; the transport adds its
        std::initializer_list<u32> queue_sizes;  // the largest of each
    };

    std::string_view name() const final { return name_; }
    u64 size() const final { return 0x1000; }
    bool read(u64 offset, unsigned bytes, u64& value) final;
    bool write(u64 offset, unsigned bytes, u64 value) final;
    void on_event(u32 tag) final;
    void reset() final;
    void describe(Archive& archive) final;
    void describe_node(DeviceTree& tree, const NodePlace& place) const final;

protected:
    static constexpr u32 kOwnTags = 0x100;         // event tags below are the transport's
    static constexpr unsigned kChainsAKick = 128;  // work done at once; what is left waits for an event
    static constexpr u64 kBytesAKick = 4 << 20;

    MmioDevice(DevicePort& port, const Identity& identity);

    // --- the device's own part
    virtual std::span<const u8> config() const { return {}; }
    // The driver notified the queue, or it has work left. Called only while the device runs.
    virtual void serve(unsigned queue) = 0;
    // The driver took the queue back: nothing of it is in flight any more.
    virtual void forget(unsigned /*queue*/) {}
    virtual void on_due(u32 /*tag*/) {}
    virtual void reset_own() {}
    virtual void describe_own(Archive&) {}

    // --- what the device's own part works with
    DevicePort& port() { return port_; }
    bool running() const;
    bool accepted(unsigned feature) const { return bit(s_.driver_features, feature) != 0; }
    const Queue& queue(unsigned number) const { return queues_[number]; }
    // The next chain of a queue. false: none.
    bool take(unsigned number, Chain& chain);
    // Takes chains while there are any and `wants()`, and calls handle(chain), which returns the bytes it
    // moved.
    template <class Wants, class Handle>
    void drain(unsigned number, Wants&& wants, Handle&& handle);
    void give(unsigned number, u16 head, u64 written);
    // After gives: the interrupt, if the driver wants one.
    void signal(unsigned number);
    // The driver broke the rules so that nothing sensible can follow: DEVICE_NEEDS_RESET.
    void needs_reset();

private:
    u32 read_register(u64 offset) const;
    void write_register(u64 offset, u32 value);
    bool read_config(u64 offset, unsigned bytes, u64& value) const;
    Queue* selected();
    void set_driver_features(u32 value);
    void set_queue_ready(bool ready);
    void set_status(u32 value);
    void kick(u32 number);
    void reset_by_driver();
    void update_irq() { port_.set_irq(s_.interrupt != 0); }
    RingFeatures ring_features() const;
    void work_later(unsigned number);

    struct State {
        u64 driver_features = 0;
        u32 features_select = 0, driver_features_select = 0, queue_select = 0;
        u32 status = 0;
        u32 interrupt = 0;
        bool impossible_features = false;  // the driver accepted bits beyond 63
    } s_;
    static_assert(sizeof(State) == 32, "MmioDevice::State changed: extend describe()");
    std::vector<Queue> queues_;
    DevicePort& port_;
    std::string_view name_;
    u32 id_;
    u64 features_;
};

template <class Wants, class Handle>
void MmioDevice::drain(unsigned number, Wants&& wants, Handle&& handle) {
    u64 bytes = 0;
    for (unsigned chains = 0; running() && wants(); ++chains) {
        if (chains == kChainsAKick || bytes >= kBytesAKick) {
            work_later(number);
            break;
        }
        Chain chain;
        if (!take(number, chain)) break;
        bytes += handle(std::as_const(chain));
    }
    signal(number);
}
}  // namespace hartline::virtio
