// What every virtio device is, however it is reached: negotiation, status, queues, and hooks for its own
// part.
//
// References are to "Basic Facilities of a Virtio Device" of virtio 1.2. A transport (mmio.hpp, pci.hpp) owns
// the device and turns registers into calls of it.
#pragma once
#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "core/device.hpp"
#include "devices/virtio/queue.hpp"

namespace hartline::virtio {

// How a device reaches its driver.
class Transport {
public:
    virtual ~Transport() = default;
    virtual void notify_used(unsigned queue) = 0;  // buffers of the queue were used
    virtual void notify_config() = 0;              // the configuration changed, or the device needs a reset
};

class VirtioDevice {
public:
    struct Identity {
        std::string_view name;
        u32 id = 0;                    // "Device Types"
        u64 features = 0;              // the device's own; those of rings are added
        std::vector<u32> queue_sizes;  // the largest of each
    };

    virtual ~VirtioDevice() = default;

    // --- as its transport drives it
    void connect(Transport& transport) { transport_ = &transport; }
    std::string_view name() const { return name_; }
    u32 id() const { return id_; }
    // Feature bits [32 * select, 32 * select + 31].
    u32 offered(u32 select) const { return select < 2 ? static_cast<u32>(features_ >> (32 * select)) : 0; }
    u32 accepted_word(u32 select) const {
        return select < 2 ? static_cast<u32>(s_.driver_features >> (32 * select)) : 0;
    }
    void accept(u32 select, u32 bits);
    u32 status() const { return s_.status; }
    void set_status(u32 value);  // 0: the driver resets the device
    unsigned queues() const { return static_cast<unsigned>(queues_.size()); }
    Queue* queue_or_null(u32 number) { return number < queues_.size() ? &queues_[number] : nullptr; }
    void set_queue_ready(u32 number, bool ready);
    void kick(u32 number);  // the driver notifies a queue
    // `bytes` of the configuration, zeroes where it ends.
    u64 read_config(u64 offset, unsigned bytes) const;
    virtual void write_config(u64 /*offset*/, unsigned /*bytes*/, u64 /*value*/) {}
    u32 config_generation() const { return s_.config_generation; }
    void on_event(u32 tag);
    void reset();
    void describe(Archive& archive);
    // Of its machine's side: see hartline::Device.
    virtual void input(std::span<const u8>) {}
    virtual std::size_t input_room() const { return 0; }

protected:
    static constexpr u32 kOwnTags = 0x100;         // event tags below are the queues'
    static constexpr unsigned kChainsAKick = 128;  // work done at once; what is left waits for an event
    static constexpr u64 kBytesAKick = 4 << 20;

    VirtioDevice(DevicePort& port, const Identity& identity);

    // --- the device's own part
    virtual std::span<const u8> config() const { return {}; }
    // The driver notified the queue, or it has work left. Called only while the device runs.
    virtual void serve(unsigned queue) = 0;
    // The driver took the queue back: nothing of it is in flight any more.
    virtual void forget(unsigned /*queue*/) {}
    virtual void on_due(u32 /*tag*/) {}
    virtual void reset_own() {}
    virtual void driver_reset_own() {}  // the driver resets the device; every queue is forgotten already
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
    // The last `chains` that take() brought go back to the queue, as if they had not been looked at.
    void untake(unsigned number, u16 chains) { queues_[number].untake(chains); }
    void give(unsigned number, u16 head, u64 written);
    // After gives: the interrupt, if the driver wants one.
    void signal(unsigned number);
    // serve() is called again soon: this was enough for one kick.
    void work_later(unsigned number);
    // What config() holds has changed.
    void config_changed();
    // The driver broke the rules so that nothing sensible can follow: DEVICE_NEEDS_RESET.
    void needs_reset();

private:
    void reset_by_driver();
    RingFeatures ring_features() const;

    struct State {
        u64 driver_features = 0;
        u32 status = 0;
        u32 config_generation = 0;
        bool impossible_features = false;  // the driver accepted bits beyond 63
    } s_;
    static_assert(sizeof(State) == 24, "VirtioDevice::State changed: extend describe()");
    std::vector<Queue> queues_;
    DevicePort& port_;
    Transport* transport_ = nullptr;
    std::string_view name_;
    u32 id_;
    u64 features_;
};

template <class Wants, class Handle>
void VirtioDevice::drain(unsigned number, Wants&& wants, Handle&& handle) {
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

namespace hartline {
// Makes a device for whichever transport it is to have.
using VirtioFactory = std::function<std::unique_ptr<virtio::VirtioDevice>(DevicePort&)>;
}  // namespace hartline
