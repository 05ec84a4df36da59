// Handlers made from the rows: the semantics with the computing machine, then the jump to the next handler.
#include "cpu/interpreter/handlers.hpp"

#include "cpu/interpreter/machine.hpp"
#include "cpu/interpreter/rows.hpp"

namespace hartline {
namespace {

constexpr u64 kFs = u64{3} << 13;  // mstatus.FS

// A handler proper, and what it leaves to when the TLB misses: apart, so that the handler needs no stack
// frame.
template <Op kOp, class Exec>
[[gnu::noinline]] Exit run_slow(Context& c, const Insn* in) {
    Interp<false> m{c, in};
    Exec{}(m, in->operands);
    return go_on<kOp>(c, in, m);
}
template <Op kOp, class Exec>
[[gnu::always_inline]] inline Exit run_row(Context& c, const Insn* in) {
    constexpr Effects effects = kEffects[static_cast<std::size_t>(kOp)];
    if constexpr (effects.floating_point) {
        if ((c.cpu.s.mstatus & kFs) == 0) [[unlikely]]
            return slow_illegal(c, in).exit;
    }
    Interp<true> m{c, in};
    Exec{}(m, in->operands);
    if constexpr (effects.loads || effects.stores) {
        if (m.exit == Exit::Miss) [[unlikely]]
            return run_slow<kOp, Exec>(c, in);
    }
    return go_on<kOp>(c, in, m);
}

#define INSN(id, ...) \
    Exit handle_##id(Context& c, const Insn* in) { return run_row<Op::id, Exec##id>(c, in); }
#include "cpu/isa/all.def"

Exit handle_illegal(Context& c, const Insn* in) { return slow_illegal(c, in).exit; }
Exit handle_end(Context& c, const Insn*) { return dispatch(c, c.block_pc + c.block->bytes); }

constexpr std::array<Handler, kRows + 1> kHandlers{{
#define INSN(id, ...) handle_##id,
#include "cpu/isa/all.def"
    handle_illegal,
}};
}  // namespace

Handler handler_of(Op op) { return kHandlers[static_cast<std::size_t>(op)]; }
Handler end_of_block_handler() { return handle_end; }
}  // namespace hartline
