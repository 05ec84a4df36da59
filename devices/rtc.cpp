// Goldfish real-time clock: the time of day as a base plus virtual time, and an alarm.
#include "devices/rtc.hpp"

#include "devices/node_name.hpp"

namespace hartline {
namespace {
// As Linux's drivers/rtc/rtc-goldfish.c and include/clocksource/timer-goldfish.h name them.
enum Register : u64 {
    kTimeLow = 0x00,  // reading it latches the high half
    kTimeHigh = 0x04,
    kAlarmLow = 0x08,  // writing it arms the alarm
    kAlarmHigh = 0x0c,
    kIrqEnabled = 0x10,
    kClearAlarm = 0x14,
    kAlarmStatus = 0x18,
    kClearInterrupt = 0x1c,
};
constexpr u32 kAlarmTag = 0;
constexpr u64 kLowHalf = 0xffff'ffff;

class Rtc final : public Device {
public:
    Rtc(DevicePort& port, u64 unix_ns) : port_(port), unix_ns_(unix_ns) { reset(); }
    std::string_view name() const override { return "rtc"; }
    u64 size() const override { return 0x1000; }
    bool read(u64 offset, unsigned bytes, u64& value) override;
    bool write(u64 offset, unsigned bytes, u64 value) override;
    void on_event(u32) override { check_alarm(); }
    void reset() override {
        s_ = State{};
        s_.base = unix_ns_;
    }
    void describe(Archive& archive) override;
    void describe_node(DeviceTree& tree, const NodePlace& place) const override;

private:
    u64 time() const { return s_.base + port_.now(); }
    void set_time(u64 time);
    void check_alarm();
    void update_irq() { port_.set_irq(s_.interrupt && s_.enabled); }

    struct State {
        u64 base = 0;  // the time of day at virtual time 0; what a guest sets it to is added here
        u64 alarm = 0;
        u32 time_high = 0;  // latched
        bool armed = false;
        bool interrupt = false;
        bool enabled = false;
    } s_;
    static_assert(sizeof(State) == 24, "Rtc::State changed: extend describe()");
    DevicePort& port_;
    u64 unix_ns_;
};

bool Rtc::read(u64 offset, unsigned bytes, u64& value) {
    if (bytes != 4) return false;
    value = 0;
    switch (offset) {
        case kTimeLow: {
            const u64 now = time();
            s_.time_high = static_cast<u32>(now >> 32);
            value = now & kLowHalf;
            break;
        }
        case kTimeHigh: value = s_.time_high; break;
        case kAlarmLow: value = s_.alarm & kLowHalf; break;
        case kAlarmHigh: value = s_.alarm >> 32; break;
        case kIrqEnabled: value = s_.enabled; break;
        case kAlarmStatus: value = s_.armed; break;
        default: break;
    }
    return true;
}

bool Rtc::write(u64 offset, unsigned bytes, u64 value) {
    if (bytes != 4) return false;
    value &= kLowHalf;
    switch (offset) {
        case kTimeLow: set_time(merge(time(), kLowHalf, value)); break;
        case kTimeHigh: set_time(merge(time(), ~kLowHalf, value << 32)); break;
        case kAlarmLow:
            s_.alarm = merge(s_.alarm, kLowHalf, value);
            s_.armed = true;
            check_alarm();
            break;
        case kAlarmHigh: s_.alarm = merge(s_.alarm, ~kLowHalf, value << 32); break;
        case kIrqEnabled:
            s_.enabled = bit(value, 0) != 0;
            update_irq();
            break;
        case kClearAlarm:
            s_.armed = false;
            port_.cancel(kAlarmTag);
            break;
        case kClearInterrupt:
            s_.interrupt = false;
            update_irq();
            break;
        default: break;
    }
    return true;
}

void Rtc::set_time(u64 time) {
    s_.base = time - port_.now();
    check_alarm();
}

void Rtc::check_alarm() {
    if (!s_.armed) return;
    const u64 time_now = time(), now = port_.now();
    if (time_now >= s_.alarm) {
        s_.armed = false;
        s_.interrupt = true;
        port_.cancel(kAlarmTag);
        update_irq();
    } else if (s_.alarm - time_now <= ~u64{0} - now) {
        port_.schedule(now + (s_.alarm - time_now), kAlarmTag);
    } else {
        port_.cancel(kAlarmTag);  // beyond the end of virtual time
    }
}

void Rtc::describe(Archive& archive) {
    archive.field("base", s_.base);
    archive.field("alarm", s_.alarm);
    archive.field("time_high", s_.time_high);
    archive.field("armed", s_.armed);
    archive.field("interrupt", s_.interrupt);
    archive.field("enabled", s_.enabled);
}

void Rtc::describe_node(DeviceTree& tree, const NodePlace& place) const {
    tree.begin(node_name("rtc", place.base));
    tree.cells("interrupts", {place.irq});
    tree.cells("interrupt-parent", {place.controller_phandle});
    tree.reg(place.base, size());
    tree.text("compatible", "google,goldfish-rtc");
    tree.end();
}
}  // namespace

DeviceFactory rtc(u64 unix_ns) {
    return [unix_ns](DevicePort& port) { return std::make_unique<Rtc>(port, unix_ns); };
}
}  // namespace hartline
