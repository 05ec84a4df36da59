// Which guest registers have a host register while a unit runs.
//
// Between units the pinned ones are where registers.hpp says. Within a unit a host register may be lent: a
// pinned guest register that the unit hardly mentions lives in memory meanwhile, and one that it mentions a
// lot takes its place. Whoever leaves the unit or calls C++ stores the latter and loads the former again.
#include <algorithm>

#include "cpu/jit/emitter.hpp"
#include "cpu/jit/float_use.hpp"

namespace hartline::jit {
namespace {
constexpr u32 kFewestMentions = 2;  // for a flexible register to be worth it
constexpr u32 kLendingCost = 8;     // in mentions
constexpr u32 kLoop = 8;            // a mention in a loop counts for so many
constexpr u32 kMostWeight = kLoop * kLoop * kLoop;
}  // namespace

// How much each guest register is mentioned, by how often the unit is likely to do it.
std::array<u32, 32> Emitter::weigh_registers() const {
    std::vector<u32> weights(plan_.items.size(), 1);
    for (u32 i = 0; i < plan_.items.size(); ++i) {
        const Flow flow = flow_of(plan_.items[i]);
        const int to =
            flow == Flow::Branch || flow == Flow::Jump ? plan_.find(target_of(plan_.items[i])) : -1;
        if (to < 0 || static_cast<u32>(to) > i) continue;
        for (u32 k = static_cast<u32>(to); k <= i; ++k)
            weights[k] = std::min(weights[k] * kLoop, kMostWeight);
    }
    std::array<u32, 32> mentions{};
    for (u32 i = 0; i < plan_.items.size(); ++i) {
        const Operands& o = plan_.items[i].decoded.operands;
        const FloatUse& floats = float_use(plan_.items[i].decoded.op);
        if (floats.writes == FloatWidth::None) mentions[o.rd % 32] += weights[i];
        if (floats.reads[0] == FloatWidth::None) mentions[o.rs1] += weights[i];
        if (floats.reads[1] == FloatWidth::None) mentions[o.rs2] += weights[i];
    }
    mentions[0] = 0;
    return mentions;
}

void Emitter::choose_registers() {
    fill_homes();
    for (std::size_t i = 0; i < homes_.size(); ++i) home_of_[homes_[i].guest] = static_cast<u8>(i + 1);
    for (Home& home : homes_)
        home.written = std::any_of(plan_.items.begin(), plan_.items.end(),
                                   [&](const Item& item) { return item.decoded.operands.rd == home.guest; });
}

void Emitter::fill_homes() {
    std::array<u32, 32> mentions = weigh_registers();
    std::vector<Pin> lenders(kPinned.begin(), kPinned.end());
    const std::array<u32, 32> weight = mentions;
    std::stable_sort(lenders.begin(), lenders.end(),
                     [&](const Pin& x, const Pin& y) { return weight[x.guest] < weight[y.guest]; });
    for (const Pin& pin : kPinned) {
        homes_.push_back({pin.guest, pin.host, false, false, 0});
        mentions[pin.guest] = 0;
    }
    const auto best = [&] {
        return static_cast<u8>(std::max_element(mentions.begin(), mentions.end()) - mentions.begin());
    };
    for (const Gp& host : kFlexible) {
        const u8 guest = best();
        if (mentions[guest] < kFewestMentions) return;
        homes_.push_back({guest, host, true, false, 0});
        mentions[guest] = 0;
    }
    for (const Pin& lender : lenders) {
        const u8 guest = best();
        if (mentions[guest] < weight[lender.guest] + kLendingCost) return;
        Home& home = *std::find_if(homes_.begin(), homes_.end(),
                                   [&](const Home& h) { return h.guest == lender.guest; });
        home = {guest, lender.host, true, false, lender.guest};
        mentions[guest] = 0;
    }
}

std::optional<x86::Gp> Emitter::home(u8 guest) const {
    if (home_of_[guest] == 0) return std::nullopt;
    return homes_[home_of_[guest] - 1u].host;
}

void Emitter::borrow_pins() {
    for (const Home& home : homes_)
        if (home.lender != 0) a.mov(memory_of(home.lender), home.host);
    load_lent();
}

// Behind whatever may have changed host registers or state.
void Emitter::load_lent() {
    for (const Home& home : homes_)
        if (home.lent) a.mov(home.host, memory_of(home.guest));
}

// Before the unit is left, or C++ is called.
void Emitter::give_pins_back() {
    store_float_homes();
    extend_homes();
    for (const Home& home : homes_) {
        if (home.lent && home.written) a.mov(memory_of(home.guest), home.host);
        if (home.lender != 0) a.mov(home.host, memory_of(home.lender));
    }
}
}  // namespace hartline::jit
