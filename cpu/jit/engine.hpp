// The translating engine: the interpreter, and units of host code for what it finds itself doing often.
#pragma once
#include <unordered_map>

#include "cpu/interpreter/engine.hpp"
#include "cpu/jit/code_cache.hpp"
#include "cpu/jit/context.hpp"
#include "cpu/jit/plan.hpp"
#include "cpu/jit/stubs.hpp"
#include "cpu/jit/unit.hpp"

namespace hartline::jit {

struct JitHolder {
    JitContext context;
};

class Engine final : private JitHolder, public InterpretingEngine {
public:
    Engine(HartPort& port, unsigned number, const HartConfig& config);

    // --- Hart
    bool code_changed(u64 paddr, u64 bytes) override;

    // Has a fence.i shown that another hart changed code of the frame? Units may be gone then.
    bool code_seen_changed(u64 frame_address) { return see(frame_address); }

    // For translated code: settle_and_go_on().
    u64 go_on_after(Leave why);

    // --- Engine
    u64 retired_now() const override;
    void context_changed() override;

    // --- HartEngine
    const TranslatorStats* translator_stats() const override { return &c_.stats; }
    std::string translations_of(const CodeRange& range) const override;

private:
    // A unit's place in the cache, for finding it by an address in it.
    struct Place {
        u32 begin;
        u32 number;
        const Unit* unit;  // gone, if units_[number] is another
    };

    // How blocks are entered: counting, and by their unit. (engine.cpp)
    static Exit count_entry(Context& context, const Insn* in);
    static Exit run_unit(Context& context, const Insn* in);

    void forget_code() override;

    // --- engine.cpp
    // Runs the unit of the block that was entered, and what it leads to. Exit::Next: go on at s.pc;
    // Exit::Run: with the first instruction of Context::block, which counts as entered.
    Exit run(const Block& block);
    Exit run_units(const Unit* unit, u64 pc);
    Leave enter(u64 pc, const Unit& unit);
    void grant_budget();
    Exit interpret(u64 pc);
    bool settle(Leave why);
    void set_jump_tags();
    void complete_load(const Item& item);
    // The unit to go on with; null: none yet.
    const Unit* after_link();
    const Unit* after_indirect();
    const Item& item_of_site(u64 site_address) const;

    // --- translate.cpp
    void translate(Block& block);
    void cover(const Plan& plan, const std::array<u64, 2>& frames);
    bool install(Block& block, const Plan& plan, const std::array<u64, 2>& frames);
    const Unit* unit_at(u64 paddr) const;
    Link& link(u32 number) { return units_[number / kMostLinks]->links[number % kMostLinks]; }
    u32 new_number();
    void drop(u32 number);
    void make_room();
    void evict(unsigned part);
    static void cool(Block& block);  // as if it had just been decoded
    void drop_all();

    JitContext& c_;
    CodeCache cache_;
    Stubs stubs_;
    std::vector<std::unique_ptr<Unit>> units_;    // by number, from 1 on; null: dropped
    std::vector<std::unique_ptr<Unit>> dropped_;  // one of which may be under way
    std::vector<u32> free_numbers_;
    std::array<std::vector<Place>, CodeCache::kParts> places_;  // by part of the cache, and in it by begin
    std::unordered_map<u64, std::vector<u32>> by_frame_;
    u32 generation_ = 1;
};
}  // namespace hartline::jit
