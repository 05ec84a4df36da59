// The interpreting engine: a hart whose blocks are decoded once and run by threaded handlers.
#pragma once
#include "cpu/interpreter/context.hpp"
#include "cpu/interpreter/seen_code.hpp"
#include "cpu/observer.hpp"

namespace hartline {

// Apart, so that it is there before the base class that works on it.
struct InterpreterContext {
    Context context;
};

class InterpretingEngine : public HartEngine {
public:
    // --- Hart
    bool code_changed(u64 paddr, u64 bytes) override;

    // --- Engine
    u64 retired_now() const override;
    u32 instruction_bits() const override;
    void context_changed() override;
    void code_changed_elsewhere() override;

protected:
    // `entry`: how blocks are entered; null: by their first instruction.
    InterpretingEngine(Context& context, Handler entry);
    void forget_code() override;
    void set_jump_tag() { c_.jump_tag = generation_ << kFrameShift | c_.cpu.fetch_context; }
    // The block at `pc`, decoded if need be. Null: fetching its first instruction traps (Cpu::pending).
    const Block* find_block(u64 pc);
    Block* known_block(u64 paddr) const { return blocks_.find(paddr); }
    void note_code(u64 paddr);
    // The frame's page, where it is fetched from by its host address: RAM, or a device's that stays as it is.
    // Null: a device's that does not now, though the hart may still have it in its TLB.
    const u8* host_page(u64 paddr) const;
    // The frame's page, as instructions are decoded from it: what is made of them stays equal to it. With
    // SeenCode::mutex. `page` is its host_page(), and null if that is.
    const u8* page_of_code(u64 paddr, const u8* page);
    // Between harts on threads: makes sure that the frame's copy is as new as the last fence.i. true: the
    // hart has not seen it like that before.
    bool see(u64 paddr, const u8* page);
    // The bytes of the copy are others now; with SeenCode::mutex.
    virtual void code_replaced(u64 /*paddr*/, u64 /*bytes*/) {}
    // A block was decoded; with SeenCode::mutex.
    virtual void block_made(Block& /*block*/) {}
    bool watched() const { return c_.cpu.config.observer != nullptr; }

private:
    bool advance() override;
    void trap_entered(u64 pc, Privilege from) override;
    Exit enter();
    Block* decode_block(u64 paddr, const u8* host);
    const Block* decode_single(u64 pc, const Fetched& fetched);
    const Block* shortened(const Block* block, unsigned count);

    void forget_blocks();

    Context& c_;
    const Handler entry_handler_;
    Commit notes_;  // of the instruction under way, where there is an observer
    BlockCache blocks_;
    std::vector<u64> scratch_;  // room for one block that is in no cache
    u64 generation_ = 1;        // of cached jumps
    const std::shared_ptr<SeenCode> seen_;
    std::unordered_map<u64, SeenCode::Look> looks_;  // by frame address
    u64 fence_ = 0;                                  // number of this hart's last one
    static constexpr u64 kNoRest = 1;                // no instruction's address
    u64 rest_pc_ = kNoRest;  // where the last block goes on, if the budget cut it short
};

class Interpreter final : private InterpreterContext, public InterpretingEngine {
public:
    Interpreter(HartPort& port, unsigned number, const HartConfig& config);
};
}  // namespace hartline
