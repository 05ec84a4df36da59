// The C++ side of translated code's calls.
#include "cpu/jit/helpers.hpp"

#include "cpu/csr.hpp"
#include "cpu/jit/engine.hpp"

namespace hartline::jit {
namespace {
// MXCSR: all exceptions masked, and the rounding control for frm 0 to 3 (nearest, towards zero, down, up).
constexpr std::array<u32, 4> kRoundingControl{0, 3, 1, 2};

// The host's failures cannot unwind translated code: it is left as for a trap, and Engine::enter throws on.
template <class Act>
Status shielded(JitContext& c, Act&& act) noexcept {
    try {
        return act();
    } catch (...) {
        c.failure = std::current_exception();
        return Status::Trap;
    }
}

// Code to go on with; 0: none.
template <class Find>
u64 found(JitContext& c, Find&& find) noexcept {
    u64 code = 0;
    shielded(c, [&] {
        code = find();
        return Status::On;
    });
    return code;
}
}  // namespace

void set_rounding(JitContext& c) {
    c.mxcsr_clear = c.mxcsr_guest = kMxcsrDefault | kRoundingControl[c.cpu.s.frm % 4] << 13;
}

void settle_fp(JitContext& c) {
    const u32 seen = c.mxcsr_guest & kMxcsrFlags;
    c.mxcsr_guest ^= seen;
    c.cpu.s.fflags |= c.floats.fflags[seen];
}

Loaded load_for_code(JitContext& c, u64 vaddr, u64 bytes) {
    ++c.stats.load_misses;
    u64 value = 0;
    const Status status = shielded(c, [&] {
        if (!load_slow(c.cpu, vaddr, static_cast<unsigned>(bytes), value)) return Status::Trap;
        return c.leave ? Status::Stop : Status::On;
    });
    return {value, status};
}

Status store_for_code(JitContext& c, u64 vaddr, u64 value, u64 bytes) {
    ++c.stats.store_misses;
    return shielded(c, [&] {
        if (!store_slow(c.cpu, vaddr, static_cast<unsigned>(bytes), value)) return Status::Trap;
        return c.leave ? Status::Stop : Status::On;
    });
}

namespace {
Status crossing_status(JitContext& c, u32 unit) {
    const u64 frame = c.engine->second_frame(unit);
    const u64 next = c.page + kFrameBytes;
    const Tlb& tlb = c.cpu.tlb;
    const bool known = tlb.tag(Access::Fetch, next) == Tlb::key(next, 1, c.cpu.fetch_context);
    if (!known || tlb.frame(Access::Fetch, next) << kFrameShift != frame) return Status::Stop;
    if (c.cpu.port.parallel() && c.engine->code_seen_changed(frame)) return Status::Stop;
    c.crossings[unit % kCrossingEntries] = {c.page, c.jump_tag32, unit};
    return Status::On;
}

// What a unit takes for granted from one instruction to the next, and a system function may change.
struct Granted {
    u64 fs, context, overflow_at;
    u32 frm, tag;
    bool operator==(const Granted&) const = default;
};
Granted granted(const JitContext& c, bool uses_fp) {
    const HartState& s = c.cpu.s;
    const u64 fs = uses_fp ? s.mstatus & mstatus::kFs : 0;
    return {fs, c.cpu.fetch_context, s.overflow_at, uses_fp ? s.frm : 0, c.jump_tag32};
}

bool may_go_on(const JitContext& c, bool uses_fp, const Granted& before) {
    const HartState& s = c.cpu.s;
    return !c.leave && !c.cpu.contexts_stale && !c.cpu.gave_way && !s.waiting &&
           granted(c, uses_fp) == before && !interrupt_deliverable(c.cpu);
}

// As the only instruction of a block that the interpreter has entered.
Status handed_status(JitContext& c, Handed& handed) {
    (void)handed.made.load(std::memory_order_acquire);
    settle_fp(c);
    auto* const block = reinterpret_cast<Block*>(handed.block);
    HartState& s = c.cpu.s;
    s.retired = c.limit_at_entry - (c.left >> kBudgetShift) - handed.remaining + 1;
    c.block = block;
    c.block_pc = c.page + static_cast<u64>(static_cast<i64>(handed.offset));
    const Granted before = granted(c, handed.uses_fp);
    const u32 frm = s.frm;
    const Exit exit = block->insns[0].handler(c, block->insns);
    c.block = nullptr;
    if (s.frm != frm) set_rounding(c);  // units that this one leads to may count on it
    const u64 following = c.block_pc + block->bytes;
    switch (exit) {
        case Exit::Next: return Status::On;
        case Exit::System:
            if (handed.leaves || s.pc != following) return Status::Stop;
            return may_go_on(c, handed.uses_fp, before) ? Status::On : Status::Stop;
        case Exit::Trap:
            --s.retired;
            s.pc = c.block_pc;
            return Status::Trap;
        default: s.pc = following; return Status::Stop;
    }
}
}  // namespace

Status check_crossing(JitContext& c, u64 unit) {
    return shielded(c, [&] { return crossing_status(c, static_cast<u32>(unit)); });
}

u64 settle_and_go_on(JitContext& c, u64 why) {
    if (c.failure) return 0;
    return found(c, [&] { return c.engine->go_on_after(static_cast<Leave>(why)); });
}

u64 find_way(JitContext& c) {
    return found(c, [&] { return c.engine->find_way(); });
}

u64 find_far(JitContext& c) {
    return found(c, [&] { return c.engine->find_far(); });
}

Status run_handed(JitContext& c, Handed& handed) {
    return shielded(c, [&] { return handed_status(c, handed); });
}
}  // namespace hartline::jit
