// The translating engine: the interpreter, and units of host code for what it finds itself doing often.
#pragma once
#include "cpu/interpreter/engine.hpp"
#include "cpu/jit/context.hpp"
#include "cpu/jit/plan.hpp"
#include "cpu/jit/translation_cache.hpp"

namespace hartline::jit {

struct JitHolder {
    JitContext context;
};

class Engine final : private JitHolder, public InterpretingEngine {
public:
    Engine(HartPort& port, unsigned number, const HartConfig& config);
    ~Engine() override;

    // --- Hart
    u64 run(u64 budget) override;
    bool code_changed(u64 paddr, u64 bytes) override;

    // Has a fence.i shown that another hart changed code of the frame? Units may be gone then.
    bool code_seen_changed(u64 frame_address) {
        const u8* const page = host_page(frame_address);
        return page == nullptr || see(frame_address, page);
    }
    // Physical address of the second page of a unit that has one.
    u64 second_frame(u32 unit) const { return cache_.unit(unit)->frames[1]; }

    // For translated code: settle_and_go_on(), find_way() and find_far().
    u64 go_on_after(Leave why);
    u64 find_way();
    u64 find_far();

    // --- Engine
    u64 retired_now() const override;
    void context_changed() override;

    // --- HartEngine
    const TranslatorStats* translator_stats() const override { return &c_.stats; }
    std::string translations_of(const CodeRange& range) const override;

private:
    // How blocks are entered: counting, and by their unit. (engine.cpp)
    static Exit count_entry(Context& context, const Insn* in);
    static Exit run_unit(Context& context, const Insn* in);

    void forget_code() override;
    void code_replaced(u64 paddr, u64 bytes) override;
    void block_made(Block& block) override { (void)adopt(block); }

    // --- engine.cpp
    // Runs the unit of the block that was entered, and what it leads to. Exit::Next: go on at s.pc;
    // Exit::Run: with the first instruction of Context::block, which counts as entered.
    Exit run(const Unit& unit);
    Exit run_units(const Unit* unit, u64 pc);
    Leave enter(u64 pc, const Unit& unit);
    void grant_budget();
    Exit interpret(u64 pc);
    bool settle(Leave why);
    void set_jump_tags();
    void forget_jumps();
    void complete_load(const Item& item);
    // The units to go on with; null: none yet.
    const Unit* unit_ahead();  // at leave_pc
    u64 code_ahead();          // of the same: its far entry; 0: none
    const Unit* after_link();
    const Item& item_of_site(u64 site_address) const;

    // --- translate.cpp
    void translate(Block& block);
    void cover(const Plan& plan, const std::array<u64, 2>& frames);
    bool install(Block& block, const Plan& plan, const std::array<u64, 2>& frames);
    // Null: it has none, or none any more. It counts anew then.
    const Unit* unit_of(Block& block) const;
    bool adopt(Block& block) const;  // with SeenCode::mutex: has somebody made its unit?
    bool make_room();
    void follow_epoch();

    JitContext& c_;
    TranslationCache& cache_;
    TranslationCache::Presence here_;
    u64 epoch_ = 0;  // of cache_, when it was last known that jumps are remembered to what is there
    u32 generation_ = 1;
};
}  // namespace hartline::jit
