// Feature negotiation, the status machine, and queues on behalf of a device.
#include "devices/virtio/device.hpp"

#include <algorithm>
#include <cstring>

namespace hartline::virtio {
namespace {
// "Device Status Field"
constexpr u32 kAcknowledge = 1, kDriver = 2, kDriverOk = 4, kFeaturesOk = 8, kNeedsReset = 64, kFailed = 128;
constexpr u32 kByDriver = kAcknowledge | kDriver | kDriverOk | kFeaturesOk | kFailed;

// "Reserved Feature Bits"
constexpr unsigned kIndirectDesc = 28, kEventIdx = 29, kVersion1 = 32;
constexpr u64 kRingFeatures = u64{1} << kIndirectDesc | u64{1} << kEventIdx | u64{1} << kVersion1;

constexpr u64 kLaterNs = 1000;  // until work that was too much for one kick goes on
}  // namespace

VirtioDevice::VirtioDevice(DevicePort& port, const Identity& identity)
    : queues_(identity.queue_sizes.begin(), identity.queue_sizes.end()),
      port_(port),
      name_(identity.name),
      id_(identity.id),
      features_(identity.features | kRingFeatures) {}

bool VirtioDevice::running() const { return (s_.status & (kDriverOk | kNeedsReset | kFailed)) == kDriverOk; }

RingFeatures VirtioDevice::ring_features() const {
    return {.indirect = accepted(kIndirectDesc), .event_index = accepted(kEventIdx)};
}

void VirtioDevice::accept(u32 select, u32 bits) {
    if ((s_.status & kFeaturesOk) != 0) return;
    if (select >= 2) {
        s_.impossible_features |= bits != 0;
        return;
    }
    const unsigned shift = 32 * select;
    s_.driver_features = merge(s_.driver_features, u64{0xffff'ffff} << shift, u64{bits} << shift);
}

void VirtioDevice::set_queue_ready(u32 number, bool ready) {
    Queue* const queue = queue_or_null(number);
    if (queue == nullptr || queue->ready() == ready) return;
    if (!ready) {
        queue->reset();
        port_.cancel(number);
        forget(number);
    } else if (!queue->start(port_.memory())) {
        needs_reset();
    }
}

// "Driver Requirements: Device Status Field": bits are only added; 0 resets. FEATURES_OK sticks only if every
// accepted bit was offered. VERSION_1 is not insisted on: xv6 drives a modern device without it.
void VirtioDevice::set_status(u32 value) {
    if (value == 0) return reset_by_driver();
    const u32 before = s_.status;
    u32 after = before | (value & kByDriver);
    const bool possible = (s_.driver_features & ~features_) == 0 && !s_.impossible_features;
    if ((before & kFeaturesOk) == 0 && !possible) after &= ~kFeaturesOk;
    if ((after & kFeaturesOk) == 0) after &= ~kDriverOk;
    s_.status = after;
    if ((before & kDriverOk) != 0 || !running()) return;
    for (u32 number = 0; number < queues_.size(); ++number) kick(number);
}

void VirtioDevice::kick(u32 number) {
    if (number < queues_.size() && queues_[number].ready() && running()) serve(number);
}

u64 VirtioDevice::read_config(u64 offset, unsigned bytes) const {
    const std::span<const u8> all = config();
    u64 value = 0;
    if (offset < all.size())
        std::memcpy(&value, all.data() + offset, std::min<u64>(bytes, all.size() - offset));
    return value;
}

// Whatever is in flight is forgotten: nothing of it reaches memory that the driver has taken back.
void VirtioDevice::reset_by_driver() {
    for (u32 number = 0; number < queues_.size(); ++number) {
        queues_[number].reset();
        port_.cancel(number);
        forget(number);
    }
    driver_reset_own();
    s_ = State{};
}

void VirtioDevice::config_changed() {
    ++s_.config_generation;
    if (running()) transport_->notify_config();
}

void VirtioDevice::needs_reset() {
    s_.status |= kNeedsReset;
    if ((s_.status & kDriverOk) != 0) transport_->notify_config();
}

bool VirtioDevice::take(unsigned number, Chain& chain) {
    if (!running() || !queues_[number].ready()) return false;
    const Queue::Taken taken = queues_[number].take(port_.memory(), ring_features(), chain);
    if (taken == Queue::Taken::Broken) needs_reset();
    return taken == Queue::Taken::Chain;
}

void VirtioDevice::give(unsigned number, u16 head, u64 written) {
    const auto reported = static_cast<u32>(std::min<u64>(written, ~u32{0}));
    if (!queues_[number].give(port_.memory(), head, reported)) needs_reset();
}

void VirtioDevice::signal(unsigned number) {
    if (!queues_[number].ready() || !queues_[number].wants_interrupt(port_.memory(), ring_features())) return;
    transport_->notify_used(number);
}

void VirtioDevice::work_later(unsigned number) { port_.schedule(port_.now() + kLaterNs, number); }

void VirtioDevice::on_event(u32 tag) {
    if (tag >= kOwnTags)
        on_due(tag);
    else
        kick(tag);
}

void VirtioDevice::reset() {
    s_ = State{};
    for (Queue& queue : queues_) queue.reset();
    reset_own();
}

void VirtioDevice::describe(Archive& archive) {
    archive.field("driver_features", s_.driver_features);
    archive.field("status", s_.status);
    archive.field("config_generation", s_.config_generation);
    archive.field("impossible_features", s_.impossible_features);
    archive.require((s_.status & ~(kByDriver | kNeedsReset)) == 0, "virtio.status");
    archive.require((s_.status & kDriverOk) == 0 || (s_.status & kFeaturesOk) != 0, "virtio.status");
    archive.require((s_.status & kFeaturesOk) == 0 || (s_.driver_features & ~features_) == 0,
                    "virtio.driver_features");
    for (Queue& queue : queues_) queue.describe(archive);
    describe_own(archive);
}
}  // namespace hartline::virtio
