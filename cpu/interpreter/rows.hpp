// What handlers are made from: each row's semantics as a type, and what follows an instruction.
#pragma once
#include "cpu/effects.hpp"
#include "cpu/interpreter/context.hpp"

namespace hartline {

#define INSN(id, ...)                                                           \
    struct Exec##id {                                                           \
        template <class M>                                                      \
        [[gnu::always_inline]] void operator()(M& m, const Operands& o) const { \
            exec_##id(m, o);                                                    \
        }                                                                       \
    };
#include "cpu/isa/all.def"

// What follows an instruction that did its work. Every handler but the last of a block calls the next one as
// its last act: where the build has sibling calls this is a jump, elsewhere the stack is as deep as a block
// is long. `m` has the members `exit` and `target` of a machine.
template <Op kOp, class Machine>
[[gnu::always_inline]] inline Exit go_on(Context& c, const Insn* in, const Machine& m) {
    constexpr Effects effects = kEffects[static_cast<std::size_t>(kOp)];
    if constexpr (effects.calls) return m.exit;
    if constexpr (effects.jumps || effects.branches) return dispatch(c, m.target);
    if (m.exit != Exit::Next) [[unlikely]]
        return m.exit;
    return in[1].handler(c, in + 1);
}
}  // namespace hartline
