// What all functions do: configuration, base address registers, the pin and messages.
#include "devices/pci/endpoint.hpp"

namespace hartline::pci {
namespace {
constexpr u8 kMsixCapability = 0x11;
constexpr u32 kEnable = 0x8000, kMaskAll = 0x4000;  // of "Message Control"
}  // namespace

Endpoint::Endpoint(DevicePort& port, const PciSlot& slot, const PciIdentity& identity)
    : config_(identity), port_(port), slot_(slot) {
    slot_.bus->add(slot_.number, *this);
}

void Endpoint::add_msix(unsigned vectors, unsigned bar, u64 offset) {
    msix_.emplace(vectors, [this](u64 address, u32 data) {
        if (config_.bus_master()) slot_.bus->send(address, data, port_.memory());
    });
    msix_bar_ = bar;
    msix_offset_ = offset;
    std::array<u8, 10> body{};
    const auto put = [&](std::size_t at, u64 value, unsigned bytes) {
        for (unsigned i = 0; i < bytes; ++i) body[at + i] = static_cast<u8>(value >> (8 * i));
    };
    put(0, msix_->vectors() - 1, 2);
    put(2, offset | bar, 4);
    put(6, (offset + Msix::kPendingAt) | bar, 4);
    constexpr std::array<u8, 2> kWritable{0, (kEnable | kMaskAll) >> 8};
    msix_at_ = config_.add_capability(kMsixCapability, body, kWritable);
}

void Endpoint::reset() {
    s_ = State{};
    config_.reset();
    if (msix_) msix_->reset();
    reset_own();
}

void Endpoint::describe(Archive& archive) {
    archive.field("interrupt", s_.interrupt);
    archive.field("pin", s_.pin);
    config_.describe(archive);
    if (msix_) msix_->describe(archive);
    describe_own(archive);
}

u32 Endpoint::read_config(u32 offset, unsigned bytes) {
    config_read(offset, bytes);
    return config_.read(offset, bytes);
}

void Endpoint::write_config(u32 offset, unsigned bytes, u32 value) {
    config_.write(offset, bytes, value);
    if (msix_) {
        const u32 control = config_.read(msix_at_ + 2, 2);
        msix_->control((control & kEnable) != 0, (control & kMaskAll) != 0);
    }
    update_pin();
    config_written(offset, bytes);
}

bool Endpoint::read(Space space, u64 address, unsigned bytes, u64& value) {
    const auto hit = config_.find(space, address, bytes);
    if (hit) value = read_inside(hit->bar, hit->offset, bytes);
    return hit.has_value();
}

bool Endpoint::write(Space space, u64 address, unsigned bytes, u64 value) {
    const auto hit = config_.find(space, address, bytes);
    if (hit) write_inside(hit->bar, hit->offset, bytes, value);
    return hit.has_value();
}

bool Endpoint::of_msix(unsigned bar, u64 offset) const {
    return msix_ && bar == msix_bar_ && offset >= msix_offset_ && offset - msix_offset_ < Msix::kRegionBytes;
}

u64 Endpoint::read_inside(unsigned bar, u64 offset, unsigned bytes) {
    return of_msix(bar, offset) ? msix_->read(offset - msix_offset_, bytes) : read_bar(bar, offset, bytes);
}

void Endpoint::write_inside(unsigned bar, u64 offset, unsigned bytes, u64 value) {
    if (of_msix(bar, offset))
        msix_->write(offset - msix_offset_, bytes, value);
    else
        write_bar(bar, offset, bytes, value);
}

void Endpoint::set_interrupt(bool level) {
    s_.interrupt = level;
    update_pin();
}

// "Interrupt Disable" keeps the pin low, not the status bit that tells of it.
void Endpoint::update_pin() {
    const bool pending = s_.interrupt && !msix_enabled();
    config_.show_interrupt(pending);
    const bool pin = pending && !config_.pin_disabled();
    if (pin == s_.pin) return;
    s_.pin = pin;
    slot_.bus->set_pin(slot_.number, 1, pin);
}
}  // namespace hartline::pci
