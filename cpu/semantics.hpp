// exec_<ID>(m, operands) for every row: written once, generic over a machine `m`.
//
// A machine gives meaning to the words below. With values that are integers it computes
// (interpreter/machine.hpp); with values that are IR nodes it translates (lift.hpp); with no values at all it
// tells what a row does (effects.hpp). `V` is the machine's value type, 64 bits wide. A row is a sequence of
// words; whatever may fault hands its result to a continuation, which does not run after a fault.
//
// Values      V imm(i64)  V x(reg)  set(reg, V)  bool is_x0(reg)
// Integers    V add sub and_ or_ xor_ (V, V)  V not_(V)  V neg(V)
//             V shl shr sar (V, V): amount modulo 64   V shlw shrw sarw (V, V): on the low 32 bits, amount
//             modulo 32, result sign-extended   V rol ror rolw rorw (V, V) V mul mulh mulhu mulhsu div divu
//             rem remu divw divuw remw remuw (V, V): with RISC-V's results for zero and overflow V slt sltu
//             eq ne (V, V): 0 or 1   V select(V condition, V if_nonzero, V if_zero) V sext(V, width) zext(V,
//             width)   V clz ctz popcount clzw ctzw popcountw (V)  V rev8(V)  V orcb(V) V clmul clmulh clmulr
//             (V, V)
// Control     V pc_plus(i64): address of this instruction plus n   V next_pc(): of the following one
//             jump(V)   branch(V condition, V target): both end a block
// Memory      load(width, Sign, V address, k(V))   store(width, V address, V value)
//             amo(AmoOp, width, V address, V operand, k(V old)): result sign-extended from width
//             load_reserved(width, V address, k(V))   store_conditional(width, V address, V value, k(V
//             failed)) compare_swap(width, V address, V expected, V desired, k(V old))   fence(imm): fm,
//             pred, succ
// Floating    V f(reg): all 64 bits   set_f(reg, V)   V box(V, width)   V unbox(V, width): canonical NaN when
// the
//             value is not boxed   rounding(imm, k(R)): the instruction's rm or frm; illegal when reserved
//             V fp(fp_op<Op>, R or kAnyRounding, V a, V b = imm(0), V c = imm(0)): also gathers exception
//             flags (FS = Off makes all rows of floating-point extensions illegal; no row says so itself)
// The rest    call(function, operands): a function of system.hpp does the whole instruction; ends a block
#pragma once
#include <type_traits>

#include "cpu/fp/fp.hpp"
#include "cpu/isa.hpp"
#include "cpu/system.hpp"

namespace hartline {

enum class Sign : u8 { Unsigned, Signed };
inline constexpr Sign Unsigned = Sign::Unsigned;
inline constexpr Sign Signed = Sign::Signed;

template <fp::Op kOp>
inline constexpr std::integral_constant<fp::Op, kOp> fp_op{};
struct AnyRounding {};
inline constexpr AnyRounding kAnyRounding{};  // of operations that do not round

#define INSN(id, extension, format, pattern, mnemonic, operands, ...)               \
    template <class M>                                                              \
    [[gnu::always_inline]] inline void exec_##id(M& m, const Operands& o) {         \
        [[maybe_unused]] const u8 rd = o.rd, rs1 = o.rs1, rs2 = o.rs2, rs3 = o.rs3; \
        [[maybe_unused]] const i32 imm = o.imm;                                     \
        __VA_ARGS__;                                                                \
    }
#include "cpu/isa/all.def"
}  // namespace hartline
