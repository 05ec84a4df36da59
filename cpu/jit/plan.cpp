// Follows control flow through a page: the likely way first, then the other ways that are taken often enough.
#include "cpu/jit/plan.hpp"

#include "cpu/cpu.hpp"
#include "cpu/effects.hpp"

namespace hartline::jit {
namespace {
constexpr u8 kRa = 1;
constexpr unsigned kMostSegments = 12;
constexpr std::size_t kDeepestCall = 4;
constexpr i64 kFurthest = i64{1} << 30;
constexpr u32 kRareShare = 8;  // a way that is taken less often than one in so many is left out

class Planner {
public:
    Planner(const Pages& pages, const Heat& heat) : pages_(pages), heat_(heat) { plan_.item_at.fill(-1); }

    Plan run(u32 start) {
        ways_.push_back(static_cast<i32>(start));
        const u32 rare = heat_(start) / kRareShare;
        for (std::size_t way = 0; way < ways_.size() && plan_.segments.size() < kMostSegments; ++way) {
            if (plan_.find(ways_[way]) >= 0 || plan_.items.size() >= kMostItems) continue;
            if (way != 0 && heat_(static_cast<u32>(ways_[way])) <= rare) continue;
            follow(ways_[way]);
        }
        return std::move(plan_);
    }

private:
    bool reaches(i32 offset) const { return offset >= 0 && offset < (pages_[1] == nullptr ? kPage : kReach); }
    u32 half(i32 offset) const {
        const u8* const at = pages_[offset >= kPage] + offset % kPage;
        return __atomic_load_n(reinterpret_cast<const u16*>(at), __ATOMIC_RELAXED);
    }
    bool read(i32 offset, Item& item) const {
        if (!reaches(offset)) return false;
        item.word = half(offset);
        if (length_of(item.word) == 4) {
            if (!reaches(offset + 2)) return false;
            item.word |= half(offset + 2) << 16;
        }
        item.decoded = decode(item.word);
        item.offset = static_cast<i16>(offset);
        return true;
    }
    // One segment.
    void follow(i32 at) {
        Segment segment{.first = static_cast<u32>(plan_.items.size())};
        calls_.clear();
        Item item;
        while (at != kNowhere && plan_.find(at) < 0 && plan_.items.size() < kMostItems && read(at, item) &&
               flow_of(item) != Flow::System) {
            plan_.item_at[static_cast<u32>(at) / 2] = static_cast<i16>(plan_.items.size());
            plan_.crosses |= at + item.decoded.length > kPage;
            plan_.items.push_back(item);
            plan_.expected_return.push_back(kNowhere);
            at = after(item);
        }
        segment.count = static_cast<u32>(plan_.items.size()) - segment.first;
        if (segment.count == 0) return;
        segment.next = at;
        for (u32 i = 0; i < segment.count; ++i)
            plan_.items[segment.first + i].remaining = static_cast<u16>(segment.count - i);
        plan_.segments.push_back(segment);
    }
    i32 after(const Item& item) {
        const i32 following = item.offset + item.decoded.length;
        switch (flow_of(item)) {
            case Flow::Branch: return after_branch(target_of(item), following);
            case Flow::Jump: return after_jump(item, target_of(item), following);
            case Flow::Indirect: return after_indirect(item);
            case Flow::Leaves: return kNowhere;
            default: return following;
        }
    }
    i32 after_branch(i32 taken, i32 following) {
        const bool loops = plan_.find(taken) >= 0;
        const u32 there = reaches(taken) ? heat_(static_cast<u32>(taken)) : 0;
        const u32 here = reaches(following) ? heat_(static_cast<u32>(following)) : 0;
        const bool takes = !loops && plan_.find(following) < 0 && there > here;
        const i32 other = takes ? following : taken;
        if (reaches(other)) ways_.push_back(other);
        return takes ? taken : following;
    }
    i32 after_jump(const Item& item, i32 target, i32 following) {
        if (item.decoded.operands.rd == 0) return target;
        if (item.decoded.operands.rd == kRa && calls_.size() < kDeepestCall) calls_.push_back(following);
        return target;
    }
    i32 after_indirect(const Item& item) {
        const Operands& o = item.decoded.operands;
        if (o.rd != 0 || o.rs1 != kRa || o.imm != 0 || calls_.empty()) return kNowhere;
        const i32 back = calls_.back();
        calls_.pop_back();
        plan_.expected_return.back() = back;
        return back;
    }

    const Pages pages_;
    const Heat& heat_;
    Plan plan_;
    std::vector<i32> ways_, calls_;
};
}  // namespace

Flow flow_of(const Item& item) {
    switch (item.decoded.op) {
        case Op::Illegal: return Flow::System;
        case Op::ECALL:
        case Op::EBREAK:
        case Op::MRET:
        case Op::SRET: return Flow::Leaves;
        default: break;
    }
    const Effects& effects = kEffects[static_cast<std::size_t>(item.decoded.op)];
    if (effects.branches) return Flow::Branch;
    if (effects.jumps) return effects.uses_pc ? Flow::Jump : Flow::Indirect;
    return Flow::On;
}

i32 target_of(const Item& item) { return item.offset + item.decoded.operands.imm; }

i32 fixed_target(const Item& before, const Item& jump) {
    const Operands &page = before.decoded.operands, &o = jump.decoded.operands;
    if (before.decoded.op != Op::AUIPC || page.rd != o.rs1 || page.rd == 0) return kNowhere;
    const i64 target = (i64{before.offset} + page.imm + o.imm) & -2;
    return std::abs(target) < kFurthest ? static_cast<i32>(target) : kNowhere;
}

Plan make_plan(const Pages& pages, u32 start, const Heat& heat) { return Planner(pages, heat).run(start); }
}  // namespace hartline::jit
