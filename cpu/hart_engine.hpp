// What all engines share: a hart's life between blocks of instructions. Budgets, interrupts, traps, overflows
// of counters, events, state; an engine adds how instructions are executed.
#pragma once
#include "core/hart.hpp"
#include "cpu/cpu.hpp"
#include "cpu/translator_stats.hpp"

namespace hartline {

// What an engine works on; engines add to it.
struct RunContext {
    RunContext(HartPort& port, unsigned number, const HartConfig& config) : cpu(port, number, config) {}

    Cpu cpu;             // first: see Cpu
    u64 limit = 0;       // the value of s.retired at which the budget ends
    bool leave = false;  // stop after the current instruction
};

class HartEngine : public Hart, public Engine {
public:
    // --- Hart
    u64 run(u64 budget) override;
    u64 progress() const override;
    void cut(u64 budget) override;
    bool waiting() const override;
    bool gave_way() const override { return r_.cpu.gave_way; }
    void set_line(unsigned line, bool level) override;
    void on_event(u32) override { time_changed(); }
    void time_changed() override;
    void reset() override;
    void describe(Archive& archive) override;
    void drop_derived() override;
    void turn_ended() override { r_.cpu.s.reserved = false; }
    void frame_changed(u64 frame) override;
    void frame_marked(u64 frame) override;
    u64 retired() const override { return r_.cpu.s.retired; }

    // --- Engine
    void stop_after_this() override { r_.leave = true; }
    void code_changed_elsewhere() override { forget_code_ = r_.leave = true; }

    Cpu& cpu() { return r_.cpu; }
    const Cpu& cpu() const { return r_.cpu; }
    // Null: it does not translate.
    virtual const TranslatorStats* translator_stats() const { return nullptr; }
    // Units that hold one of the instructions, in words.
    virtual std::string translations_of(const CodeRange&) const { return {}; }
    // Where the last run() last looked at interrupts: after run(1) that is the instruction that retired.
    u64 last_entry() const { return entry_; }

protected:
    // `context` is the engine's own, and already there.
    explicit HartEngine(RunContext& context) : r_(context) { r_.cpu.engine = this; }

    // Executes from s.pc on, at most until s.retired is `limit`, `leave` is set or a system function was
    // called. true: the instruction at s.pc trapped (Cpu::pending) and did not retire.
    virtual bool advance() = 0;
    // What run() does between two advances, for an engine that goes on by itself. false: it must return to
    // run().
    bool go_on(bool trapped);
    // A trap or an interrupt was taken at `pc`: for observers.
    virtual void trap_entered(u64 /*pc*/, Privilege /*from*/) {}
    virtual void forget_code() = 0;  // drops whatever was made of instructions

private:
    u64 done() const;
    void set_limit();
    void enter_interrupt();
    void enter_trap();

    RunContext& r_;
    u64 started_ = 0;  // s.retired when run() began
    u64 stalls_ = 0;   // ticks of this run() that retired nothing: a trap on the heels of a trap
    u64 budget_ = 0;
    u64 entry_ = 0;
    bool running_ = false;
    bool forget_code_ = false;            // before the next block
    std::atomic<bool> timer_due_{false};  // by another thread (parallel machines)
};
}  // namespace hartline
