// From memory to IR blocks, and through the evaluator.
#include "cpu/ir_engine.hpp"

#include <stdexcept>

#include "cpu/decode.hpp"
#include "cpu/effects.hpp"
#include "cpu/ir_evaluator.hpp"
#include "cpu/lift.hpp"

namespace hartline {
namespace {
constexpr unsigned kMostLifted = 32;          // guest instructions a block
constexpr std::size_t kMostHeld = 2'000'000;  // IR instructions, of about 56 bytes

// A block that does not hold is a bug of lift.hpp, whatever the guest did.
void check(const IrBlock& block) {
    const std::string wrong = verify(block);
    if (!wrong.empty()) throw std::logic_error("IR: " + wrong + "\n" + print(block));
}
}  // namespace

IrEngine::IrEngine(HartPort& port, unsigned number, const HartConfig& config)
    : IrContext{RunContext(port, number, config)}, HartEngine(c_) {
    IrEngine::reset();
}

bool IrEngine::advance() {
    HartState& s = c_.cpu.s;
    dropped_.clear();
    do {
        current_ = find(s.pc);
        if (current_ == nullptr) return true;
        const Evaluation done = evaluate(current_->block, c_.cpu, {c_.limit - s.retired, &c_.leave});
        const bool called = current_->block.back().op == IrOp::Call;
        current_ = nullptr;
        if (done.trapped) return true;
        if (called) return false;
    } while (!c_.leave && s.retired < c_.limit);
    return false;
}

const IrEngine::Code* IrEngine::find(u64 pc) {
    Slot& slot = slots_[(pc >> 1) % slots_.size()];
    if (slot.pc == pc && slot.tag == tag()) return slot.code;
    const Fetched fetched = fetch(c_.cpu, pc);
    if (fetched.from == Fetched::From::Trap) return nullptr;
    if (fetched.from == Fetched::From::Halfword) return lift_single(pc, fetched);
    const Code* code = nullptr;
    if (const auto frame = frames_.find(fetched.paddr & ~(kFrameBytes - 1)); frame != frames_.end())
        if (const auto found = frame->second.find(pc); found != frame->second.end())
            code = found->second.get();
    if (code == nullptr) code = lift_block(pc, fetched);
    if (code == nullptr) return lift_single(pc, fetched);
    slot = {pc, tag(), code};
    return code;
}

// Null: the first instruction straddles two pages.
const IrEngine::Code* IrEngine::lift_block(u64 pc, const Fetched& fetched) {
    auto code = std::make_unique<Code>(Code{fetched.paddr, pc, 0, {}});
    u64 at = fetched.paddr % kFrameBytes;
    bool ended = false;
    for (unsigned count = 0; count < kMostLifted && at + 2 <= kFrameBytes && !ended; ++count) {
        u32 word = 0;
        if (!instruction_in(fetched.page, at, word)) break;
        const Decoded decoded = decode(word);
        lift(decoded.op, decoded.operands, pc, decoded.length, code->block);
        // Rows may end where the table does not say so: with a reserved rounding mode.
        ended = ends_block(decoded.op) || code->block.back().op != IrOp::End;
        at += decoded.length;
        pc += decoded.length;
    }
    if (code->block.empty()) return nullptr;
    check(code->block);
    const bool in_ram = c_.cpu.ram.contains(fetched.paddr, 1);  // a device's page tells by itself
    const u64 frame = in_ram ? c_.cpu.ram.frame_of(fetched.paddr) : 0;
    if (in_ram && !c_.cpu.port.parallel() && (c_.cpu.ram.marks(frame) & Ram::kCode) == 0)
        c_.cpu.port.code_decoded(frame);
    if (held_ + code->block.size() > kMostHeld) forget_code();
    held_ += code->block.size();
    code->block.shrink_to_fit();
    auto& place = frames_[fetched.paddr & ~(kFrameBytes - 1)][code->pc];
    place = std::move(code);
    return place.get();
}

// One instruction, for once.
const IrEngine::Code* IrEngine::lift_single(u64 pc, const Fetched& fetched) {
    u32 word = 0;
    if (!fetch_rest(c_.cpu, pc, fetched, word)) return nullptr;
    const Decoded decoded = decode(word);
    single_.paddr = fetched.paddr;
    single_.pc = pc;
    single_.raw = word;
    single_.block.clear();
    lift(decoded.op, decoded.operands, pc, decoded.length, single_.block);
    check(single_.block);
    return &single_;
}

u32 IrEngine::instruction_bits() const {
    if (current_ == &single_) return single_.raw;
    const u64 paddr = current_->paddr + (c_.cpu.s.pc - current_->pc);
    return code_at(c_.cpu, paddr);
}

// May be called by an instruction of a block that is dropped.
void IrEngine::forget_code() {
    for (auto& [frame, blocks] : frames_) dropped_.push_back(std::move(blocks));
    frames_.clear();
    held_ = 0;
    context_changed();
}

bool IrEngine::code_changed(u64 paddr, u64) {
    const auto found = frames_.find(paddr & ~(kFrameBytes - 1));
    if (found == frames_.end()) return false;
    for (const auto& [pc, code] : found->second) held_ -= code->block.size();
    dropped_.push_back(std::move(found->second));
    frames_.erase(found);
    context_changed();
    c_.leave = true;
    return false;
}
}  // namespace hartline
