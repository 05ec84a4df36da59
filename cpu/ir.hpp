// The intermediate representation: what lift.hpp makes of instructions, for translators and their checks.
//
// A block is a vector of instructions; a value is the index of the instruction that made it (static single
// assignment, 64 bits wide). Guest instructions follow one another between Begin and their one terminator.
// Whatever may fault ends the block when it does, before its value exists: registers hold what preceding
// instructions left, and the guest instruction has not retired.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "cpu/fp/fp.hpp"
#include "cpu/operands.hpp"
#include "cpu/system.hpp"

namespace hartline {

// IR_OP(name, values taken, Gives: makes a value / Acts: does not / Ends: terminator, what else it uses)
#define IR_OPS                                                                                            \
    IR_OP(Begin, 0, Acts)             /* a guest instruction at pc `imm` of `width` bytes */              \
    IR_OP(End, 0, Ends)               /* it retires; the following one is next */                         \
    IR_OP(Jump, 1, Ends)              /* it retires; goes on at a */                                      \
    IR_OP(Branch, 2, Ends)            /* goes on at b if a is not zero, else at the following one */      \
    IR_OP(Call, 0, Ends)              /* `function` with `operands` does it all */                        \
    IR_OP(Illegal, 0, Ends)           /* illegal-instruction exception */                                 \
    IR_OP(FpGuard, 0, Acts)           /* illegal if mstatus.FS is Off */                                  \
    IR_OP(RoundingGuard, 0, Acts)     /* illegal if frm is reserved */                                    \
    IR_OP(Imm, 0, Gives)              /* `imm` */                                                         \
    IR_OP(PcPlus, 0, Gives)           /* pc of this guest instruction plus `imm` */                       \
    IR_OP(GetX, 0, Gives)             /* `reg`, never x0 */                                               \
    IR_OP(SetX, 1, Acts)              /* `reg`, never x0 */                                               \
    IR_OP(GetF, 0, Gives)             /* `reg` */                                                         \
    IR_OP(SetF, 1, Acts)              /* `reg`; FS becomes Dirty */                                       \
    IR_OP(Select, 3, Gives)           /* b if a is not zero, else c */                                    \
    IR_OP(Sext, 1, Gives)             /* from `width` */                                                  \
    IR_OP(Zext, 1, Gives)             /* from `width` */                                                  \
    IR_OP(Load, 1, Gives)             /* `width`, `is_signed`; may fault */                               \
    IR_OP(Store, 2, Acts)             /* b at a, `width`; may fault */                                    \
    IR_OP(Amo, 2, Gives)              /* `amo`, b at a, `width`; sign-extended; may fault */              \
    IR_OP(LoadReserved, 1, Gives)     /* `width`; sign-extended; may fault */                             \
    IR_OP(StoreConditional, 2, Gives) /* b at a, `width`: 0 or 1; may fault */                            \
    IR_OP(CompareSwap, 3, Gives)      /* at a, expects b, desires c, `width`; sign-extended; may fault */ \
    IR_OP(Fence, 0, Acts)             /* `imm`: the row's fm, pred and succ */                            \
    IR_OP(Box, 1, Gives)              /* from `width` */                                                  \
    IR_OP(Unbox, 1, Gives)            /* to `width`; the canonical NaN if not boxed */                    \
    IR_OP(Fp, 3, Gives)               /* `fp_op`, `rounding`; b and c may be missing; flags and FS gather */

enum class IrOp : u8 {
#define IR_OP(name, ...) name,
    IR_OPS
#undef IR_OP
#define UNARY(word, name) name,
#define BINARY(word, name) name,
#include "cpu/isa/words.def"
};

inline constexpr u32 kNoValue = ~u32{0};
inline constexpr u8 kDynamicRounding =
    7;  // frm, which a RoundingGuard has found to be legal; else a fp::Rounding

struct IrInst {
    IrOp op = IrOp::End;
    u8 width = 0;
    u8 reg = 0;
    bool is_signed = false;
    AmoOp amo{};
    fp::Op fp_op{};
    u8 rounding = 0;
    u32 a = kNoValue, b = kNoValue, c = kNoValue;
    u64 imm = 0;
    SystemFunction function = nullptr;
    Operands operands{};
};
using IrBlock = std::vector<IrInst>;

std::string_view name(IrOp op);
unsigned arity(IrOp op);
bool gives_value(IrOp op);
bool is_terminator(IrOp op);

std::string print(const IrBlock& block);
// Empty, or what is wrong with the block and where.
std::string verify(const IrBlock& block);
}  // namespace hartline
