// Entering blocks, and leaving them early with exact counts.
#include "cpu/interpreter/engine.hpp"

#include "cpu/interpreter/handlers.hpp"

namespace hartline {

Interpreter::Interpreter(HartPort& port, unsigned number, const HartConfig& config)
    : InterpreterContext{Context(port, number, config)},
      HartEngine(c_),
      scratch_(Block::size_for(kMostInBlock) / sizeof(u64) + 1) {
    reset();
}

// Takes back what the last block had not done.
bool Interpreter::advance() {
    c_.jump_tag = generation_ << 12 | c_.cpu.fetch_context;
    Exit exit = enter();
    while (exit == Exit::Run) exit = c_.block->insns[0].handler(c_, c_.block->insns);
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

void Interpreter::context_changed() {
    ++generation_;
    c_.jump_tag = generation_ << 12 | c_.cpu.fetch_context;
}

void Interpreter::forget_code() {
    blocks_.clear();
    context_changed();
}

void Interpreter::code_changed(u64 frame) {
    if (!blocks_.drop_frame(c_.cpu.ram.base() + (frame << kFrameShift))) return;
    context_changed();
    c_.leave = true;
}
}  // namespace hartline
