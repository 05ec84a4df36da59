// Accesses off one base register within a page share one probe.
//
// The first of them finds out that all of their bytes lie in one page which the TLB has, and keeps the page's
// addend. Where it does not, and where anything else in between must be done by a call (which may change what
// the TLB says), control goes on in a copy of these instructions that calls for every access.
#include <algorithm>
#include <memory>

#include "cpu/effects.hpp"
#include "cpu/jit/emitter.hpp"
#include "cpu/lift.hpp"

namespace hartline::jit {
namespace {
constexpr u32 kLongest = 40;   // items
constexpr i32 kWidest = 2048;  // bytes

struct Reach {
    u8 base;
    i32 low, high;
    bool store;
};

std::optional<Reach> reach_of(const Item& item) {
    const Operands& o = item.decoded.operands;
    const auto at = [&](i32 bytes, bool store) { return Reach{o.rs1, o.imm, o.imm + bytes - 1, store}; };
    switch (item.decoded.op) {
        case Op::LB:
        case Op::LBU: return at(1, false);
        case Op::LH:
        case Op::LHU: return at(2, false);
        case Op::LW:
        case Op::LWU:
        case Op::FLW: return at(4, false);
        case Op::LD:
        case Op::FLD: return at(8, false);
        case Op::SB: return at(1, true);
        case Op::SH: return at(2, true);
        case Op::SW:
        case Op::FSW: return at(4, true);
        case Op::SD:
        case Op::FSD: return at(8, true);
        default: return std::nullopt;
    }
}
}  // namespace

void Emitter::find_targets() {
    is_target_.assign(plan_.items.size(), false);
    const auto mark = [&](i32 offset) {
        if (const int item = plan_.find(offset); item >= 0) is_target_[static_cast<u32>(item)] = true;
    };
    for (const Segment& segment : plan_.segments) {
        is_target_[segment.first] = true;
        for (u32 i = segment.first; i < segment.first + segment.count; ++i) {
            const Item& item = plan_.items[i];
            const bool last = item.remaining == 1;
            const i32 following = item.offset + item.decoded.length;
            if (flow_of(item) == Flow::Branch) {
                const bool follows_taken = !last && plan_.items[i + 1].offset == target_of(item);
                mark(follows_taken ? following : target_of(item));
                if (last) mark(following);
            } else if (last) {
                mark(segment.next);
            }
        }
    }
}

// What follows the item in execution is the next item, unless it leaves for good.
bool Emitter::follows(u32 index) const { return plan_.items[index].remaining > 1 && !is_target_[index + 1]; }

void Emitter::forget_symbols() {
    for (Symbol& symbol : symbols_) symbol = {next_root_++, 0};
}

// What the item makes of the registers' symbolic values.
void Emitter::follow_symbols(const Item& item, Symbols& symbols) {
    const Operands& o = item.decoded.operands;
    if (o.rd == 0 || !writes_x(item)) return;
    if (item.decoded.op == Op::ADDI && o.rs1 != 0)
        symbols[o.rd] = {symbols[o.rs1].root, symbols[o.rs1].offset + o.imm};
    else if (item.decoded.op == Op::ADD && o.rs1 == 0)
        symbols[o.rd] = symbols[o.rs2];
    else
        symbols[o.rd] = {next_root_++, 0};
}

// The group that may begin here, and holds items before `end`.
std::optional<Emitter::Group> Emitter::group_from(u32 index, Symbols symbols, u32 end) {
    const auto first = reach_of(plan_.items[index]);
    if (!first || first->base == 0) return std::nullopt;
    const Symbol start = symbols[first->base];
    Group group{index, index, first->low, first->high, {}, {index}, {}};
    bool stores = first->store, branched = false;
    for (u32 i = index; i < end; ++i) {
        const Item& item = plan_.items[i];
        const auto reach = reach_of(item);
        if (i != index && reach && reach->base != 0 && symbols[reach->base].root == start.root) {
            const i32 moved = symbols[reach->base].offset - start.offset;
            const i32 low = std::min(group.low, reach->low + moved),
                      high = std::max(group.high, reach->high + moved);
            if (high - low < kWidest && (!reach->store || stores || !branched)) {
                group.low = low;
                group.high = high;
                stores |= reach->store;
                group.last = i;
                group.members.push_back(i);
            }
        }
        branched |= flow_of(item) == Flow::Branch;
        if (!reach && flow_of(item) != Flow::Branch && !keeps_group(item)) break;
        follow_symbols(item, symbols);
        if (i - index == kLongest || !follows(i)) break;
    }
    if (group.members.size() < 2) return std::nullopt;
    group.kind = stores ? hartline::Access::Store : hartline::Access::Load;
    return group;
}

// There is one register for a group: it ends where a larger one may begin.
void Emitter::start_group(u32 index) {
    auto group = group_from(index, symbols_, kMostItems);
    if (!group) return;
    Symbols symbols = symbols_;
    for (u32 i = index; group && i < group->last; ++i) {
        follow_symbols(plan_.items[i], symbols);
        const auto other = group_from(i + 1, symbols, kMostItems);
        if (other && other->members.size() > group->members.size())
            group = group_from(index, symbols_, i + 1);
    }
    if (!group) return;
    for (u32 i = group->first; i <= group->last + 1; ++i) group->copies.push_back(a.newLabel());
    group_ = std::move(group);
}

bool Emitter::writes_x(const Item& item) const {
    const Effects& effects = kEffects[static_cast<std::size_t>(item.decoded.op)];
    return item.decoded.op != Op::Illegal && !effects.writes_f && !effects.branches;
}

// Is it emitted inline, so that no call comes between?
bool Emitter::keeps_group(const Item& item) {
    if (const Flow flow = flow_of(item); flow != Flow::On && flow != Flow::Jump) return false;
    const Effects& effects = kEffects[static_cast<std::size_t>(item.decoded.op)];
    if (effects.calls) return false;
    if (item.decoded.op >= Op::LUI && item.decoded.op <= Op::SRAW) return true;
    ir_.clear();
    lift(item.decoded.op, item.decoded.operands, 0, item.decoded.length, ir_);
    return lowerable(ir_);
}

bool Emitter::in_group() const {
    return group_ && !copying_ && std::binary_search(group_->members.begin(), group_->members.end(), item_);
}

// Where an access is: probed by itself, or by the first of its group.
x86::Mem Emitter::locate(const Access& access, hartline::Access kind, const asmjit::Label& miss) {
    if (!in_group()) return probe(access, kind, miss);
    if (item_ == group_->first) {
        const Access whole{access.base, group_->low, static_cast<unsigned>(group_->high - group_->low + 1)};
        probe_into(kGroup, whole, group_->kind, group_->copies[0]);
    }
    return place(kGroup, access);
}

// Behind the last item of the group: the copy is emitted with the cold code.
void Emitter::end_group() {
    const asmjit::Label after = a.newLabel();
    a.bind(after);
    auto group = std::make_shared<Group>(std::move(*group_));
    group_.reset();
    cold(
        [this, group, after] {
            copying_ = true;
            unchecked_ = unextended_ = 0;
            for (u32 i = group->first; i <= group->last; ++i) {
                a.bind(group->copies[i - group->first]);
                item(i);
            }
            extend_homes();
            a.bind(group->copies.back());
            copying_ = false;
            a.jmp(after);
        },
        a.newLabel());
}
}  // namespace hartline::jit
