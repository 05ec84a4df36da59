// Harts on threads of their own. RAM is shared through host atomics; devices, events and input are entered
// under one lock. Time is the host's, so such a run cannot be replayed.
#include <algorithm>
#include <chrono>
#include <exception>
#include <thread>

#include "core/machine.hpp"

namespace hartline {
namespace {
constexpr u64 kSlice = 20'000;     // instructions between looks at interrupts
constexpr u64 kNapNs = 2'000'000;  // longest wait of the thread that serves events and input
}  // namespace

void Machine::hart_thread(unsigned number) {
    Seat& seat = harts_[number];
    while (!leaving_) {
        follow_pages(seat);
        parallel_ticks_ += seat.hart->run(kSlice);
        if (!seat.hart->waiting()) {
            if (seat.hart->gave_way()) std::this_thread::yield();
            continue;
        }
        std::unique_lock lock(devices_lock_);
        seat.wake->wait(lock, [&] { return leaving_ || !seat.hart->waiting(); });
    }
}

void Machine::serve_until(const std::function<bool()>& leave) {
    std::unique_lock lock(devices_lock_);
    while (!stop_ && !leaving_ && !leave()) {
        take_input();
        fire_events();
        const u64 time = now(), next = events_.next();
        const u64 nap = next <= time ? 0 : std::min(next - time, kNapNs);
        served_.wait_for(lock, std::chrono::nanoseconds(nap));
    }
}

void Machine::run_parallel(const std::function<bool()>& leave) {
    leaving_ = false;
    const auto end_all = [this] {
        const std::lock_guard lock(devices_lock_);
        leaving_ = true;
        for (const Seat& seat : harts_) seat.wake->notify_all();
        served_.notify_one();
    };
    // The host's first failure, of any thread: it ends all of them, and is the caller's.
    std::exception_ptr failure;
    const auto shielded = [&](const auto& act) {
        try {
            act();
        } catch (...) {
            const std::lock_guard lock(devices_lock_);
            if (!failure) failure = std::current_exception();
            end_all();
        }
    };
    std::vector<std::thread> threads;
    shielded([&] {
        for (unsigned number = 0; number < harts(); ++number)
            threads.emplace_back([&, number] { shielded([&] { hart_thread(number); }); });
        serve_until(leave);
        end_all();
    });
    for (std::thread& thread : threads) thread.join();
    if (failure) std::rethrow_exception(failure);
}
}  // namespace hartline
