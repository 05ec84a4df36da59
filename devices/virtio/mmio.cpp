// Registers and the interrupt of a device over MMIO.
//
// References are to "Virtio Over MMIO" of virtio 1.2.
#include "devices/virtio/mmio.hpp"

#include "devices/node_name.hpp"

namespace hartline {
namespace virtio {
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

constexpr u32 kUsedBuffer = 1, kConfigChange = 2;  // of the interrupt status

class MmioTransport final : public Device, private Transport {
public:
    MmioTransport(DevicePort& port, std::unique_ptr<VirtioDevice> device)
        : device_(std::move(device)), port_(port) {
        device_->connect(*this);
    }
    std::string_view name() const override { return device_->name(); }
    u64 size() const override { return 0x1000; }
    bool read(u64 offset, unsigned bytes, u64& value) override;
    bool write(u64 offset, unsigned bytes, u64 value) override;
    void on_event(u32 tag) override { device_->on_event(tag); }
    void input(std::span<const u8> bytes) override { device_->input(bytes); }
    std::size_t input_room() const override { return device_->input_room(); }
    void reset() override;
    void describe(Archive& archive) override;
    void describe_node(DeviceTree& tree, const NodePlace& place) const override;

private:
    void notify_used(unsigned) override { raise(kUsedBuffer); }
    void notify_config() override { raise(kConfigChange); }
    void raise(u32 why) {
        s_.interrupt |= why;
        port_.set_irq(true);
    }
    u32 read_register(u64 offset);
    void write_register(u64 offset, u32 value);
    void set_status(u32 value);

    struct State {
        u32 features_select = 0, driver_features_select = 0, queue_select = 0;
        u32 interrupt = 0;
    } s_;
    static_assert(sizeof(State) == 16, "MmioTransport::State changed: extend describe()");
    std::unique_ptr<VirtioDevice> device_;
    DevicePort& port_;
};

bool MmioTransport::read(u64 offset, unsigned bytes, u64& value) {
    if (offset < kConfig && bytes != 4) return false;
    value = offset < kConfig ? read_register(offset) : device_->read_config(offset - kConfig, bytes);
    return true;
}

bool MmioTransport::write(u64 offset, unsigned bytes, u64 value) {
    if (offset < kConfig && bytes != 4) return false;
    if (offset < kConfig)
        write_register(offset, static_cast<u32>(value));
    else
        device_->write_config(offset - kConfig, bytes, value);
    return true;
}

u32 MmioTransport::read_register(u64 offset) {
    const Queue* const queue = device_->queue_or_null(s_.queue_select);
    switch (offset) {
        case kMagic: return kMagicValue;
        case kVersion: return kModern;
        case kDeviceId: return device_->id();
        case kVendorId: return kQemu;
        case kDeviceFeatures: return device_->offered(s_.features_select);
        case kQueueNumMax: return queue != nullptr ? queue->most() : 0;
        case kQueueReady: return queue != nullptr && queue->ready() ? 1 : 0;
        case kInterruptStatus: return s_.interrupt;
        case kStatus: return device_->status();
        case kConfigGeneration: return device_->config_generation();
        default:
            return offset >= kShmLenLow && offset <= kShmBaseHigh ? ~u32{0} : 0;  // no shared memory regions
    }
}

void MmioTransport::write_register(u64 offset, u32 value) {
    Queue* const queue = device_->queue_or_null(s_.queue_select);
    const auto address = [&](Queue::Area area, bool high) {
        if (queue != nullptr) queue->set_address_half(area, high, value);
    };
    switch (offset) {
        case kDeviceFeaturesSel: s_.features_select = value; break;
        case kDriverFeatures: device_->accept(s_.driver_features_select, value); break;
        case kDriverFeaturesSel: s_.driver_features_select = value; break;
        case kQueueSel: s_.queue_select = value; break;
        case kQueueNum:
            if (queue != nullptr) queue->set_size(value);
            break;
        case kQueueReady: device_->set_queue_ready(s_.queue_select, bit(value, 0) != 0); break;
        case kQueueNotify: device_->kick(value); break;
        case kInterruptAck:
            s_.interrupt &= ~value;
            port_.set_irq(s_.interrupt != 0);
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

void MmioTransport::set_status(u32 value) {
    device_->set_status(value);
    if (value != 0) return;
    s_ = State{};
    port_.set_irq(false);
}

void MmioTransport::reset() {
    s_ = State{};
    device_->reset();
}

void MmioTransport::describe(Archive& archive) {
    archive.field("features_select", s_.features_select);
    archive.field("driver_features_select", s_.driver_features_select);
    archive.field("queue_select", s_.queue_select);
    archive.field("interrupt", s_.interrupt);
    archive.require((s_.interrupt & ~(kUsedBuffer | kConfigChange)) == 0, "virtio.interrupt");
    device_->describe(archive);
}

void MmioTransport::describe_node(DeviceTree& tree, const NodePlace& place) const {
    tree.begin(node_name("virtio_mmio", place.base));
    tree.cells("interrupts", {place.irq});
    tree.cells("interrupt-parent", {place.controller_phandle});
    tree.reg(place.base, size());
    tree.text("compatible", "virtio,mmio");
    tree.end();
}
}  // namespace
}  // namespace virtio

DeviceFactory virtio_mmio(VirtioFactory make) {
    return [make = std::move(make)](DevicePort& port) {
        return std::make_unique<virtio::MmioTransport>(port, make(port));
    };
}
}  // namespace hartline
