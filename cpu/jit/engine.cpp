// Between the interpreter and translated code.
#include "cpu/jit/engine.hpp"

#include <algorithm>
#include <utility>

#include "cpu/jit/emitter.hpp"
#include "cpu/jit/helpers.hpp"
#include "cpu/lift.hpp"

namespace hartline::jit {
namespace {
constexpr u64 kMostLeft = u64{1} << 46;  // what the budget's 48 bits can hold, with a sign
// One miss in so many, times HartConfig::translate_after, links a jump to another page: linking stores to
// code, and where address spaces take turns it is not good for long.
constexpr u64 kFarMisses = 10, kMostFarMisses = 1 << 20;
using Enter = u32 (*)(JitContext*, u64);

using Left = TranslatorStats::Exit;
constexpr std::array kExitOf{Left::Link, Left::Indirect, Left::Interpret, Left::Trap,
                             Left::Stop, Left::Stop,     Left::Handed,    Left::Handed};  // by Leave

HartConfig with_cache(HartConfig config) {
    if (config.code == nullptr)
        config.code = std::make_shared<TranslationCache>(config.code_cache_bytes, false);
    return config;
}
}  // namespace

// Only these two call handlers, as their last acts: see kTailCalls.
Exit Engine::run_unit(Context& base, const Insn* in) {
    auto& c = static_cast<JitContext&>(base);
    const Unit* const unit = c.engine->unit_of(const_cast<Block&>(*c.block));
    if (unit == nullptr) [[unlikely]]
        return count_entry(base, in);
    const Exit exit = c.engine->run(*unit);
    if (exit == Exit::Next) return dispatch(c, c.cpu.s.pc);
    if (exit == Exit::Run) return c.block->insns[0].handler(c, c.block->insns);
    return exit;
}
Exit Engine::count_entry(Context& base, const Insn* in) {
    auto& c = static_cast<JitContext&>(base);
    auto* const block = const_cast<Block*>(c.block);
    ++block->heat;
    if (++block->trigger != c.cpu.config.translate_after) [[likely]]
        return in->handler(c, in);
    c.engine->translate(*block);
    return block->unit == 0 ? in->handler(c, in) : run_unit(base, in);
}

Engine::Engine(HartPort& port, unsigned number, const HartConfig& config)
    : JitHolder{JitContext(port, number, with_cache(config))},
      InterpretingEngine(context, count_entry),
      c_(context),
      cache_(dynamic_cast<TranslationCache&>(*c_.cpu.config.code)) {
    c_.engine = this;
    c_.mxcsr_host = kMxcsrDefault;
    {
        const std::lock_guard lock(cache_.mutex);
        cache_.join(here_, c_);
    }
    c_.code_base = cache_.code().base();
    forget_jumps();
    reset();
}

Engine::~Engine() {
    const std::lock_guard lock(cache_.mutex);
    cache_.leave(here_);
}

u64 Engine::run(u64 budget) {
    const TranslationCache::Visit visit(cache_, here_);
    follow_epoch();
    return HartEngine::run(budget);
}

// --- running

// What translated code may use up before it must come back.
void Engine::grant_budget() {
    const u64 retired = c_.cpu.s.retired;
    const u64 left = std::min(c_.limit - retired, kMostLeft);
    c_.limit_at_entry = retired + left;
    c_.left = left << kBudgetShift | kBextrControl;
}

// Enters a unit at `pc`; the budget is at least its charge. Gives the reason why it came back.
Leave Engine::enter(u64 pc, const Unit& unit) {
    grant_budget();
    c_.page = pc & ~kPageMask;
    set_jump_tags();
    set_rounding(c_);
    const auto why = reinterpret_cast<Enter>(cache_.stubs().enter)(&c_, c_.code_base + unit.near_entry);
    settle_fp(c_);
    c_.site = 0;
    if (c_.failure) [[unlikely]]
        std::rethrow_exception(std::exchange(c_.failure, nullptr));
    const auto leave = static_cast<Leave>(why);
    if (leave != Leave::Settled) ++c_.stats.exits[static_cast<std::size_t>(kExitOf[why])];
    return leave;
}

u64 Engine::go_on_after(Leave why) {
    HartState& s = c_.cpu.s;
    settle_fp(c_);
    ++c_.stats.exits[static_cast<std::size_t>(kExitOf[static_cast<std::size_t>(why)])];
    if (why != Leave::HandedTrap && why != Leave::HandedStop)
        s.retired = c_.limit_at_entry - (c_.left >> kBudgetShift);
    const bool goes_on = go_on(settle(why));
    grant_budget();
    if (!goes_on) return 0;
    set_jump_tags();  // of another mode or address space, perhaps
    set_rounding(c_);
    c_.leave_pc = s.pc;
    const JumpEntry& entry = c_.jump_entries[c_.jump_index(s.pc)];
    return entry.pc == s.pc ? entry.code : cache_.stubs().leave_indirect;
}

Exit Engine::run(const Unit& unit) {
    HartState& s = c_.cpu.s;
    s.retired -= c_.block->count;
    const u64 before = s.retired;
    const Exit exit = run_units(&unit, c_.block_pc);
    c_.stats.retired += s.retired - before - (exit == Exit::Run ? c_.block->count : 0);
    return exit;
}

Exit Engine::run_units(const Unit* unit, u64 pc) {
    HartState& s = c_.cpu.s;
    for (;;) {
        if (c_.limit - s.retired < unit->charge) return interpret(pc);
        c_.block = nullptr;
        const Leave why = enter(pc, *unit);
        s.retired = c_.limit_at_entry - (c_.left >> kBudgetShift);
        switch (why) {
            case Leave::Link: unit = after_link(); break;
            case Leave::Indirect: unit = nullptr; break;
            case Leave::Interpret: return interpret(c_.leave_pc);
            default: return Exit::System;
        }
        pc = c_.leave_pc;
        if (unit == nullptr) {
            s.pc = pc;
            return Exit::Next;
        }
    }
}

// At least one instruction, whether or not there is a unit.
Exit Engine::interpret(u64 pc) {
    HartState& s = c_.cpu.s;
    c_.block = nullptr;
    s.pc = pc;
    if (s.retired >= c_.limit) return Exit::Look;
    const Block* const block = find_block(pc);
    if (block == nullptr) return Exit::Trap;
    if (s.retired + block->count > c_.limit) return Exit::Look;
    s.retired += block->count;
    c_.block = block;
    c_.block_pc = pc;
    return Exit::Run;
}

void Engine::set_jump_tags() {
    set_jump_tag();
    c_.jump_tag32 =
        generation_ << kTagContextBits | static_cast<u32>(c_.cpu.fetch_context >> Tlb::kContextShift);
    c_.jump_key = u64{c_.jump_tag32 % kJumpEntries} << 1;
    c_.far_key = u64{c_.jump_tag32 % kFarKeys} << 1 | 1;
}

void Engine::forget_jumps() {
    const JumpEntry empty{.code = cache_.stubs().leave_indirect};
    c_.jump_entries.fill(empty);
    c_.jumps_before.fill(empty);
}

// After an instruction that trapped (true), or behind which the hart must look at the world.
bool Engine::settle(Leave why) {
    HartState& s = c_.cpu.s;
    const u64 site = std::exchange(c_.site, 0);
    if (why == Leave::HandedTrap) return true;
    if (why == Leave::HandedStop) return false;
    const Item& item = item_of_site(site);
    s.pc = c_.page + static_cast<u64>(item.offset);
    s.retired -= item.remaining;
    if (why == Leave::Trap) return true;
    if (why == Leave::StopLoaded) complete_load(item);
    s.pc += item.decoded.length;
    ++s.retired;
    return false;
}

// What follows a load in its row: the value reaches its register.
void Engine::complete_load(const Item& item) {
    IrBlock ir;
    lift(item.decoded.op, item.decoded.operands, 0, item.decoded.length, ir);
    u64 value = c_.loaded;
    for (const IrInst& inst : ir) {
        if (inst.op == IrOp::Load && inst.is_signed) value = sign_extend(value, inst.width);
        if (inst.op == IrOp::Box) value |= ~u64{0} << inst.width;
        if (inst.op == IrOp::SetX) c_.cpu.s.x[inst.reg] = value;
        if (inst.op == IrOp::SetF) c_.cpu.s.f[inst.reg] = value;
    }
}

const Unit* Engine::after_link() {
    const Link& from = cache_.link(c_.leave_detail);
    c_.leave_pc = c_.page + static_cast<u64>(static_cast<i64>(from.offset));
    const std::lock_guard lock(cache_.mutex);
    const Unit* const to = cache_.find(from.frame + static_cast<u64>(from.offset));
    if (to == nullptr) return nullptr;
    ++c_.stats.linked;
    cache_.connect(c_.leave_detail, *to);
    return to;
}

const Unit* Engine::unit_ahead() {
    HartState& s = c_.cpu.s;
    s.retired = c_.limit_at_entry - (c_.left >> kBudgetShift);
    if (s.retired >= c_.limit) return nullptr;
    const Block* const block = find_block(c_.leave_pc);  // null: dispatch() will meet the trap again
    return block == nullptr ? nullptr : unit_of(const_cast<Block&>(*block));
}

// By what was fetched from lately, where nothing else can have changed it meanwhile: another hart.
u64 Engine::code_ahead() {
    const u64 pc = c_.leave_pc;
    const Tlb& tlb = c_.cpu.tlb;
    const bool known = tlb.tag(Access::Fetch, pc) == Tlb::key(pc, 1, c_.cpu.fetch_context);
    if (known && !c_.cpu.port.parallel()) {
        const u32 far_entry =
            cache_.far_entry_of(tlb.frame(Access::Fetch, pc) << kFrameShift | (pc & kPageMask));
        if (far_entry != 0) return c_.code_base + far_entry;
    }
    const Unit* const to = unit_ahead();
    return to == nullptr ? 0 : c_.code_base + to->far_entry;
}

u64 Engine::find_way() {
    const u64 code = code_ahead();
    if (code == 0) return 0;
    const u64 pc = c_.leave_pc;
    ++c_.stats.jump_inserts;
    const std::size_t at = c_.jump_index(pc);
    JumpEntry& entry = c_.jump_entries[at];
    if (entry.pc != pc) c_.jumps_before[at] = entry;  // one of them at most has the address
    entry = {pc, code};
    return code;
}

u64 Engine::find_far() {
    c_.far_misses = static_cast<u32>(std::min(kFarMisses * c_.cpu.config.translate_after, kMostFarMisses));
    const Link& from = cache_.link(c_.leave_detail);
    c_.leave_pc = c_.page + static_cast<u64>(i64{from.offset});
    const Unit* const to = unit_ahead();
    if (to == nullptr) return 0;
    ++c_.stats.linked;
    const std::lock_guard lock(cache_.mutex);
    cache_.connect(c_.leave_detail, *to, c_.page ^ c_.far_key);
    return c_.code_base + to->far_entry;
}

u64 Engine::retired_now() const {
    if (c_.block != nullptr || c_.site == 0) return InterpretingEngine::retired_now();
    return c_.limit_at_entry - (c_.left >> kBudgetShift) - item_of_site(c_.site).remaining;
}

const Item& Engine::item_of_site(u64 site_address) const {
    const u32 after = static_cast<u32>(site_address - c_.code_base);
    const Unit& unit = [&]() -> const Unit& {
        const std::lock_guard lock(cache_.mutex);
        return cache_.unit_of_code(after);
    }();
    const auto site = std::lower_bound(unit.sites.begin(), unit.sites.end(), after,
                                       [](const Site& x, u32 at) { return x.after < at; });
    return unit.items[site->item];
}
}  // namespace hartline::jit
