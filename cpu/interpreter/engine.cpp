// The run loop: interrupts and budget between blocks, traps and early exits settled exactly.
#include "cpu/interpreter/engine.hpp"

#include <algorithm>
#include <cstring>

#include "cpu/counters.hpp"
#include "cpu/interpreter/handlers.hpp"

namespace hartline {

Interpreter::Interpreter(HartPort& port, unsigned number, const HartConfig& config)
    : c_(port, number, config), scratch_(Block::size_for(kMostInBlock) / sizeof(u64) + 1) {
    c_.cpu.engine = this;
    reset();
}

void Interpreter::set_limit() {
    const u64 until_overflow = instructions_until_overflow(c_.cpu);
    const u64 left = budget_ - std::min(budget_, progress());
    c_.limit = c_.cpu.s.retired + std::min(left, until_overflow);
}

u64 Interpreter::run(u64 budget) {
    HartState& s = c_.cpu.s;
    started_ = s.retired;
    stalls_ = 0;
    budget_ = budget;
    c_.block = nullptr;
    c_.cpu.gave_way = false;
    running_ = true;
    if (timer_due_.exchange(false)) update_timer(c_.cpu);
    while (progress() < budget_ && !c_.cpu.gave_way) {
        if (s.waiting) {
            if (!interrupt_wakes(c_.cpu)) break;
            s.waiting = false;
        }
        if (forget_code_) forget_code();
        take_interrupt(c_.cpu);
        c_.jump_tag = generation_ << 12 | c_.cpu.fetch_context;
        set_limit();
        c_.leave = false;
        Exit exit = enter();
        while (exit == Exit::Run) exit = c_.block->insns[0].handler(c_, c_.block->insns);
        settle(exit);
    }
    running_ = false;
    return progress();
}

// Takes back what the current block had not done, and finishes what its last instruction began.
void Interpreter::settle(Exit exit) {
    HartState& s = c_.cpu.s;
    const Block* const block = c_.block;
    c_.block = nullptr;
    if (block != nullptr && (exit == Exit::Leave || exit == Exit::Trap)) {
        const u64 done = static_cast<u64>(c_.current - block->insns) + (exit == Exit::Leave ? 1 : 0);
        s.retired -= block->count - done;
        s.pc = c_.block_pc + block->offset(done);
    }
    if (exit == Exit::Trap) {
        if (s.trapped_at == s.retired) ++stalls_;
        s.trapped_at = s.retired;
        take_trap(c_.cpu, c_.cpu.pending);
    }
    check_overflow(c_.cpu);
}

// Runs from s.pc on. A block longer than what is left of the budget is run as a copy that ends there.
Exit Interpreter::enter() {
    HartState& s = c_.cpu.s;
    const Block* block = find_block(s.pc);
    if (block == nullptr) return Exit::Trap;
    const u64 left = c_.limit - s.retired;
    if (block->count > left) block = shortened(block, static_cast<unsigned>(left));
    s.retired += block->count;
    c_.block = block;
    c_.block_pc = s.pc;
    return block->insns[0].handler(c_, block->insns);
}

u64 Interpreter::retired_now() const {
    if (c_.block == nullptr) return c_.cpu.s.retired;
    return c_.cpu.s.retired - c_.block->count + c_.current_index();
}
u64 Interpreter::progress() const { return retired_now() - started_ + stalls_; }

void Interpreter::cut(u64 budget) {
    budget_ = std::min(budget_, std::max(budget, progress() + 1));
    c_.leave = true;
}

bool Interpreter::waiting() const { return c_.cpu.s.waiting && !timer_due_ && !interrupt_wakes(c_.cpu); }

void Interpreter::set_line(unsigned line, bool level) {
    const u64 mask = u64{1} << (line % 64);
    if (level)
        c_.cpu.lines.fetch_or(mask);
    else
        c_.cpu.lines.fetch_and(~mask);
    if (!c_.cpu.port.parallel() && running_) c_.leave = true;  // running_ is for the hart's own thread
}

// A parallel machine's events come on another thread than the hart's.
void Interpreter::on_event(u32) {
    if (c_.cpu.port.parallel())
        timer_due_ = true;
    else
        update_timer(c_.cpu);
}

void Interpreter::reset() {
    c_.cpu.lines = 0;
    hartline::reset(c_.cpu);
    drop_derived();
}

void Interpreter::describe(Archive& archive) {
    c_.cpu.s.describe(archive);
    u64 lines = c_.cpu.lines;
    archive.field("lines", lines);
    c_.cpu.lines = lines;
    if (archive.loading()) {
        drop_derived();
        update_regimes(c_.cpu);
    }
}

void Interpreter::drop_derived() {
    pmp_changed(c_.cpu);
    forget_code();
}

void Interpreter::context_changed() {
    ++generation_;
    c_.jump_tag = generation_ << 12 | c_.cpu.fetch_context;
}

void Interpreter::forget_code() {
    forget_code_ = false;
    blocks_.clear();
    context_changed();
}

void Interpreter::code_changed(u64 frame) {
    if (!blocks_.drop_frame(c_.cpu.ram.base() + (frame << kFrameShift))) return;
    context_changed();
    c_.leave = true;
}

void Interpreter::frame_changed(u64 frame) {
    c_.cpu.tlb.flush_frame(c_.cpu.ram.base() + (frame << kFrameShift));
}
}  // namespace hartline
