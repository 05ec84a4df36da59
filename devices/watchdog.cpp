// The watchdog of the Allwinner D1: registers, and the count as an event of virtual time.
//
// References are to "Watchdog" in the chapter "Timer" of the D1-H User Manual. In the D1 these registers are
// a part of the timer's, from its offset 0xa0.
#include "devices/watchdog.hpp"

#include <optional>
#include <string>
#include <utility>

#include "devices/node_name.hpp"

namespace hartline {
namespace {
enum Register : u64 {
    kIrqEnable = 0x00,
    kIrqStatus = 0x04,
    kSoftReset = 0x08,
    kControl = 0x10,
    kConfig = 0x14,
    kMode = 0x18,
    kOutputConfig = 0x1c,
};
constexpr u64 kRegisterBytes = 0x20;
constexpr u32 kKey = 0x16aa;               // in the upper half of a write that counts
constexpr u32 kRestart = 0x0a57 << 1 | 1;  // to kControl
constexpr u32 kActionMask = 3, kWholeSystem = 1, kOnlyInterrupt = 2, kLosc = 1 << 8;  // of kConfig
constexpr u32 kEnable = 1, kIntervalShift = 4, kIntervalMask = 0xf0;                  // of kMode
constexpr u32 kOutputMask = 0xfff, kOutputReset = 0x1f;
// Half seconds of "INTV_VALUE"; what is beyond is reserved.
constexpr std::array<u8, 12> kHalfSeconds{1, 2, 4, 6, 8, 10, 12, 16, 20, 24, 28, 32};
// The count is of 16000 cycles a half second: exact with the 24 MHz oscillator by 750, short with the other.
constexpr u64 kCyclesAHalf = 16'000, kHoscHz = 32'000, kLoscHz = 32'768, kNsASecond = 1'000'000'000;
constexpr u32 kOscillatorHz = 24'000'000;
constexpr u64 kTellEveryNs = 10 * kNsASecond;
constexpr u32 kExpiry = 0;  // the event

class Watchdog final : public Device {
public:
    Watchdog(DevicePort& port, WatchdogAction action, std::function<void()> expired)
        : port_(port), action_(action), expired_(std::move(expired)) {}
    std::string_view name() const override { return "watchdog"; }
    u64 size() const override { return 0x1000; }
    bool read(u64 offset, unsigned bytes, u64& value) override;
    bool write(u64 offset, unsigned bytes, u64 value) override;
    void on_event(u32) override;
    void reset() override {
        s_ = State{};
        told_at_.reset();
    }
    void describe(Archive& archive) override;
    void describe_node(DeviceTree& tree, const NodePlace& place) const override;

private:
    bool enabled() const { return (s_.mode & kEnable) != 0; }
    u64 interval_ns() const;
    void start_count();
    void schedule_expiry();
    void write_keyed(u64 offset, u32 value);
    void set_mode(u32 value);
    void act();
    void tell();
    void update_irq() { port_.set_irq(s_.irq_enabled && s_.irq_pending); }

    struct State {
        u64 started = 0;  // when the count began, in ns
        u32 config = kWholeSystem, mode = 0, output = kOutputReset;
        bool irq_enabled = false, irq_pending = false;
        bool expired = false;  // the count has come to its end and stays there until it is started anew
    } s_;
    static_assert(sizeof(State) == 24, "Watchdog::State changed: extend describe()");
    DevicePort& port_;
    WatchdogAction action_;
    std::function<void()> expired_;
    std::optional<u64> told_at_;  // ns; nothing: not since the last reset
};

bool Watchdog::read(u64 offset, unsigned bytes, u64& value) {
    if (bytes != 4) return false;
    switch (offset) {
        case kIrqEnable: value = s_.irq_enabled; break;
        case kIrqStatus: value = s_.irq_pending; break;
        case kConfig: value = s_.config; break;
        case kMode: value = s_.mode; break;
        case kOutputConfig: value = s_.output; break;
        default: value = 0; break;
    }
    return true;
}

bool Watchdog::write(u64 offset, unsigned bytes, u64 value) {
    if (bytes != 4) return false;
    switch (offset) {
        case kIrqEnable: s_.irq_enabled = bit(value, 0) != 0; break;
        case kIrqStatus: s_.irq_pending = s_.irq_pending && bit(value, 0) == 0; break;
        case kControl:
            if (bits(value, 12, 0) == kRestart) start_count();
            break;
        case kOutputConfig: s_.output = static_cast<u32>(value) & kOutputMask; break;
        default:
            if (bits(value, 31, 16) == kKey) write_keyed(offset, static_cast<u32>(value));
    }
    update_irq();
    return true;
}

void Watchdog::write_keyed(u64 offset, u32 value) {
    switch (offset) {
        case kSoftReset:
            if (bit(value, 0) != 0) act();
            break;
        case kConfig:
            s_.config = value & (kActionMask | kLosc);
            schedule_expiry();
            break;
        case kMode: set_mode(value); break;
        default: break;
    }
}

// A reserved interval leaves the one that there was.
void Watchdog::set_mode(u32 value) {
    const bool was_enabled = enabled();
    const bool known = (value & kIntervalMask) >> kIntervalShift < kHalfSeconds.size();
    s_.mode = (known ? value & kIntervalMask : s_.mode & kIntervalMask) | (value & kEnable);
    was_enabled ? schedule_expiry() : start_count();
}

u64 Watchdog::interval_ns() const {
    const u64 cycles = kHalfSeconds[(s_.mode & kIntervalMask) >> kIntervalShift] * kCyclesAHalf;
    return cycles * kNsASecond / ((s_.config & kLosc) != 0 ? kLoscHz : kHoscHz);
}

void Watchdog::start_count() {
    s_.started = port_.now();
    s_.expired = false;
    schedule_expiry();
}

void Watchdog::schedule_expiry() {
    if (enabled() && !s_.expired)
        port_.schedule(s_.started + interval_ns(), kExpiry);
    else
        port_.cancel(kExpiry);
}

void Watchdog::on_event(u32) {
    if (!enabled() || s_.expired) return;
    s_.expired = true;
    if ((s_.config & kActionMask) == kWholeSystem) act();
    if ((s_.config & kActionMask) == kOnlyInterrupt) s_.irq_pending = true;
    update_irq();
}

// Where nothing stops a guest from going on and on, not each time.
void Watchdog::tell() {
    const u64 now = port_.now();
    if (!expired_ || (action_ == WatchdogAction::None && told_at_ && now - *told_at_ < kTellEveryNs)) return;
    told_at_ = now;
    expired_();
}

void Watchdog::act() {
    tell();
    switch (action_) {
        case WatchdogAction::Reset: return port_.request_stop({StopRequest::Kind::Reset, 0});
        case WatchdogAction::PowerOff: return port_.request_stop({StopRequest::Kind::PowerOff, 0});
        case WatchdogAction::Pause: return port_.request_stop({StopRequest::Kind::Pause, 0});
        case WatchdogAction::None: return;
    }
}

void Watchdog::describe(Archive& archive) {
    archive.field("started", s_.started);
    archive.field("config", s_.config);
    archive.field("mode", s_.mode);
    archive.field("output", s_.output);
    archive.field("irq_enabled", s_.irq_enabled);
    archive.field("irq_pending", s_.irq_pending);
    archive.field("expired", s_.expired);
    archive.require((s_.config & ~(kActionMask | kLosc)) == 0, "watchdog.config");
    archive.require((s_.mode & ~(kIntervalMask | kEnable)) == 0 &&
                        (s_.mode & kIntervalMask) >> kIntervalShift < kHalfSeconds.size(),
                    "watchdog.mode");
    archive.require((s_.output & ~kOutputMask) == 0, "watchdog.output");
}

// Linux' binding "Allwinner A10 Watchdog" asks for the two clocks by name.
void Watchdog::describe_node(DeviceTree& tree, const NodePlace& place) const {
    const auto clock = [&tree](const char* name, u32 hz) {
        const u32 phandle = tree.new_phandle();
        tree.begin(name);
        tree.phandle(phandle);
        tree.cells("clock-frequency", {hz});
        tree.cells("#clock-cells", {0});
        tree.text("compatible", "fixed-clock");
        tree.end();
        return phandle;
    };
    const u32 hosc = clock("watchdog-hosc", kOscillatorHz), losc = clock("watchdog-losc", kLoscHz);
    const std::array<std::string, 2> names{"hosc", "losc"};
    tree.begin(node_name("watchdog", place.base));
    tree.texts("clock-names", names);
    tree.cells("clocks", {hosc, losc});
    tree.cells("interrupts", {place.irq});
    tree.cells("interrupt-parent", {place.controller_phandle});
    tree.reg(place.base, kRegisterBytes);
    tree.text("compatible", "allwinner,sun20i-d1-wdt");
    tree.end();
}
}  // namespace

DeviceFactory watchdog(WatchdogAction action, std::function<void()> expired) {
    return [action, expired = std::move(expired)](DevicePort& port) {
        return std::make_unique<Watchdog>(port, action, expired);
    };
}
}  // namespace hartline
