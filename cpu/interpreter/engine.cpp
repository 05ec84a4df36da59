// Entering blocks, and leaving them early with exact counts.
#include "cpu/interpreter/engine.hpp"

#include <utility>

#include "cpu/interpreter/handlers.hpp"

namespace hartline {
namespace {
// The entry of a block that is no more: as if it had not been in the jump cache.
Exit enter_dropped(Context& c, const Insn*) {
    c.cpu.s.retired -= c.block->count;
    c.cpu.s.pc = c.block_pc;
    c.block = nullptr;
    return Exit::Look;
}
}  // namespace

InterpretingEngine::InterpretingEngine(Context& context, Handler entry)
    : HartEngine(context),
      c_(context),
      entry_handler_(entry),
      scratch_(Block::size_for(kMostInBlock) / sizeof(u64) + 1),
      seen_(c_.cpu.config.code ? c_.cpu.config.code : std::make_shared<SeenCode>(false)) {
    notes_.hart = c_.cpu.number;
    if (watched()) c_.cpu.notes = &notes_;
}

Interpreter::Interpreter(HartPort& port, unsigned number, const HartConfig& config)
    : InterpreterContext{Context(port, number, config)}, InterpretingEngine(context, nullptr) {
    Interpreter::reset();
}

// Takes back what the last block had not done.
bool InterpretingEngine::advance() {
    set_jump_tag();
    Exit exit = enter();
    while (exit == Exit::Run) exit = c_.block->entry(c_, c_.block->insns);
    HartState& s = c_.cpu.s;
    const Block* const block = c_.block;
    c_.block = nullptr;
    if (block != nullptr && (exit == Exit::Leave || exit == Exit::Trap)) {
        const u64 done = static_cast<u64>(c_.current - block->insns) + (exit == Exit::Leave ? 1 : 0);
        s.retired -= block->count - done;
        s.pc = c_.block_pc + block->offset(done);
    }
    return exit == Exit::Trap;
}

// A trap leaves its traces in the CSRs of the mode that it was taken to.
void InterpretingEngine::trap_entered(u64 pc, Privilege from) {
    if (!watched()) return;
    const HartState& s = c_.cpu.s;
    const bool machine = s.privilege == Privilege::Machine;
    const u64 cause = machine ? s.mcause : s.scause;
    constexpr u64 kNowhere = 1;  // no instruction's address
    c_.cpu.config.observer->trapped(
        {.hart = c_.cpu.number,
         .number = s.retired,
         .pc = pc,
         .interrupt = bit(cause, 63) != 0,
         .cause = bits(cause, 62, 0),
         .tval = machine ? s.mtval : s.stval,
         .from = from,
         .to = s.privilege,
         .begun = notes_.pc == pc && notes_.number == s.retired ? &notes_ : nullptr});
    notes_.pc = kNowhere;
}

// Runs from s.pc on. A block longer than what is left of the budget is run as a copy that ends there.
Exit InterpretingEngine::enter() {
    HartState& s = c_.cpu.s;
    const Block* block = find_block(s.pc);
    if (block == nullptr) return Exit::Trap;
    // The rest of a block that the budget cut short is none of the program's: it is worth no translation.
    const bool is_rest = std::exchange(rest_pc_, kNoRest) == s.pc && block->unit == 0;
    const u64 left = c_.limit - s.retired;
    if (block->count > left) {
        block = shortened(block, static_cast<unsigned>(left));
        rest_pc_ = s.pc + block->bytes;
    }
    s.retired += block->count;
    c_.block = block;
    c_.block_pc = s.pc;
    return (is_rest ? block->insns[0].handler : block->entry)(c_, block->insns);
}

u64 InterpretingEngine::retired_now() const {
    if (c_.block == nullptr) return c_.cpu.s.retired;
    return c_.cpu.s.retired - c_.block->count + c_.current_index();
}

void InterpretingEngine::context_changed() {
    ++generation_;
    set_jump_tag();
}

void InterpretingEngine::forget_blocks() {
    blocks_.clear();
    looks_.clear();
    context_changed();
}

void InterpretingEngine::forget_code() {
    const std::lock_guard lock(seen_->mutex);
    seen_->clear();
    forget_blocks();
}

bool InterpretingEngine::code_changed(u64 paddr, u64 bytes) {
    const BlockCache::Dropped dropped = blocks_.drop(paddr, bytes, enter_dropped);
    if (dropped.some) c_.leave = true;
    return !dropped.all;
}
}  // namespace hartline
