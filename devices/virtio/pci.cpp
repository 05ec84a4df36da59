// Capabilities, registers and interrupts of a device over PCI.
//
// References are to "Virtio Over PCI Bus" of virtio 1.2.
#include "devices/virtio/pci.hpp"

#include "devices/pci/endpoint.hpp"

namespace hartline {
namespace virtio {
namespace {
using pci::Endpoint;
using pci::PciIdentity;
using pci::PciSlot;

// Where QEMU has them: MSI-X in register 1, the rest in register 4.
constexpr unsigned kMsixBar = 1, kBar = 4;
constexpr u64 kRegion = 0x1000, kCommonAt = 0, kIsrAt = 0x1000, kDeviceAt = 0x2000, kNotifyAt = 0x3000,
              kBarBytes = 0x4000;
constexpr u32 kNotifyMultiplier = 4;
constexpr u8 kVendorCapability = 9;
constexpr u32 kUsedBuffer = 1, kConfigChange = 2;  // of the ISR status
constexpr u16 kNoVector = 0xffff;

// "Virtio Structure PCI Capabilities"
enum CapabilityType : u8 { kCommon = 1, kNotify = 2, kIsr = 3, kDevice = 4, kPciAccess = 5 };

// "Common configuration structure layout"
enum Register : u64 {
    kDeviceFeatureSelect = 0x00,
    kDeviceFeature = 0x04,
    kDriverFeatureSelect = 0x08,
    kDriverFeature = 0x0c,
    kConfigMsixVector = 0x10,
    kNumQueues = 0x12,
    kDeviceStatus = 0x14,
    kConfigGeneration = 0x15,
    kQueueSelect = 0x16,
    kQueueSize = 0x18,
    kQueueMsixVector = 0x1a,
    kQueueEnable = 0x1c,
    kQueueNotifyOff = 0x1e,
    kQueueDesc = 0x20,
    kQueueDriver = 0x28,
    kQueueDevice = 0x30,
    kQueueEnd = 0x38,
};
struct Field {
    u64 at;
    unsigned bytes;
};
constexpr Field kFields[] = {
    {kDeviceFeatureSelect, 4}, {kDeviceFeature, 4}, {kDriverFeatureSelect, 4}, {kDriverFeature, 4},
    {kConfigMsixVector, 2},    {kNumQueues, 2},     {kDeviceStatus, 1},        {kConfigGeneration, 1},
    {kQueueSelect, 2},         {kQueueSize, 2},     {kQueueMsixVector, 2},     {kQueueEnable, 2},
    {kQueueNotifyOff, 2},      {kQueueDesc, 4},     {kQueueDesc + 4, 4},       {kQueueDriver, 4},
    {kQueueDriver + 4, 4},     {kQueueDevice, 4},   {kQueueDevice + 4, 4},
};

// The field that holds a byte; null: there is none.
const Field* field_of(u64 offset) {
    for (const Field& field : kFields)
        if (offset >= field.at && offset - field.at < field.bytes) return &field;
    return nullptr;
}

// "PCI Device Discovery": 0x1040 and the type; classes are QEMU's.
PciIdentity identity_of(u32 type) {
    constexpr u32 kNetwork = 1, kBlock = 2, kConsole = 3, kNineP = 9, kVsock = 19;
    PciIdentity identity{.vendor = 0x1af4,
                         .device = static_cast<u16>(0x1040 + type),
                         .subsystem_vendor = 0x1af4,
                         .subsystem = 0x1100,
                         .class_code = 0x00'ff00,
                         .revision = 1};
    switch (type) {
        case kNetwork: identity.class_code = 0x02'0000; break;
        case kBlock: identity.class_code = 0x01'0000; break;
        case kConsole:
        case kVsock: identity.class_code = 0x07'8000; break;
        case kNineP: identity.class_code = 0x00'0200; break;
        default: break;
    }
    return identity;
}

class PciTransport final : public Endpoint, private Transport {
public:
    PciTransport(DevicePort& port, const PciSlot& slot, std::unique_ptr<VirtioDevice> device);
    std::string_view name() const override { return device_->name(); }
    void on_event(u32 tag) override { device_->on_event(tag); }
    void input(std::span<const u8> bytes) override { device_->input(bytes); }
    std::size_t input_room() const override { return device_->input_room(); }

private:
    void add_structure(CapabilityType type, u64 offset, u64 bytes, std::span<const u8> more = {});
    u64 read_bar(unsigned bar, u64 offset, unsigned bytes) override;
    void write_bar(unsigned bar, u64 offset, unsigned bytes, u64 value) override;
    void config_read(u32 offset, unsigned bytes) override;
    void config_written(u32 offset, unsigned bytes) override;
    void reset_own() override;
    void describe_own(Archive& archive) override;
    void notify_used(unsigned queue) override;
    void notify_config() override;
    void tell(u32 why, u16 vector);

    u64 read_common(u64 offset, unsigned bytes);
    void write_common(u64 offset, unsigned bytes, u64 value);
    u32 read_field(u64 at);
    u32 read_queue_field(u64 at);
    void write_field(u64 at, u32 value);
    void write_queue_field(u64 at, u32 value);
    u32 take_isr();
    u16 valid_vector(u32 value) const { return value < vectors() ? static_cast<u16>(value) : kNoVector; }
    void set_status(u32 value);
    void forget_driver();
    // "PCI configuration access capability": the access that it asks for, if it is one.
    struct Asked {
        unsigned bar;
        u64 offset;
        unsigned bytes;
    };
    std::optional<Asked> asked_access() const;

    struct State {
        u32 device_feature_select = 0, driver_feature_select = 0;
        u32 isr = 0;
        u16 queue_select = 0;
        u16 config_vector = kNoVector;
    } s_;
    static_assert(sizeof(State) == 16, "PciTransport::State changed: extend describe_own()");
    std::vector<u16> queue_vectors_;  // state, one a queue
    std::unique_ptr<VirtioDevice> device_;
    u32 access_at_ = 0;  // the capability
};

PciTransport::PciTransport(DevicePort& port, const PciSlot& slot, std::unique_ptr<VirtioDevice> device)
    : Endpoint(port, slot, identity_of(device->id())),
      queue_vectors_(device->queues(), kNoVector),
      device_(std::move(device)) {
    device_->connect(*this);
    config().set_bar(kMsixBar, {.bytes = pci::Msix::kRegionBytes});
    config().set_bar(kBar, {.bytes = kBarBytes, .wide = true, .prefetchable = true});
    add_msix(device_->queues() + 1, kMsixBar, 0);
    constexpr std::array<u8, 4> kMultiplier{kNotifyMultiplier};
    constexpr std::array<u8, 4> kData{};
    add_structure(kCommon, kCommonAt, kRegion);
    add_structure(kIsr, kIsrAt, kRegion);
    add_structure(kDevice, kDeviceAt, kRegion);
    add_structure(kNotify, kNotifyAt, kRegion, kMultiplier);
    add_structure(kPciAccess, 0, 0, kData);
    config().add_express_capability();
}

void PciTransport::add_structure(CapabilityType type, u64 offset, u64 bytes, std::span<const u8> more) {
    std::vector<u8> body(14);
    body[0] = static_cast<u8>(16 + more.size());
    body[1] = type;
    body[2] = type == kPciAccess ? 0 : kBar;
    for (unsigned i = 0; i < 4; ++i) {
        body[6 + i] = static_cast<u8>(offset >> (8 * i));
        body[10 + i] = static_cast<u8>(bytes >> (8 * i));
    }
    body.insert(body.end(), more.begin(), more.end());
    std::vector<u8> writable(body.size());
    if (type == kPciAccess) {
        writable[2] = 0xff;  // bar, and from byte 6 on offset, length and data
        std::fill(writable.begin() + 6, writable.end(), u8{0xff});
    }
    const u32 at = config().add_capability(kVendorCapability, body, writable);
    if (type == kPciAccess) access_at_ = at;
}

u64 PciTransport::read_bar(unsigned bar, u64 offset, unsigned bytes) {
    if (bar != kBar) return 0;
    switch (offset / kRegion * kRegion) {
        case kCommonAt: return read_common(offset, bytes);
        case kIsrAt: return offset == kIsrAt ? take_isr() : 0;
        case kDeviceAt: return device_->read_config(offset - kDeviceAt, bytes);
        default: return 0;
    }
}

void PciTransport::write_bar(unsigned bar, u64 offset, unsigned bytes, u64 value) {
    if (bar != kBar) return;
    switch (offset / kRegion * kRegion) {
        case kCommonAt: write_common(offset, bytes, value); break;
        case kDeviceAt: device_->write_config(offset - kDeviceAt, bytes, value); break;
        // The place says which queue; the value is the same number, as NOTIFICATION_DATA is not offered.
        case kNotifyAt: device_->kick(static_cast<u32>((offset - kNotifyAt) / kNotifyMultiplier)); break;
        default: break;
    }
}

// "ISR status capability": reading it takes the interrupt back.
u32 PciTransport::take_isr() {
    const u32 isr = std::exchange(s_.isr, 0);
    set_interrupt(false);
    return isr;
}

// A read may be of a part of a field, or of several.
u64 PciTransport::read_common(u64 offset, unsigned bytes) {
    u64 value = 0;
    for (unsigned i = 0; i < bytes; ++i) {
        const Field* const field = field_of(offset + i);
        if (field == nullptr) continue;
        const u64 byte = read_field(field->at) >> (8 * (offset + i - field->at)) & 0xff;
        value |= byte << (8 * i);
    }
    return value;
}

// "Driver Requirements: Common configuration structure layout": writes are of whole fields; 64-bit ones are
// written in halves, or at once.
void PciTransport::write_common(u64 offset, unsigned bytes, u64 value) {
    if (bytes == 8) {
        write_common(offset, 4, value & 0xffff'ffff);
        return write_common(offset + 4, 4, value >> 32);
    }
    const Field* const field = field_of(offset);
    if (field != nullptr && field->at == offset && field->bytes == bytes)
        write_field(offset, static_cast<u32>(value));
}

u32 PciTransport::read_field(u64 at) {
    switch (at) {
        case kDeviceFeatureSelect: return s_.device_feature_select;
        case kDeviceFeature: return device_->offered(s_.device_feature_select);
        case kDriverFeatureSelect: return s_.driver_feature_select;
        case kDriverFeature: return device_->accepted_word(s_.driver_feature_select);
        case kConfigMsixVector: return s_.config_vector;
        case kNumQueues: return device_->queues();
        case kDeviceStatus: return device_->status();
        case kConfigGeneration: return device_->config_generation() & 0xff;
        case kQueueSelect: return s_.queue_select;
        default: return read_queue_field(at);
    }
}

u32 PciTransport::read_queue_field(u64 at) {
    const Queue* const queue = device_->queue_or_null(s_.queue_select);
    if (queue == nullptr) return at == kQueueMsixVector ? kNoVector : 0;
    const auto half = [&](Queue::Area area, u64 low) {
        return static_cast<u32>(queue->address(area) >> (at == low ? 0 : 32));
    };
    switch (at) {
        case kQueueSize: return queue->size();
        case kQueueMsixVector: return queue_vectors_[s_.queue_select];
        case kQueueEnable: return queue->ready() ? 1 : 0;
        case kQueueNotifyOff: return s_.queue_select;
        case kQueueDesc:
        case kQueueDesc + 4: return half(Queue::Area::Descriptors, kQueueDesc);
        case kQueueDriver:
        case kQueueDriver + 4: return half(Queue::Area::Driver, kQueueDriver);
        default: return half(Queue::Area::Device, kQueueDevice);
    }
}

void PciTransport::write_field(u64 at, u32 value) {
    switch (at) {
        case kDeviceFeatureSelect: s_.device_feature_select = value; break;
        case kDriverFeatureSelect: s_.driver_feature_select = value; break;
        case kDriverFeature: device_->accept(s_.driver_feature_select, value); break;
        case kConfigMsixVector: s_.config_vector = valid_vector(value); break;
        case kDeviceStatus: set_status(value); break;
        case kQueueSelect: s_.queue_select = static_cast<u16>(value); break;
        default: write_queue_field(at, value); break;
    }
}

// "Device Requirements: Common configuration structure layout": only 1 may be written to queue_enable, and a
// reset takes it back.
void PciTransport::write_queue_field(u64 at, u32 value) {
    Queue* const queue = device_->queue_or_null(s_.queue_select);
    if (queue == nullptr) return;
    switch (at) {
        case kQueueSize: queue->set_size(value); break;
        case kQueueMsixVector: queue_vectors_[s_.queue_select] = valid_vector(value); break;
        case kQueueEnable:
            if (value == 1) device_->set_queue_ready(s_.queue_select, true);
            break;
        case kQueueDesc:
        case kQueueDesc + 4:
            queue->set_address_half(Queue::Area::Descriptors, at != kQueueDesc, value);
            break;
        case kQueueDriver:
        case kQueueDriver + 4: queue->set_address_half(Queue::Area::Driver, at != kQueueDriver, value); break;
        case kQueueDevice:
        case kQueueDevice + 4: queue->set_address_half(Queue::Area::Device, at != kQueueDevice, value); break;
        default: break;
    }
}

void PciTransport::set_status(u32 value) {
    device_->set_status(value);
    if (value != 0) return;
    forget_driver();
    set_interrupt(false);
}

void PciTransport::forget_driver() {
    s_ = State{};
    std::fill(queue_vectors_.begin(), queue_vectors_.end(), kNoVector);
}

void PciTransport::notify_used(unsigned queue) { tell(kUsedBuffer, queue_vectors_[queue]); }
void PciTransport::notify_config() { tell(kConfigChange, s_.config_vector); }

void PciTransport::tell(u32 why, u16 vector) {
    if (msix_enabled()) return raise(vector);
    s_.isr |= why;
    set_interrupt(true);
}

std::optional<PciTransport::Asked> PciTransport::asked_access() const {
    const auto word = [this](u32 at) { return config().get(access_at_ + at, 4); };
    const Asked asked{config().get(access_at_ + 4, 1), word(8), word(12)};
    const u64 room = config().bar_bytes(asked.bar);
    const bool sized = asked.bytes == 1 || asked.bytes == 2 || asked.bytes == 4;
    if (!sized || asked.offset % asked.bytes != 0 || asked.offset >= room ||
        asked.bytes > room - asked.offset)
        return {};
    return asked;
}

// The data of the capability is what the access gives at the moment of the read.
void PciTransport::config_read(u32 offset, unsigned bytes) {
    const u32 data = access_at_ + 16;
    if (offset >= data + 4 || offset + bytes <= data) return;
    if (const auto asked = asked_access())
        poke_config(data, 4, static_cast<u32>(read_inside(asked->bar, asked->offset, asked->bytes)));
}

void PciTransport::config_written(u32 offset, unsigned bytes) {
    const u32 data = access_at_ + 16;
    if (offset >= data + 4 || offset + bytes <= data) return;
    if (const auto asked = asked_access())
        write_inside(asked->bar, asked->offset, asked->bytes, config().get(data, asked->bytes));
}

void PciTransport::reset_own() {
    forget_driver();
    device_->reset();
}

void PciTransport::describe_own(Archive& archive) {
    archive.field("device_feature_select", s_.device_feature_select);
    archive.field("driver_feature_select", s_.driver_feature_select);
    archive.field("isr", s_.isr);
    archive.field("queue_select", s_.queue_select);
    archive.field("config_vector", s_.config_vector);
    archive.require((s_.isr & ~(kUsedBuffer | kConfigChange)) == 0, "virtio.isr");
    archive.require(s_.config_vector == valid_vector(s_.config_vector), "virtio.config_vector");
    for (u16& vector : queue_vectors_) {
        archive.field("queue_vector", vector);
        archive.require(vector == valid_vector(vector), "virtio.queue_vector");
    }
    device_->describe(archive);
}
}  // namespace
}  // namespace virtio

DeviceFactory virtio_pci(pci::PciSlot slot, VirtioFactory make) {
    return [slot = std::move(slot), make = std::move(make)](DevicePort& port) {
        return std::make_unique<virtio::PciTransport>(port, slot, make(port));
    };
}
}  // namespace hartline
