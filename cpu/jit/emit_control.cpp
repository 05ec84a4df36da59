// Branches, jumps, and the budget.
//
// A segment takes all its instructions from the budget when it is entered. Whoever goes from one place to
// another settles the difference; ways that are not the main one do so behind the code.
#include "cpu/jit/emitter.hpp"

namespace hartline::jit {
namespace {
constexpr i32 budget_of(i32 instructions) { return instructions << kBudgetShift; }
}  // namespace

void Emitter::pc_into(Gp d, i64 offset) {
    if (!fits(static_cast<u64>(offset))) {
        a.mov(d, offset);
        a.add(d, cell_of(&c_.page));
        return;
    }
    a.mov(d, cell_of(&c_.page));
    if (offset != 0) a.add(d, static_cast<i32>(offset));
}

void Emitter::charge(i32 instructions) {
    if (instructions > 0) a.sub(kBudget, budget_of(instructions));
    if (instructions < 0) a.add(kBudget, budget_of(-instructions));
}

// The second page must still be behind the first one. Nothing in the unit changes that.
void Emitter::check_crossing() {
    const CrossingEntry& known = c_.crossings[unit_ % kCrossingEntries];
    const asmjit::Label ask = a.newLabel(), on = a.newLabel();
    a.cmp(cell_of(&known.unit, 4), unit_);
    a.jne(ask);
    a.mov(x86::rax, cell_of(&c_.page));
    a.cmp(x86::rax, cell_of(&known.page));
    a.jne(ask);
    a.mov(x86::eax, cell_of(&c_.jump_tag32, 4));
    a.cmp(x86::eax, cell_of(&known.tag, 4));
    a.jne(ask);
    a.bind(on);
    cold(
        [this, on] {
            a.mov(x86::eax, unit_);
            a.call(stubs_.crossing);
            a.jz(on);
            leave_at_entry();
        },
        ask);
}

// The budget does not reach to the instruction at `offset` and its segment: the interpreter sees to its end.
void Emitter::leave_for_budget(i32 undo, i32 offset) {
    give_pins_back();
    charge(-undo);
    a.mov(x86::eax, offset);
    a.jmp(stubs_.leave_interpret);
}

// The same at the unit's entry, where nothing has been borrowed yet.
void Emitter::leave_at_entry() {
    charge(-static_cast<i32>(plan_.items[0].remaining));
    a.mov(x86::eax, static_cast<i32>(plan_.items[0].offset));
    a.jmp(stubs_.leave_interpret);
}

// To a place out of the unit.
void Emitter::exit_to(i32 offset) {
    if (offset < 0 || offset >= (plan_.crosses ? kReach : kPage)) {
        if (!parallel()) return exit_far(offset);
        pc_into(x86::rax, offset);
        return indirect();
    }
    give_pins_back();
    const bool second = offset >= kPage;
    if (second) a.add(cell_of(&c_.page), kPage);
    const u32 number = link_number(unit_) + static_cast<u32>(out_->links.size());
    const asmjit::Label stub = a.newLabel();
    while (parallel() && a.offset() % 4 != 3) a.nop();  // other harts execute it while it is linked
    a.long_().jmp(stub);
    out_->links.push_back({.jump = offset_ + static_cast<u32>(a.offset()) - 4,
                           .frame = frames_[second],
                           .offset = offset % kPage});
    const std::size_t index = out_->links.size() - 1;
    cold(
        [this, number, index] {
            out_->links[index].stub = offset_ + static_cast<u32>(a.offset());
            a.mov(x86::eax, number);
            a.jmp(stubs_.leave_link);
        },
        stub);
}

// To another page: by the cell, else by the jump cache. Harts that share code know of different places, and
// cannot share cells.
void Emitter::exit_far(i32 offset) {
    give_pins_back();
    const asmjit::Label miss = a.newLabel();
    const std::size_t index = out_->links.size();
    cells_.push_back({a.newLabel(), index});
    a.mov(x86::rcx, cell_of(&c_.far_key));
    a.xor_(x86::rcx, cell_of(&c_.page));
    a.cmp(x86::rcx, x86::ptr(cells_.back().label));
    a.jne(miss);
    a.add(cell_of(&c_.page), offset & -kPage);
    a.long_().jmp(miss);  // never taken there: no cell holds whose jump is not linked
    out_->links.push_back({.jump = offset_ + static_cast<u32>(a.offset()) - 4, .offset = offset});
    cold(
        [this, offset, index] {
            out_->links[index].stub = offset_ + static_cast<u32>(a.offset());
            const asmjit::Label again = a.newLabel();
            a.sub(cell_of(&c_.far_misses, 4), 1);
            a.js(again);
            pc_into(x86::rax, offset);
            by_jump_cache();
            a.bind(again);
            a.mov(x86::eax, link_number(unit_) + static_cast<u32>(index));
            a.jmp(stubs_.leave_far);
        },
        miss);
}

// Behind the code.
void Emitter::place_cells() {
    out_->pieces.push_back({static_cast<u32>(a.offset()), Piece::kCells, false});
    a.align(asmjit::AlignMode::kData, sizeof(u64));
    for (const auto& [label, link] : cells_) {
        a.bind(label);
        out_->links[link].cell = offset_ + static_cast<u32>(a.offset());
        a.embedUInt64(Link::kNoPage);
    }
}

// From behind item `from` to `offset`, the budget included.
void Emitter::edge(u32 from, i32 offset) {
    const i32 left = static_cast<i32>(rest(from));
    const int to = plan_.find(offset);
    if (to < 0) {
        charge(-left);
        return exit_to(offset);
    }
    const i32 more = plan_.items[static_cast<u32>(to)].remaining - left;
    extend_homes();
    charge(more);
    if (more <= 0) return void(a.jmp(labels_[static_cast<u32>(to)]));
    const asmjit::Label spent = a.newLabel();
    a.jns(labels_[static_cast<u32>(to)]);
    a.jmp(spent);
    cold([this, more, offset, left] { leave_for_budget(more + left, offset); }, spent);
}

// A way back is a loop's: it stays on the main path.
void Emitter::edge_if(x86::CondCode condition, u32 from, i32 offset) {
    const int to = plan_.find(offset);
    if (to >= 0 && plan_.items[static_cast<u32>(to)].remaining == rest(from)) {
        extend_homes();  // leaves the flags
        return void(a.j(condition, labels_[static_cast<u32>(to)]));
    }
    if (to >= 0 && static_cast<u32>(to) <= from) {
        const asmjit::Label on = a.newLabel();
        a.j(x86::negateCond(condition), on);
        const u32 unextended = unextended_;
        edge(from, offset);
        unextended_ = unextended;
        a.bind(on);
        return;
    }
    const asmjit::Label away = a.newLabel();
    a.j(condition, away);
    cold([this, from, offset] { edge(from, offset); }, away);
}

// Sets the host's flags and tells which of them says that the branch is taken.
x86::CondCode Emitter::condition(const IrBlock& ir) {
    u32 id = ir.back().a;
    bool opposite = false;
    if (ir[id].op == IrOp::Eq && values_[id].kind == Value::Kind::None && fused_with_branch(ir, ir[id].a)) {
        opposite = true;
        id = ir[id].a;
    }
    if (!fused_with_branch(ir, id)) {
        const Gp reg = in_register(id);
        a.test(reg, reg);
        return x86::CondCode::kNZ;
    }
    compare(ir[id].a, ir[id].b);
    const x86::CondCode taken = condition_of(ir[id].op);
    return opposite ? x86::negateCond(taken) : taken;
}

void Emitter::branch(const IrBlock& ir, u32 index) {
    const Item& item = plan_.items[index];
    const i32 taken = target_of(item), following = item.offset + item.decoded.length;
    const x86::CondCode is_taken = condition(ir);
    const bool last = item.remaining == 1;
    const i32 next = last ? kNowhere : plan_.items[index + 1].offset;
    if (next == taken && next != following)
        edge_if(x86::negateCond(is_taken), index, following);
    else
        edge_if(is_taken, index, taken);
}

// unpriv, "Unconditional Jumps": the target's lowest bit is cleared; here that is left to whoever does not
// find it. The target is read before the link is written: they may be the same register.
void Emitter::jump_register(u32 index) {
    const Operands& o = plan_.items[index].decoded.operands;
    const auto base = home(o.rs1);
    if (fixed_target_at(index) != kNowhere) {
        // nothing is asked of the register
    } else if (base && o.imm != 0) {
        a.lea(x86::rax, x86::ptr(*base, o.imm));
    } else {
        read_x(x86::rax, o.rs1);
        if (o.imm != 0) a.add(x86::rax, o.imm);
    }
    if (o.rd == 0) return;
    const auto link = home(o.rd);
    pc_into(link ? *link : x86::rcx, plan_.items[index].offset + plan_.items[index].decoded.length);
    if (!link) a.mov(memory_of(o.rd), x86::rcx);
    note_written(o.rd, false);
}

void Emitter::terminator(const IrBlock& ir, u32 index) {
    check_nans();
    const IrInst& last = ir.back();
    if (last.op == IrOp::Branch) return branch(ir, index);
    if (flow_of(plan_.items[index]) == Flow::Indirect) indirect_at(index);
}

// Of a jump by a register that only the AUIPC before it can have set.
i32 Emitter::fixed_target_at(u32 index) const {
    return is_target_[index] ? kNowhere : fixed_target(plan_.items[index - 1], plan_.items[index]);
}

// An AUIPC whose register the jump behind it overwrites, without asking for it.
bool Emitter::is_void(u32 index) const {
    const auto rd = [&](u32 i) { return plan_.items[i].decoded.operands.rd; };
    return plan_.items[index].decoded.op == Op::AUIPC && follows(index) &&
           plan_.items[index + 1].decoded.op == Op::JALR && fixed_target_at(index + 1) != kNowhere &&
           rd(index) == rd(index + 1);
}

// A return to where the unit itself called from stays in it.
void Emitter::indirect_at(u32 index) {
    if (const i32 target = fixed_target_at(index); target != kNowhere) return edge(index, target);
    const i32 expected = plan_.expected_return[index];
    if (expected == kNowhere) {
        charge(-static_cast<i32>(rest(index)));
        return indirect();
    }
    const asmjit::Label elsewhere = a.newLabel();
    pc_into(x86::rcx, expected);
    a.cmp(x86::rax, x86::rcx);
    a.jne(elsewhere);
    cold(
        [this, index] {
            charge(-static_cast<i32>(rest(index)));
            indirect();
        },
        elsewhere);
}

// To the address in rax.
void Emitter::indirect() {
    give_pins_back();
    by_jump_cache();
}

void Emitter::by_jump_cache() {
    const auto entry = [&](const u64& field) { return jump_cell(c_, &field, sizeof field); };
    const JumpEntry& first = c_.jump_entries[0];
    find_jump_entry(a, c_);
    a.cmp(x86::rax, entry(first.pc));
    a.jne(stubs_.leave_indirect);
    a.jmp(entry(first.code));
}

// Behind the last instruction.
void Emitter::segment_end(const Segment& segment) {
    const u32 last = segment.first + segment.count - 1;
    const Item& item = plan_.items[last];
    item_ = last;
    check_nans();
    if (flow_of(item) == Flow::Leaves) return;
    if (flow_of(item) == Flow::Indirect && plan_.expected_return[last] == kNowhere) return;
    // Of a branch the plan may have gone on with the other way.
    edge(last, flow_of(item) == Flow::Branch ? item.offset + item.decoded.length : segment.next);
}
}  // namespace hartline::jit
