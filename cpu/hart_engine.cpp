// The run loop: interrupts and budget between blocks, traps settled exactly.
#include "cpu/hart_engine.hpp"

#include <algorithm>

#include "cpu/counters.hpp"

namespace hartline {

// Between blocks, when the count of the state is exact.
u64 HartEngine::done() const { return r_.cpu.s.retired - started_ + stalls_; }

void HartEngine::set_limit() {
    const HartState& s = r_.cpu.s;
    const u64 left = budget_ - std::min(budget_, done());
    r_.limit = s.retired + std::min(left, instructions_until_overflow(s, s.retired));
}

u64 HartEngine::run(u64 budget) {
    HartState& s = r_.cpu.s;
    started_ = s.retired;
    stalls_ = 0;
    budget_ = budget;
    r_.cpu.gave_way = false;
    running_ = true;
    if (timer_due_.exchange(false)) update_timer(r_.cpu);
    while (done() < budget_ && !r_.cpu.gave_way) {
        if (s.waiting) {
            if (!interrupt_wakes(r_.cpu)) break;
            s.waiting = false;
        }
        if (forget_code_) {
            forget_code_ = false;
            forget_code();
        }
        if (r_.cpu.contexts_stale) update_regimes(r_.cpu);
        if (interrupt_wakes(r_.cpu)) enter_interrupt();
        set_limit();
        r_.leave = false;
        entry_ = s.pc;
        if (advance()) enter_trap();
        if (s.retired >= s.overflow_at) check_overflow(r_.cpu);
    }
    running_ = false;
    return done();
}

bool HartEngine::go_on(bool trapped) {
    HartState& s = r_.cpu.s;
    if (trapped) enter_trap();
    if (s.retired >= s.overflow_at) check_overflow(r_.cpu);
    if (done() >= budget_ || r_.cpu.gave_way || s.waiting || forget_code_) return false;
    if (r_.cpu.contexts_stale) update_regimes(r_.cpu);
    if (interrupt_wakes(r_.cpu)) enter_interrupt();
    set_limit();
    r_.leave = false;
    entry_ = s.pc;
    return true;
}

void HartEngine::enter_interrupt() {
    const u64 pc = r_.cpu.s.pc;
    const Privilege from = r_.cpu.s.privilege;
    if (take_interrupt(r_.cpu)) trap_entered(pc, from);
}

void HartEngine::enter_trap() {
    HartState& s = r_.cpu.s;
    const u64 pc = s.pc;
    const Privilege from = s.privilege;
    if (s.trapped_at == s.retired) ++stalls_;
    s.trapped_at = s.retired;
    take_trap(r_.cpu, r_.cpu.pending);
    trap_entered(pc, from);
}

u64 HartEngine::progress() const { return retired_now() - started_ + stalls_; }

void HartEngine::cut(u64 budget) {
    budget_ = std::min(budget_, std::max(budget, progress() + 1));
    r_.leave = true;
}

bool HartEngine::waiting() const { return r_.cpu.s.waiting && !timer_due_ && !interrupt_wakes(r_.cpu); }

void HartEngine::set_line(unsigned line, bool level) {
    const u64 mask = u64{1} << (line % 64);
    if (level)
        r_.cpu.lines.fetch_or(mask);
    else
        r_.cpu.lines.fetch_and(~mask);
    if (!r_.cpu.port.parallel() && running_) r_.leave = true;  // in parallel, by another thread
}

// A parallel machine's events come on another thread than the hart's.
void HartEngine::time_changed() {
    if (r_.cpu.port.parallel()) {
        timer_due_ = true;
        return;
    }
    update_timer(r_.cpu);
    r_.leave = true;
}

void HartEngine::reset() {
    r_.cpu.lines = 0;
    hartline::reset(r_.cpu);
    drop_derived();
}

void HartEngine::describe(Archive& archive) {
    r_.cpu.s.describe(archive);
    u64 lines = r_.cpu.lines;
    archive.field("lines", lines);
    r_.cpu.lines = lines;
    if (archive.loading()) {
        drop_derived();
        update_regimes(r_.cpu);
    }
}

void HartEngine::drop_derived() {
    pmp_changed(r_.cpu);
    forget_code_ = false;
    forget_code();
}

void HartEngine::frame_changed(u64 frame) {
    r_.cpu.tlb.flush_frame(r_.cpu.ram.base() + (frame << kFrameShift));
}

void HartEngine::frame_marked(u64 frame) {
    r_.cpu.tlb.flush_stores(r_.cpu.ram.base() + (frame << kFrameShift));
}
}  // namespace hartline
