// The pieces of host code that all units share: the way in, the ways out, and the calls into C++.
#pragma once
#include <array>

#include "cpu/jit/code_cache.hpp"
#include "cpu/jit/context.hpp"

namespace hartline::jit {

// Executable addresses.
struct Stubs {
    // u32 enter(JitContext*, u64 code): a Leave
    u64 enter = 0;
    u64 leave_link = 0;       // eax: number of the link
    u64 leave_interpret = 0;  // eax: offset of the instruction from the start of the page
    u64 leave_indirect = 0;   // rax: where to
    u64 leave_far = 0;        // eax: number of the link, which has a cell
    // Called with an address in rax (and a value in rcx): by log2 of the bytes. Loads leave the value in rax.
    // They come back when the unit may go on; flexible registers are lost.
    std::array<u64, 4> load{}, store{};
    u64 handed = 0;      // called with a Handed* in rax
    u64 crossing = 0;    // called with a unit's number in rax; zero flag clear: it does not hold
    u64 fp_on = 0;       // called: makes the host's control register the guest's
    u64 change_sum = 0;  // called with SUM's new value in rcx; zero flag clear: the long way
    // Called for what an ECALL in U-mode does to the hart besides the two pc's, and for an SRET to there;
    // zero flag clear: the long way.
    u64 call_supervisor = 0, return_to_user = 0;
};

Stubs make_stubs(CodeCache& cache, const JitContext& context);
}  // namespace hartline::jit
