// An engine that lifts each block to IR, verifies it and evaluates it as it stands: a second opinion on the
// interpreter, and the reference for translators.
#pragma once
#include <array>
#include <memory>
#include <unordered_map>

#include "cpu/hart_engine.hpp"
#include "cpu/ir.hpp"

namespace hartline {

struct IrContext {
    RunContext c_;
};

class IrEngine : private IrContext, public HartEngine {
public:
    IrEngine(HartPort& port, unsigned number, const HartConfig& config);

    // --- Hart
    bool code_changed(u64 paddr, u64 bytes) override;

    // --- Engine. The evaluator counts instructions as they retire.
    u64 retired_now() const override { return c_.cpu.s.retired; }
    u32 instruction_bits() const override;
    void context_changed() override { ++generation_; }

private:
    struct Code {
        u64 paddr = 0, pc = 0;
        u32 raw = 0;  // of a single instruction that is in no cache: its bits
        IrBlock block;
    };
    // Where a pc was found to lead while `tag` is the current one.
    struct Slot {
        u64 pc = 1, tag = 0;
        const Code* code = nullptr;
    };
    using Blocks = std::unordered_map<u64, std::unique_ptr<Code>>;  // of a frame, by pc

    bool advance() override;
    void forget_code() override;
    u64 tag() const { return generation_ << 12 | c_.cpu.fetch_context; }
    const Code* find(u64 pc);
    const Code* lift_block(u64 pc, const Fetched& fetched);
    const Code* lift_single(u64 pc, const Fetched& fetched);

    std::unordered_map<u64, Blocks> frames_;  // by frame address
    std::vector<Blocks> dropped_;             // until no block is under way any more
    std::array<Slot, 4096> slots_{};
    Code single_;
    const Code* current_ = nullptr;
    u64 generation_ = 1;
    std::size_t held_ = 0;  // IR instructions in frames_
};
}  // namespace hartline
