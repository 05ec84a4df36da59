// The IR's tables, printer and verifier.
#include "cpu/ir.hpp"

#include <array>
#include <cstdio>

namespace hartline {
namespace {
enum class Kind : u8 { Gives, Acts, Ends };
struct Shape {
    std::string_view name;
    unsigned arity;
    Kind kind;
};
constexpr auto kShapes = std::to_array<Shape>({
#define IR_OP(name, arity, kind) {#name, arity, Kind::kind},
    IR_OPS
#undef IR_OP
#define UNARY(word, name) {#name, 1, Kind::Gives},
#define BINARY(word, name) {#name, 2, Kind::Gives},
#include "cpu/isa/words.def"
});
constexpr std::array<std::string_view, 9> kAmoNames{"swap", "add", "xor",  "and", "or",
                                                    "min",  "max", "minu", "maxu"};

const Shape& shape(IrOp op) { return kShapes[static_cast<std::size_t>(op)]; }

std::string hex(u64 value) {
    char text[24];
    std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(value));
    return text;
}

// Appended piece by piece: GCC 12 warns of "literal" + std::string.
template <class... Pieces>
std::string join(const Pieces&... pieces) {
    std::string text;
    ((text += pieces), ...);
    return text;
}
std::string number(u64 value) { return std::to_string(value); }

// What an instruction says besides its values.
std::string detail(const IrInst& i) {
    switch (i.op) {
        case IrOp::Begin: return join(" ", hex(i.imm), " +", number(i.width));
        case IrOp::Imm:
        case IrOp::PcPlus: return join(" ", hex(i.imm));
        case IrOp::GetX:
        case IrOp::SetX: return join(" x", number(i.reg));
        case IrOp::GetF:
        case IrOp::SetF: return join(" f", number(i.reg));
        case IrOp::Load: return join(i.is_signed ? " i" : " u", number(i.width));
        case IrOp::Amo: return join(" ", kAmoNames[static_cast<std::size_t>(i.amo)], " i", number(i.width));
        case IrOp::Fp: return join(" ", fp::name(i.fp_op), " rm", number(i.rounding));
        default: return i.width != 0 ? join(" ", number(i.width)) : "";
    }
}

bool memory_width(unsigned width) { return width == 8 || width == 16 || width == 32 || width == 64; }

bool legal_detail(const IrInst& i) {
    switch (i.op) {
        case IrOp::Begin: return i.width == 2 || i.width == 4;
        case IrOp::GetX:
        case IrOp::SetX: return i.reg != 0 && i.reg < 32;
        case IrOp::GetF:
        case IrOp::SetF: return i.reg < 32;
        case IrOp::Sext:
        case IrOp::Zext: return i.width >= 1 && i.width <= 64;
        case IrOp::Box:
        case IrOp::Unbox: return i.width == 16 || i.width == 32;
        case IrOp::Load:
        case IrOp::Store:
        case IrOp::Amo:
        case IrOp::CompareSwap: return memory_width(i.width);
        case IrOp::LoadReserved:
        case IrOp::StoreConditional: return i.width == 32 || i.width == 64;
        case IrOp::Fp:
            return i.rounding <= static_cast<u8>(fp::Rounding::NearestMaxMagnitude) ||
                   i.rounding == kDynamicRounding;
        case IrOp::Call: return i.function != nullptr;
        default: return true;
    }
}

class Verifier {
public:
    explicit Verifier(const IrBlock& block) : block_(block) {}
    std::string run() {
        for (at_ = 0; at_ < block_.size(); ++at_) {
            const std::string wrong = check(block_[at_]);
            if (!wrong.empty()) return join(number(at_), " (", name(block_[at_].op), "): ", wrong);
        }
        return open_ ? "the last guest instruction has no terminator" : "";
    }

private:
    std::string check(const IrInst& i) {
        if (static_cast<std::size_t>(i.op) >= kShapes.size()) return "no such operation";
        const std::array<u32, 3> values{i.a, i.b, i.c};
        for (unsigned n = 0; n < values.size(); ++n) {
            const bool missing = values[n] == kNoValue;
            if (n >= arity(i.op) && !missing) return "takes fewer values";
            if (n >= arity(i.op) || (missing && i.op == IrOp::Fp && n > 0)) continue;
            if (missing) return "lacks a value";
            if (values[n] >= at_) return "uses a value before it is defined";
            if (!gives_value(block_[values[n]].op)) return "uses what gives no value";
        }
        if (i.op == IrOp::Fp && i.b == kNoValue && i.c != kNoValue)
            return "has a third value but no second one";
        if (!legal_detail(i)) return "has an illegal width, register, rounding or function";
        return check_order(i);
    }
    std::string check_order(const IrInst& i) {
        if (i.op == IrOp::Begin) {
            if (open_) return "the guest instruction before has no terminator";
            if (left_) return "follows a terminator that leaves the block";
            if (at_ != 0 && i.imm != next_pc_) return "does not follow the guest instruction before";
            next_pc_ = i.imm + i.width;
            open_ = true;
            guarded_ = false;
            return "";
        }
        if (!open_) return "is outside of a guest instruction";
        if (i.op == IrOp::RoundingGuard) guarded_ = true;
        if (i.op == IrOp::Fp && i.rounding == kDynamicRounding && !guarded_)
            return "uses frm without a guard";
        if (is_terminator(i.op)) {
            open_ = false;
            left_ = i.op != IrOp::End;
        }
        return "";
    }

    const IrBlock& block_;
    std::size_t at_ = 0;
    u64 next_pc_ = 0;
    bool open_ = false, left_ = false, guarded_ = false;
};
}  // namespace

std::string_view name(IrOp op) {
    return static_cast<std::size_t>(op) < kShapes.size() ? shape(op).name : "?";
}
unsigned arity(IrOp op) { return shape(op).arity; }
bool gives_value(IrOp op) { return shape(op).kind == Kind::Gives; }
bool is_terminator(IrOp op) { return shape(op).kind == Kind::Ends; }

std::string print(const IrBlock& block) {
    std::string text;
    for (std::size_t n = 0; n < block.size(); ++n) {
        const IrInst& i = block[n];
        if (i.op != IrOp::Begin) text += "  ";
        if (gives_value(i.op)) text += join("v", number(n), " = ");
        text += join(name(i.op), detail(i));
        for (const u32 value : {i.a, i.b, i.c})
            if (value != kNoValue) text += join(" v", number(value));
        text += '\n';
    }
    return text;
}

std::string verify(const IrBlock& block) { return Verifier(block).run(); }
}  // namespace hartline
