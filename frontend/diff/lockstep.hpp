// Two machines that should be one: run side by side, compared by state hashes, and the first instruction
// found after which they differ.
#pragma once
#include <functional>
#include <optional>

#include "frontend/diff/course.hpp"

namespace hartline {

struct LockstepOptions {
    u64 every = 1'000'000;                        // ticks between comparisons of everything, RAM included
    u64 glance = 65'536;                          // ticks between comparisons of everything but RAM
    u64 keep = 64;                                // full comparisons between two snapshots
    u64 most = ~u64{0};                           // the tick at which it is enough
    std::function<void(u64 tick)> progress = {};  // after each full comparison
};

class Lockstep {
public:
    // Both are in equal states, and hermetic. They may differ in nothing but their harts' engine.
    Lockstep(Machine& a, Machine& b, const LockstepOptions& options) : a_(a), b_(b), options_(options) {}

    // true: they differ. Both are then loaded from snapshot(), where they were last alike, and differ at
    // differs_at() when they go there. false: they were alike until they stopped, or up to `most`.
    bool run();

    Course& a() { return a_; }
    Course& b() { return b_; }
    const std::vector<u8>& snapshot() const { return snapshot_; }
    u64 snapshot_tick() const { return snapshot_tick_; }
    // One instruction behind the snapshot, unless an engine errs only on longer ways: then the least tick at
    // which they are found to differ when they go there by as few stops as run() makes. 0: not even then; the
    // engine remembered what no snapshot holds.
    u64 differs_at() const { return differs_at_; }
    // To a tick, by the stops that run() makes.
    void go_to(u64 tick);

private:
    void remember();
    void reload();
    bool alike_but_ram();
    bool alike();
    bool differ_at(u64 tick);
    void narrow(u64 from, u64 to);
    bool narrow_by_steps(u64 from, u64 to);
    void narrow_by_ways(u64 from, u64 to);
    void halve(u64& from, u64& to, u64 width);

    Course a_, b_;
    const LockstepOptions options_;
    std::vector<u8> snapshot_;  // the last state that was seen to be equal
    u64 snapshot_tick_ = 0, differs_at_ = 0;
};
}  // namespace hartline
