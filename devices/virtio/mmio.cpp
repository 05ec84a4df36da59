// Virtio over MMIO: registers, feature negotiation, the status machine, interrupts.
//
// References are to "Virtio Over MMIO" and "Basic Facilities of a Virtio Device" of virtio 1.2.
#include "devices/virtio/mmio.hpp"

#include <algorithm>
#include <cstring>

#include "devices/node_name.hpp"

namespace hartline::virtio {
namespace {
enum Register : u64 {
    kMagic = 0x000,
    kVersion = 0x004,
    kDeviceId = 0x008,
    kVendorId = 0x00c,
    kDeviceFeatures = 0x010,
    kDeviceFeaturesSel = 0x014,
    kDriverFeatures = 0x020,
    kDriverFeaturesSel = 0x024,
    kQueueSel = 0x030,
    kQueueNumMax = 0x034,
    kQueueNum = 0x038,
    kQueueReady = 0x044,
    kQueueNotify = 0x050,
    kInterruptStatus = 0x060,
    kInterruptAck = 0x064,
    kStatus = 0x070,
    kQueueDescLow = 0x080,
    kQueueDescHigh = 0x084,
    kQueueDriverLow = 0x090,
    kQueueDriverHigh = 0x094,
    kQueueDeviceLow = 0x0a0,
    kQueueDeviceHigh = 0x0a4,
    kShmLenLow = 0x0b0,
    kShmBaseHigh = 0x0bc,
    kConfigGeneration = 0x0fc,
    kConfig = 0x100,
};
constexpr u32 kMagicValue = 0x7472'6976;  // "virt"
constexpr u32 kModern = 2;
constexpr u32 kQemu = 0x554d'4551;  // xv6 looks for QEMU's vendor id

constexpr u32 kAcknowledge = 1, kDriver = 2, kDriverOk = 4, kFeaturesOk = 8, kNeedsReset = 64, kFailed = 128;
constexpr u32 kByDriver = kAcknowledge | kDriver | kDriverOk | kFeaturesOk | kFailed;

constexpr u32 kUsedBuffer = 1, kConfigChange = 2;  // of the interrupt status

constexpr unsigned kIndirectDesc = 28, kEventIdx = 29, kVersion1 = 32;
constexpr u64 kTransportFeatures = u64{1} << kIndirectDesc | u64{1} << kEventIdx | u64{1} << kVersion1;

constexpr u64 kLaterNs = 1000;  // until work that was too much for one kick goes on
}  // namespace

MmioDevice::MmioDevice(DevicePort& port, const Identity& identity)
    : queues_(identity.queue_sizes.begin(), identity.queue_sizes.end()),
      port_(port),
      name_(identity.name),
      id_(identity.id),
      features_(identity.features | kTransportFeatures) {}

bool MmioDevice::running() const { return (s_.status & (kDriverOk | kNeedsReset | kFailed)) == kDriverOk; }

RingFeatures MmioDevice::ring_features() const {
    return {.indirect = accepted(kIndirectDesc), .event_index = accepted(kEventIdx)};
}

Queue* MmioDevice::selected() {
    return s_.queue_select < queues_.size() ? &queues_[s_.queue_select] : nullptr;
}

bool MmioDevice::read(u64 offset, unsigned bytes, u64& value) {
    if (offset >= kConfig) return read_config(offset - kConfig, bytes, value);
    if (bytes != 4) return false;
    value = read_register(offset);
    return true;
}

bool MmioDevice::write(u64 offset, unsigned bytes, u64 value) {
    if (offset >= kConfig) return true;  // no device here has a field that a driver can write
    if (bytes != 4) return false;
    write_register(offset, static_cast<u32>(value));
    return true;
}

bool MmioDevice::read_config(u64 offset, unsigned bytes, u64& value) const {
    const std::span<const u8> all = config();
    value = 0;
    if (offset < all.size())
        std::memcpy(&value, all.data() + offset, std::min<u64>(bytes, all.size() - offset));
    return true;
}

u32 MmioDevice::read_register(u64 offset) const {
    const Queue* const queue = s_.queue_select < queues_.size() ? &queues_[s_.queue_select] : nullptr;
    switch (offset) {
        case kMagic: return kMagicValue;
        case kVersion: return kModern;
        case kDeviceId: return id_;
        case kVendorId: return kQemu;
        case kDeviceFeatures:
            return s_.features_select < 2 ? static_cast<u32>(features_ >> (32 * s_.features_select)) : 0;
        case kQueueNumMax: return queue != nullptr ? queue->most() : 0;
        case kQueueReady: return queue != nullptr && queue->ready() ? 1 : 0;
        case kInterruptStatus: return s_.interrupt;
        case kStatus: return s_.status;
        case kConfigGeneration: return 0;  // no device here changes its configuration
        default:
            return offset >= kShmLenLow && offset <= kShmBaseHigh ? ~u32{0} : 0;  // no shared memory regions
    }
}

void MmioDevice::write_register(u64 offset, u32 value) {
    Queue* const queue = selected();
    const auto address = [&](Queue::Area area, bool high) {
        if (queue != nullptr) queue->set_address_half(area, high, value);
    };
    switch (offset) {
        case kDeviceFeaturesSel: s_.features_select = value; break;
        case kDriverFeatures: set_driver_features(value); break;
        case kDriverFeaturesSel: s_.driver_features_select = value; break;
        case kQueueSel: s_.queue_select = value; break;
        case kQueueNum:
            if (queue != nullptr) queue->set_size(value);
            break;
        case kQueueReady: set_queue_ready(bit(value, 0) != 0); break;
        case kQueueNotify: kick(value); break;
        case kInterruptAck:
            s_.interrupt &= ~value;
            update_irq();
            break;
        case kStatus: set_status(value); break;
        case kQueueDescLow: address(Queue::Area::Descriptors, false); break;
        case kQueueDescHigh: address(Queue::Area::Descriptors, true); break;
        case kQueueDriverLow: address(Queue::Area::Driver, false); break;
        case kQueueDriverHigh: address(Queue::Area::Driver, true); break;
        case kQueueDeviceLow: address(Queue::Area::Device, false); break;
        case kQueueDeviceHigh: address(Queue::Area::Device, true); break;
        default: break;
    }
}

void MmioDevice::set_driver_features(u32 value) {
    if ((s_.status & kFeaturesOk) != 0) return;
    if (s_.driver_features_select >= 2) {
        s_.impossible_features |= value != 0;
        return;
    }
    const unsigned shift = 32 * s_.driver_features_select;
    s_.driver_features = merge(s_.driver_features, u64{0xffff'ffff} << shift, u64{value} << shift);
}

void MmioDevice::set_queue_ready(bool ready) {
    Queue* const queue = selected();
    if (queue == nullptr || queue->ready() == ready) return;
    if (!ready) {
        queue->reset();
        port_.cancel(s_.queue_select);
        forget(s_.queue_select);
    } else if (!queue->start(port_.memory())) {
        needs_reset();
    }
}

// "Driver Requirements: Device Status Field": bits are only added; 0 resets. FEATURES_OK sticks only if every
// accepted bit was offered. VERSION_1 is not insisted on: xv6 drives a modern device without it.
void MmioDevice::set_status(u32 value) {
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

void MmioDevice::kick(u32 number) {
    if (number < queues_.size() && queues_[number].ready() && running()) serve(number);
}

// Whatever is in flight is forgotten: nothing of it reaches memory that the driver has taken back.
void MmioDevice::reset_by_driver() {
    for (u32 number = 0; number < queues_.size(); ++number) {
        queues_[number].reset();
        port_.cancel(number);
        forget(number);
    }
    s_ = State{};
    update_irq();
}

void MmioDevice::needs_reset() {
    s_.status |= kNeedsReset;
    if ((s_.status & kDriverOk) != 0) s_.interrupt |= kConfigChange;
    update_irq();
}

bool MmioDevice::take(unsigned number, Chain& chain) {
    if (!running() || !queues_[number].ready()) return false;
    const Queue::Taken taken = queues_[number].take(port_.memory(), ring_features(), chain);
    if (taken == Queue::Taken::Broken) needs_reset();
    return taken == Queue::Taken::Chain;
}

void MmioDevice::give(unsigned number, u16 head, u64 written) {
    const auto reported = static_cast<u32>(std::min<u64>(written, ~u32{0}));
    if (!queues_[number].give(port_.memory(), head, reported)) needs_reset();
}

void MmioDevice::signal(unsigned number) {
    if (!queues_[number].ready() || !queues_[number].wants_interrupt(port_.memory(), ring_features())) return;
    s_.interrupt |= kUsedBuffer;
    update_irq();
}

void MmioDevice::work_later(unsigned number) { port_.schedule(port_.now() + kLaterNs, number); }

void MmioDevice::on_event(u32 tag) {
    if (tag >= kOwnTags)
        on_due(tag);
    else
        kick(tag);
}

void MmioDevice::reset() {
    s_ = State{};
    for (Queue& queue : queues_) queue.reset();
    reset_own();
}

void MmioDevice::describe(Archive& archive) {
    archive.field("driver_features", s_.driver_features);
    archive.field("features_select", s_.features_select);
    archive.field("driver_features_select", s_.driver_features_select);
    archive.field("queue_select", s_.queue_select);
    archive.field("status", s_.status);
    archive.field("interrupt", s_.interrupt);
    archive.field("impossible_features", s_.impossible_features);
    archive.require((s_.status & ~(kByDriver | kNeedsReset)) == 0, "virtio.status");
    archive.require((s_.status & kDriverOk) == 0 || (s_.status & kFeaturesOk) != 0, "virtio.status");
    archive.require((s_.status & kFeaturesOk) == 0 || (s_.driver_features & ~features_) == 0,
                    "virtio.driver_features");
    archive.require((s_.interrupt & ~(kUsedBuffer | kConfigChange)) == 0, "virtio.interrupt");
    for (Queue& queue : queues_) queue.describe(archive);
    describe_own(archive);
}

void MmioDevice::describe_node(DeviceTree& tree, const NodePlace& place) const {
    tree.begin(node_name("virtio_mmio", place.base));
    tree.cells("interrupts", {place.irq});
    tree.cells("interrupt-parent", {place.controller_phandle});
    tree.reg(place.base, size());
    tree.text("compatible", "virtio,mmio");
    tree.end();
}
}  // namespace hartline::virtio
