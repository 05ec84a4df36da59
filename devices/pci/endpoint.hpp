// A function of one kind or another: a device without an address of its own, which its bus reaches.
#pragma once
#include <optional>

#include "devices/pci/config_space.hpp"
#include "devices/pci/msix.hpp"

namespace hartline::pci {

class Endpoint : public Device, public PciFunction {
public:
    // --- of the machine
    u64 size() const final { return 0; }
    bool read(u64, unsigned, u64&) final { return false; }
    bool write(u64, unsigned, u64) final { return false; }
    void reset() final;
    void describe(Archive& archive) final;

    // --- of the bus
    u32 read_config(u32 offset, unsigned bytes) final;
    void write_config(u32 offset, unsigned bytes, u32 value) final;
    bool read(Space space, u64 address, unsigned bytes, u64& value) final;
    bool write(Space space, u64 address, unsigned bytes, u64 value) final;

protected:
    Endpoint(DevicePort& port, const PciSlot& slot, const PciIdentity& identity);

    // --- building
    ConfigSpace& config() { return config_; }
    const ConfigSpace& config() const { return config_; }
    // Gives the function MSI-X, with table and pending bits from `offset` of a base address register.
    void add_msix(unsigned vectors, unsigned bar, u64 offset);

    // --- the function's own part. Offsets and sizes lie inside of the register.
    virtual u64 read_bar(unsigned /*bar*/, u64 /*offset*/, unsigned /*bytes*/) { return 0; }
    virtual void write_bar(unsigned /*bar*/, u64 /*offset*/, unsigned /*bytes*/, u64 /*value*/) {}
    // After the access of the configuration space, or before a read of it.
    virtual void config_written(u32 /*offset*/, unsigned /*bytes*/) {}
    virtual void config_read(u32 /*offset*/, unsigned /*bytes*/) {}
    virtual void reset_own() {}
    virtual void describe_own(Archive&) {}

    // --- what the function's own part works with
    DevicePort& port() { return port_; }
    bool msix_enabled() const { return msix_ && msix_->enabled(); }
    unsigned vectors() const { return msix_ ? msix_->vectors() : 0; }
    void raise(unsigned vector) {
        if (msix_) msix_->raise(vector);
    }
    void set_interrupt(bool level);  // of the pin, INTA; it stays low while MSI-X is enabled
    void poke_config(u32 offset, unsigned bytes, u32 value) { config_.write(offset, bytes, value); }
    // An access by way of a base address register that needs not be mapped: for virtio's own window.
    u64 read_inside(unsigned bar, u64 offset, unsigned bytes);
    void write_inside(unsigned bar, u64 offset, unsigned bytes, u64 value);

private:
    void update_pin();
    bool of_msix(unsigned bar, u64 offset) const;

    struct State {
        bool interrupt = false;  // wants the pin to be high
        bool pin = false;        // as last told to the bus
    } s_;
    static_assert(sizeof(State) == 2, "Endpoint::State changed: extend describe()");
    ConfigSpace config_;
    std::optional<Msix> msix_;
    u32 msix_at_ = 0;  // its capability
    unsigned msix_bar_ = 0;
    u64 msix_offset_ = 0;
    DevicePort& port_;
    PciSlot slot_;
};
}  // namespace hartline::pci
