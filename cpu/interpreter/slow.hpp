// What handlers do out of line. Results come back by value: a local whose address escaped would keep the
// compiler from turning a handler's last call into a jump.
#pragma once
#include "cpu/fp/fp.hpp"
#include "cpu/interpreter/context.hpp"

namespace hartline {

struct Slow {
    u64 value = 0;
    Exit exit = Exit::Next;  // Next, Leave or Trap
};
Slow slow_load(Context& c, const Insn* in, u64 vaddr, unsigned bytes);
Slow slow_store(Context& c, const Insn* in, u64 vaddr, unsigned bytes, u64 value);
Slow slow_amo(Context& c, const Insn* in, AmoOp op, unsigned bytes, u64 vaddr, u64 operand);
Slow slow_load_reserved(Context& c, const Insn* in, unsigned bytes, u64 vaddr);
Slow slow_store_conditional(Context& c, const Insn* in, unsigned bytes, u64 vaddr, u64 value);
Slow slow_compare_swap(Context& c, const Insn* in, unsigned bytes, u64 vaddr, u64 expected, u64 desired);
Slow slow_illegal(Context& c, const Insn* in);
u64 slow_fp(Context& c, fp::Function function, fp::Rounding rounding, u64 a, u64 b, u64 d);
Exit slow_call(Context& c, const Insn* in, SystemFunction function, const Operands& operands);
}  // namespace hartline
