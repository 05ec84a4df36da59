// Which host register holds what in translated code (x86-64).
//
// rsp  the host's stack            rbp  the JitContext, kBias bytes in: x registers are at one-byte
// displacements r15  the budget: what is left in bits 16..63, and in bits 0..15 the control word by which
// `bextr` extracts the
//      TLB's index from an address
// rax rcx rdx  free between guest instructions
// the rest     guest registers: the pinned ones everywhere, the flexible ones as a unit asks for them.
#pragma once
#include <asmjit/x86.h>

#include <array>

#include "cpu/jit/context.hpp"

namespace hartline::jit {

inline constexpr auto kContext = asmjit::x86::rbp;
inline constexpr auto kBudget = asmjit::x86::r15;
inline constexpr i32 kBias = 128;
inline constexpr u64 kBextrControl = kFrameShift | std::countr_zero(u64{Tlb::kEntries}) << 8;

struct Pin {
    u8 guest;
    asmjit::x86::Gp host;
};
inline constexpr std::array<Pin, 8> kPinned{{{2, asmjit::x86::rbx},
                                             {8, asmjit::x86::r12},
                                             {10, asmjit::x86::rdi},
                                             {11, asmjit::x86::rsi},
                                             {12, asmjit::x86::r8},
                                             {13, asmjit::x86::r9},
                                             {14, asmjit::x86::r10},
                                             {15, asmjit::x86::r11}}};
inline constexpr std::array<asmjit::x86::Gp, 1> kFlexible{asmjit::x86::r13};
inline constexpr auto kGroup = asmjit::x86::r14;  // the addend of the page of a group of accesses

// xmm0 and xmm1 are free between guest instructions; from xmm2 on a unit keeps copies of f registers.
inline constexpr u32 kFloatHomes = 14, kFirstFloatHome = 2;

// A cell of the context as a memory operand.
inline i32 displacement(const JitContext& c, const void* cell) {
    return static_cast<i32>(static_cast<const u8*>(cell) - reinterpret_cast<const u8*>(&c)) - kBias;
}
inline asmjit::x86::Mem cell(const JitContext& c, const void* address, u32 bytes) {
    return asmjit::x86::Mem(kContext, displacement(c, address), bytes);
}

// Finds the jump entry for the address in rax, for jump_cell(). Changes rcx.
inline void find_jump_entry(asmjit::x86::Assembler& a, const JitContext& c) {
    a.mov(asmjit::x86::ecx, cell(c, &c.jump_key, 4));
    a.xor_(asmjit::x86::ecx, asmjit::x86::eax);
    a.and_(asmjit::x86::ecx, (kJumpEntries - 1) << 1);
}
// Of the entry that was found: what the first entry has at `address`.
inline asmjit::x86::Mem jump_cell(const JitContext& c, const void* address, u32 bytes) {
    static_assert(sizeof(JumpEntry) == 16, "an address's bits from 1 on, times 8");
    return asmjit::x86::ptr(kContext, asmjit::x86::rcx, 3, displacement(c, address), bytes);
}
}  // namespace hartline::jit
