// A unit as a whole: its entries, its segments in order, and what is emitted behind them.
#include "cpu/jit/emitter.hpp"

#include <algorithm>

#include "cpu/effects.hpp"
#include "cpu/interpreter/handlers.hpp"
#include "cpu/jit/float_use.hpp"
#include "cpu/lift.hpp"

namespace hartline::jit {
namespace {
// The end of what is handed to the interpreter.
Exit handed_end(Context&, const Insn*) { return Exit::Next; }
}  // namespace

Emitter::Emitter(const JitContext& context, const Stubs& stubs, const Plan& plan, const Place& place)
    : c_(context),
      stubs_(stubs),
      plan_(plan),
      base_(place.base),
      offset_(place.offset),
      unit_(place.unit),
      frames_(place.frames) {
    code_.init(asmjit::Environment::host(), base_);
    code_.attach(&a);
    a.addEncodingOptions(asmjit::EncodingOptions::kOptimizedAlign);  // one NOP
}

bool Emitter::emit(Result& result) {
    out_ = &result;
    for (std::size_t i = 0; i < plan_.items.size(); ++i) labels_.push_back(a.newLabel());
    choose_registers();
    choose_float_homes();
    fp_state_ = std::any_of(plan_.items.begin(), plan_.items.end(), [](const Item& item) {
        return is_floating_point(row(item.decoded.op).extension);
    });
    find_targets();
    words_at_.resize(plan_.items.size());
    entry();
    for (const Segment& segment : plan_.segments) {
        for (u32 i = segment.first; i < segment.first + segment.count; ++i) {
            if (is_target_[i]) forget_symbols();
            item(i);
            if (group_ && group_->last == i) end_group();
            follow_symbols(plan_.items[i], symbols_);
        }
        segment_end(segment);
    }
    reload_floats();
    for (std::size_t i = 0; i < cold_.size(); ++i) {  // cold pieces may add others
        item_ = cold_[i].item;
        unchecked_ = cold_[i].unchecked;
        unextended_ = cold_[i].unextended;
        implied_.fill(0);  // that was the main path's
        note_piece(static_cast<u16>(item_), true);
        a.bind(cold_[i].entry);
        const auto body = std::move(cold_[i].body);
        body();
    }
    place_cells();
    code_.flatten();
    code_.resolveUnresolvedLinks();
    if (code_.relocateToBase(base_) != asmjit::kErrorOk || failed_) return false;
    std::sort(result.sites.begin(), result.sites.end(),
              [](const Site& x, const Site& y) { return x.after < y.after; });
    result.bytes = code_.codeSize();
    return true;
}

void Emitter::entry() {
    note_piece(Piece::kEntry, false);
    out_->far_entry = offset_ + static_cast<u32>(a.offset());
    a.and_(x86::rax, -static_cast<i32>(kFrameBytes));
    a.mov(cell_of(&c_.page), x86::rax);
    a.align(asmjit::AlignMode::kCode, 4);
    out_->near_entry = offset_ + static_cast<u32>(a.offset());
    charge(plan_.items[0].remaining);
    const asmjit::Label spent = a.newLabel();
    a.js(spent);
    cold([this] { leave_at_entry(); }, spent);
    if (plan_.crosses) check_crossing();
    float_guard();
    borrow_pins();
    load_float_homes();
}

void Emitter::cold(std::function<void()> body, const asmjit::Label& entry) {
    cold_.push_back({entry, item_, unchecked_, unextended_, std::move(body)});
}

void Emitter::hand_over_at(const asmjit::Label& entry, u32 index, const asmjit::Label& back) {
    cold(
        [this, index, back] {
            hand_over(index);
            a.jmp(back);
        },
        entry);
}

void Emitter::note_site(u32 after_offset) {
    out_->sites.push_back({offset_ + after_offset, static_cast<u16>(item_)});
}

void Emitter::note_piece(u16 item, bool cold) {
    out_->pieces.push_back({static_cast<u32>(a.offset()), item, cold});
}

void Emitter::item(u32 index) {
    item_ = index;
    note_piece(static_cast<u16>(index), copying_);
    start_floats_of_item(index);
    start_words_of_item(index);
    if (!copying_) a.bind(labels_[index]);
    if (!copying_ && !group_) start_group(index);
    const Item& item = plan_.items[index];
    if (is_void(index)) return;
    IrBlock& ir = ir_;
    ir.clear();
    lift(item.decoded.op, item.decoded.operands, static_cast<u64>(static_cast<i64>(item.offset)),
         item.decoded.length, ir);
    if (word(ir)) return;
    extend_sources(ir);
    if (ir.back().op == IrOp::Call && system(index)) return;
    if (atomic(ir, index)) return;
    if (!lowerable(ir)) {
        boxed_ = 0;
        return hand_over(index);
    }
    start_floats(ir);
    if (item.decoded.op == Op::JALR) {
        jump_register(index);
        return terminator(ir, index);
    }
    lower(ir);
    end_floats(index);
    if (is_terminator(ir.back().op) && ir.back().op != IrOp::End) terminator(ir, index);
}

bool Emitter::lowerable(const IrBlock& ir) const {
    if (ir.size() > values_.size()) return false;
    return float_shapes(ir) && std::all_of(ir.begin(), ir.end(), [&](const IrInst& inst) {
               return is_floating(inst.op) ? float_lowerable(inst) : !has_no_lowering(inst.op);
           });
}

void Emitter::lower(const IrBlock& ir) {
    count_uses(ir);
    free_temporaries_ = 7;
    for (u32 id = 0; id < ir.size() && !failed_; ++id) {
        const IrInst& inst = ir[id];
        if ((float_values_ >> id & 1) != 0) continue;  // where they are used
        switch (inst.op) {
            case IrOp::Begin:
            case IrOp::End:
            case IrOp::Jump:
            case IrOp::Branch:
            case IrOp::PcPlus: break;  // where they are used
            case IrOp::Imm:
                values_[id].kind = Value::Kind::Immediate;
                values_[id].immediate = inst.imm;
                break;
            case IrOp::GetX: {
                Value& v = values_[id];
                v.guest = inst.reg;
                if (const auto reg = home(inst.reg)) {
                    v.kind = Value::Kind::Register;
                    v.reg = *reg;
                } else {
                    v.kind = Value::Kind::Memory;
                    v.mem = memory_of(inst.reg);
                }
                break;
            }
            case IrOp::SetX: set_x(ir, id); break;
            case IrOp::Load: load(ir, id); break;
            case IrOp::Store: store(ir, id); break;
            case IrOp::Fence: fence(inst); break;
            default: is_floating(inst.op) ? floating(ir, id) : integer(ir, id);
        }
    }
}

// The interpreter's handler does it, as a block of one instruction.
void Emitter::hand_over(u32 index) {
    const Item& item = plan_.items[index];
    if (const Flow flow = flow_of(item); flow != Flow::On && flow != Flow::Leaves) {
        failed_ = true;
        return;
    }
    auto handed = std::make_unique<Handed>();
    handed->item = index;
    handed->offset = item.offset;
    handed->remaining = item.remaining;
    handed->uses_fp = uses_fp();
    handed->leaves = flow_of(item) == Flow::Leaves;
    auto* const block = new (handed->block) Block{};
    block->raw = item.word;
    block->count = 1;
    block->bytes = item.decoded.length;
    block->insns[0] = {handler_of(item.decoded.op), item.decoded.operands};
    const Effects& effects = kEffects[static_cast<std::size_t>(item.decoded.op)];
    if (block->insns[0].operands.rd == 0 && !effects.writes_f) block->insns[0].operands.rd = 32;
    block->insns[1] = {handed_end, {}};
    block->offsets()[0] = 0;
    block->offsets()[1] = static_cast<u8>(item.decoded.length / 2);
    a.mov(x86::rax, reinterpret_cast<u64>(handed.get()));
    give_pins_back();
    a.call(stubs_.handed);
    out_->handed.push_back(std::move(handed));
    words_ = 0;  // of what it writes nothing is known
    after_slow();
}
}  // namespace hartline::jit
