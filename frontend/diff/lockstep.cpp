// Running two machines, and closing in on a difference by reloading.
#include "frontend/diff/lockstep.hpp"

#include <algorithm>

namespace hartline {
namespace {
// So many ticks are looked at one by one: a difference may heal again, which halving would miss.
constexpr u64 kOneByOne = 1 << 16;

u64 next_multiple(u64 tick, u64 of) { return tick + of - tick % of; }
}  // namespace

void Lockstep::remember() {
    snapshot_ = a_.machine().save();
    snapshot_tick_ = a_.tick();
}

void Lockstep::reload() {
    a_.load(snapshot_);
    b_.load(snapshot_);
}

void Lockstep::go_to(u64 tick) {
    for (Course* const course : {&a_, &b_})
        while (course->state() == Course::State::Running && course->tick() < tick)
            course->go_to(std::min(next_multiple(course->tick(), options_.glance), tick));
}

bool Lockstep::alike_but_ram() {
    return a_.state() == b_.state() && a_.tick() == b_.tick() && a_.hash_but_ram() == b_.hash_but_ram();
}

bool Lockstep::alike() { return alike_but_ram() && a_.machine().hash() == b_.machine().hash(); }

bool Lockstep::run() {
    remember();
    u64 equal = a_.tick(), since_kept = 0;
    while (a_.state() == Course::State::Running && a_.tick() < options_.most) {
        const u64 tick = a_.tick();
        const u64 whole = std::min(next_multiple(tick, options_.every), options_.most);
        const u64 to = std::min(next_multiple(tick, options_.glance), whole);
        go_to(to);
        const bool look_at_ram = to == whole || a_.state() != Course::State::Running;
        if (!(look_at_ram ? alike() : alike_but_ram())) {
            narrow(equal, to);
            return true;
        }
        if (!look_at_ram) continue;
        equal = to;
        if (options_.progress) options_.progress(to);
        if (++since_kept % options_.keep == 0) remember();
    }
    return false;
}

// They were alike at `from`, and are not at `to`. Leaves at most `width` ticks between the two.
void Lockstep::halve(u64& from, u64& to, u64 width) {
    while (to - from > width) {
        const u64 middle = from + (to - from) / 2;
        reload();
        go_to(middle);
        if (alike()) {
            remember();
            from = middle;
        } else {
            to = middle;
        }
    }
}

// From the snapshot.
bool Lockstep::differ_at(u64 tick) {
    reload();
    go_to(tick);
    return !alike();
}

void Lockstep::narrow(u64 from, u64 to) {
    reload();
    go_to(from);
    remember();
    const std::vector<u8> first = snapshot_;
    if (!narrow_by_steps(from, to)) {
        snapshot_ = first;
        snapshot_tick_ = from;
        narrow_by_ways(from, to);
    }
    reload();
}

// An engine that executes long pieces of code at once may err only there.
void Lockstep::narrow_by_ways(u64 from, u64 to) {
    if (!differ_at(to)) return;
    for (u64 alike_at = from; to - alike_at > 1;) {
        const u64 middle = alike_at + (to - alike_at) / 2;
        (differ_at(middle) ? to : alike_at) = middle;
    }
    differs_at_ = to;
}

// false: there is none, step by step.
bool Lockstep::narrow_by_steps(u64 from, u64 to) {
    halve(from, to, kOneByOne);
    reload();
    u64 tick = from;
    while (tick < to && alike_but_ram()) go_to(++tick);
    // What differs in registers may have come from memory that differed before.
    to = tick;
    reload();
    if (to > from + 1) {
        go_to(to - 1);
        if (alike()) {
            remember();
        } else {
            --to;
            halve(from, to, 1);
        }
    }
    if (!differ_at(snapshot_tick_ + 1)) return false;
    differs_at_ = snapshot_tick_ + 1;
    return true;
}
}  // namespace hartline
