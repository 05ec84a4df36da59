// The interpreting engine: a hart whose blocks are decoded once and run by threaded handlers.
#pragma once
#include "core/hart.hpp"
#include "cpu/interpreter/context.hpp"
#include "cpu/observer.hpp"

namespace hartline {

class Interpreter final : public Hart, public Engine {
public:
    Interpreter(HartPort& port, unsigned number, const HartConfig& config);

    // --- Hart
    u64 run(u64 budget) override;
    u64 progress() const override;
    void cut(u64 budget) override;
    bool waiting() const override;
    bool gave_way() const override { return c_.cpu.gave_way; }
    void set_line(unsigned line, bool level) override;
    void on_event(u32 tag) override;
    void reset() override;
    void describe(Archive& archive) override;
    void drop_derived() override;
    void turn_ended() override { c_.cpu.s.reserved = false; }
    void code_changed(u64 frame) override;
    void frame_changed(u64 frame) override;
    u64 retired() const override { return c_.cpu.s.retired; }

    // --- Engine
    u64 retired_now() const override;
    u32 instruction_bits() const override;
    void stop_after_this() override { c_.leave = true; }
    void context_changed() override;
    void code_changed_elsewhere() override { forget_code_ = true; }

    Cpu& cpu() { return c_.cpu; }

private:
    bool watched() const { return c_.cpu.config.observer != nullptr; }
    void enter_trap(const Trap& trap);
    void enter_interrupt();
    void tell_trap(u64 pc, Privilege from);
    void forget_code();
    Exit enter();
    void settle(Exit exit);
    void set_limit();
    const Block* find_block(u64 pc);
    Block* decode_block(const Fetched& fetched);
    const Block* decode_single(u64 pc, const Fetched& fetched);
    const Block* shortened(const Block* block, unsigned count);

    Context c_;
    Commit notes_;  // of the instruction under way, where there is an observer
    BlockCache blocks_;
    std::vector<u64> scratch_;  // room for one block that is in no cache
    u64 generation_ = 1;        // of cached jumps
    u64 started_ = 0;           // s.retired when run() began
    u64 stalls_ = 0;            // ticks of this run() that retired nothing: a trap on the heels of a trap
    u64 budget_ = 0;
    bool running_ = false;
    bool forget_code_ = false;            // before the next block
    std::atomic<bool> timer_due_{false};  // by another thread (parallel machines)
};
}  // namespace hartline
