// A whole machine as one value: RAM, bus, harts, clock, events, journal. Knows no concrete device or engine.
#pragma once
#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/bus.hpp"
#include "core/clock.hpp"
#include "core/device.hpp"
#include "core/events.hpp"
#include "core/hart.hpp"
#include "core/journal.hpp"
#include "core/ram.hpp"

namespace hartline {

struct MachineConfig {
    u64 ram_base = 0x8000'0000;
    u64 ram_bytes = u64{1} << 30;
    u64 turn = 10'000;  // instructions that a hart runs before the next has its turn
    // Each hart on its own thread, time from `wall` (nanoseconds, monotonic): not replayable.
    bool parallel = false;
    std::function<u64()> wall = {};
};

class Machine final : private Ram::Listener {
public:
    using HartFactory = std::function<std::unique_ptr<Hart>(HartPort&, unsigned number)>;
    struct Result {
        enum class Why : u8 {
            Budget,   // ran what was asked for
            Idle,     // every hart waits; nothing can happen before `next_event`
            Stopped,  // the guest asked for it: see stop()
        };
        Why why = Why::Budget;
        u64 next_event = EventQueue::kNever;  // virtual time; kNever: only input can wake the machine
    };
    static constexpr u32 kClockOwner = 0xffff'ffff;  // journal records that retime the clock

    explicit Machine(const MachineConfig& config);
    ~Machine() override;
    Machine(const Machine&) = delete;
    Machine& operator=(const Machine&) = delete;

    // --- building (machine.cpp)
    Device& attach(u64 base, u32 irq, const DeviceFactory& make);
    void set_interrupt_controller(Device& controller) { controller_ = &controller; }
    Hart& add_hart(const HartFactory& make);
    // Stores to [paddr, paddr + bytes) are told to the device after they are done.
    void watch(u64 paddr, u64 bytes, Device& device);

    // --- running (machine.cpp)
    Result run(u64 ticks);
    // Every hart on a thread of its own until a stop or until `leave()` says so; it is asked every few
    // milliseconds, under the machine's lock. (parallel.cpp)
    void run_parallel(const std::function<bool()>& leave);
    // Moves virtual time on to `when`, as nothing happens before. Hermetic machines skip idle time with it.
    void skip_to(u64 when);
    // The same as an act from outside, through the journal: steers a paced machine to the wall clock.
    void retime(u64 when, u64 rate);
    // Bytes for a device, from any thread, through the journal.
    void post(const Device& device, std::span<const u8> payload);
    const std::optional<StopRequest>& stop() const { return stop_; }
    void request_stop(StopRequest request);
    // After a stop, as if it had not been asked for. Not while it runs.
    void resume() { stop_.reset(); }

    // --- looking
    u64 tick() const { return config_.parallel ? parallel_ticks_.load() : s_.tick; }
    u64 now() const;
    u64 retired() const;
    Ram& ram() { return ram_; }
    Journal& journal() { return journal_; }
    const Clock& clock() const { return clock_; }
    unsigned harts() const { return static_cast<unsigned>(harts_.size()); }
    Hart& hart(unsigned number) { return *harts_[number].hart; }
    const MachineConfig& config() const { return config_; }
    // The place of each device, in order of attachment.
    struct Attached {
        u64 base;
        u32 irq;
        std::unique_ptr<DevicePort> port;
        std::unique_ptr<Device> device;
    };
    const std::vector<Attached>& devices() const { return devices_; }

    // --- state
    void reset();  // the state of a new machine: RAM empty, devices and harts reset, tick 0
    void describe(Archive& archive);
    void describe_but_ram(Archive& archive);
    void drop_derived();
    u64 hash();
    std::vector<u8> save();
    void load(std::span<const u8> image);  // throws ArchiveError; the machine is then reset

private:
    class DeviceSide;
    class HartSide;
    struct Seat {
        std::unique_ptr<HartPort> port;
        std::unique_ptr<Hart> hart;
        std::unique_ptr<std::condition_variable_any> wake;
        u64 pages_version = 0;  // that its derived state is of
    };
    struct Watch {
        u64 paddr, bytes;
        Device* device;
    };

    void take_input();
    void fire_events();
    bool all_waiting() const;
    void end_turn();
    void spend_turn(u64 done);
    u64 slice_budget(u64 end) const;
    void schedule(u64 when, u32 owner, u32 tag);
    void hart_thread(unsigned number);
    void serve_until(const std::function<bool()>& leave);
    std::unique_lock<std::recursive_mutex> guard() const;
    void ram_written(u64 paddr, u64 bytes, u8 marks) override;
    void ram_moved(u64 frame) override;
    void mark(u64 frame, Ram::Mark mark);  // from now on
    void fixed_pages_changed();
    void follow_pages(Seat& seat);

    MachineConfig config_;
    Ram ram_;
    Bus bus_;
    Clock clock_;
    EventQueue events_;
    Journal journal_;
    std::vector<Attached> devices_;
    std::vector<Seat> harts_;
    std::vector<Watch> watches_;
    Device* controller_ = nullptr;
    std::optional<StopRequest> stop_;
    std::atomic<u64> time_offset_{0};    // state; harts of a parallel machine read it without the lock
    std::atomic<u64> pages_version_{0};  // of what devices let harts fetch from without asking
    Hart* running_ = nullptr;            // whose run() is under way (interleaved)
    // Of parallel machines only.
    mutable std::recursive_mutex devices_lock_;
    std::condition_variable_any served_;  // wakes the thread that serves events
    std::atomic<bool> leaving_{false};
    std::atomic<u64> parallel_ticks_{0};
    u64 wall_base_ = 0;

    struct State {
        u64 tick = 0;
        u64 turn_left = 0;
        u32 turn_hart = 0;
    } s_;
};
}  // namespace hartline
