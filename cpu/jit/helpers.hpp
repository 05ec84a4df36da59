// What translated code calls.
#pragma once
#include "cpu/jit/context.hpp"
#include "cpu/jit/unit.hpp"

namespace hartline::jit {

enum class Status : u64 { On, Stop, Trap };
struct Loaded {
    u64 value;
    Status status;
};
Loaded load_for_code(JitContext& c, u64 vaddr, u64 bytes);
Status store_for_code(JitContext& c, u64 vaddr, u64 value, u64 bytes);
Status run_handed(JitContext& c, Handed& handed);
// Behind an instruction that trapped, or after which something must be looked at (a Leave): where translated
// code goes on with leave_pc; 0: nowhere, run() is to be returned to.
u64 settle_and_go_on(JitContext& c, u64 why);
// The code for leave_pc; 0: there is none yet.
u64 find_way(JitContext& c);
// The code for where the link `leave_detail` leads, which has a cell; it is linked.
u64 find_far(JitContext& c);
// Is the page behind the one under way where the unit takes it to be? Without doing a walk for it.
Status check_crossing(JitContext& c, u64 unit);
// Moves what the host's control register saw into fflags.
void settle_fp(JitContext& c);
// Makes the control register of translated code what frm says, without flags.
void set_rounding(JitContext& c);
}  // namespace hartline::jit
