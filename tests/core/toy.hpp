// A machine without RISC-V: a hart that counts, and a device that has events and input.
#pragma once
#include <memory>
#include <vector>

#include "core/machine.hpp"

namespace hartline::toy {

// Each instruction adds the hart's number + 1 to a word of RAM; every 1,000th asks the device at kDeviceBase.
class CountingHart final : public Hart {
public:
    CountingHart(HartPort& port, unsigned number) : port_(port), number_(number) {}
    u64 run(u64 budget) override {
        limit_ = budget;
        for (done_ = 0; done_ < limit_ && !s_.asleep; ++done_) step();
        const u64 done = done_;
        done_ = 0;
        return done;
    }
    u64 progress() const override { return done_; }
    void cut(u64 budget) override { limit_ = std::min(limit_, std::max(budget, done_ + 1)); }
    bool waiting() const override { return s_.asleep != 0; }
    bool gave_way() const override { return false; }
    void set_line(unsigned, bool level) override {
        s_.lines += level ? 1 : 0;
        s_.asleep = 0;
    }
    void on_event(u32) override { s_.asleep = 0; }
    void time_changed() override {}
    void reset() override { s_ = State{}; }
    void describe(Archive& a) override {
        a.field("retired", s_.retired);
        a.field("lines", s_.lines);
        a.field("asleep", s_.asleep);
    }
    void drop_derived() override {}
    void turn_ended() override {}
    bool code_changed(u64, u64) override { return false; }
    void frame_changed(u64) override {}
    void frame_marked(u64) override {}
    u64 retired() const override { return s_.retired; }

    static constexpr u64 kDeviceBase = 0x1000;
    static constexpr u64 kCell = 0x8000'0000;

private:
    void step() {
        u64 cell = 0;
        port_.ram().read(kCell, cell);
        cell = cell * 3 + number_ + 1 + port_.now();
        port_.ram().write(kCell, cell);
        ++s_.retired;
        if (s_.retired % 1000 == 0) port_.write(kDeviceBase, 8, cell % 5000);
        if (s_.retired % 7777 == 0) {
            s_.asleep = 1;
            port_.schedule(port_.now() + 12'345, 1);
        }
    }
    HartPort& port_;
    unsigned number_;
    u64 done_ = 0, limit_ = 0;
    struct State {
        u64 retired = 0, lines = 0;
        u8 asleep = 0;
    } s_;
};

// A write of n asks for an event in n nanoseconds; the event raises a line of hart 0.
class AlarmDevice final : public Device {
public:
    explicit AlarmDevice(DevicePort& port) : port_(port) {}
    std::string_view name() const override { return "alarm"; }
    u64 size() const override { return 8; }
    bool read(u64, unsigned, u64& value) override {
        value = s_.rung;
        return true;
    }
    bool write(u64, unsigned, u64 value) override {
        port_.schedule(port_.now() + value, 0);
        return true;
    }
    void reset() override { s_ = State{}; }
    void describe(Archive& a) override {
        a.field("rung", s_.rung);
        a.field("last", s_.last);
        a.field("heard", s_.heard);
    }
    void on_event(u32) override {
        ++s_.rung;
        s_.last = port_.now();
        port_.set_hart_line(0, 1, true);
    }
    void input(std::span<const u8> bytes) override {
        for (const u8 byte : bytes) s_.heard = s_.heard * 31 + byte + port_.now();
    }
    std::size_t input_room() const override { return 16; }

private:
    DevicePort& port_;
    struct State {
        u64 rung = 0, last = 0, heard = 0;
    } s_;
};

struct Toy {
    explicit Toy(unsigned harts = 2) : machine({.ram_bytes = 1 << 20, .turn = 700}) {
        alarm = &machine.attach(CountingHart::kDeviceBase, 0,
                                [](DevicePort& port) { return std::make_unique<AlarmDevice>(port); });
        for (unsigned i = 0; i < harts; ++i)
            machine.add_hart(
                [](HartPort& port, unsigned n) { return std::make_unique<CountingHart>(port, n); });
    }
    // Runs on as a hermetic machine does: idle time is skipped.
    void run(u64 ticks) {
        const u64 end = machine.tick() + ticks;
        while (machine.tick() < end) {
            const auto result = machine.run(end - machine.tick());
            if (result.why == Machine::Result::Why::Idle) machine.skip_to(result.next_event);
        }
    }
    Machine machine;
    Device* alarm = nullptr;
};
}  // namespace hartline::toy
