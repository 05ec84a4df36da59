// How rows use f registers, found by running their semantics over a machine that only takes notes.
#pragma once
#include <array>

#include "cpu/semantics.hpp"

namespace hartline::jit {

enum class FloatWidth : u8 { None, Single, Double };

struct FloatUse {
    std::array<FloatWidth, 3> reads{};  // rs1, rs2, rs3; None: no f register
    FloatWidth writes{};
    bool half = false;        // of half precision, in part
    bool arithmetic = false;  // rounds, or may raise flags
};

struct FloatProbe {
    struct V {
        u8 f = 0;  // 1 to 3: that operand as it is
        FloatWidth boxed = FloatWidth::Double;
    };
    FloatUse use;

    constexpr V note(V v, unsigned width) {
        if (v.f != 0 && width >= 32)
            use.reads[v.f - 1u] = width == 32 ? FloatWidth::Single : FloatWidth::Double;
        return {};
    }
    constexpr V imm(i64) { return {}; }
    constexpr V x(u8) { return {}; }
    constexpr void set(u8, V v) { note(v, 64); }
    constexpr bool is_x0(u8) { return false; }

#define UNARY(word, ...) \
    constexpr V word(V v) { return note(v, 64); }
#define BINARY(word, ...)        \
    constexpr V word(V v, V w) { \
        note(v, 64);             \
        return note(w, 64);      \
    }
#include "cpu/isa/words.def"
    constexpr V select(V, V, V) { return {}; }
    constexpr V sext(V v, unsigned width) { return note(v, width); }
    constexpr V zext(V v, unsigned width) { return note(v, width); }

    constexpr V pc_plus(i64) { return {}; }
    constexpr V next_pc() { return {}; }
    constexpr void jump(V) {}
    constexpr void branch(V, V) {}

    template <class K>
    constexpr void load(unsigned, Sign, V, K&& k) {
        k(V{});
    }
    constexpr void store(unsigned width, V, V v) { note(v, width); }
    template <class K>
    constexpr void amo(AmoOp, unsigned, V, V, K&& k) {
        k(V{});
    }
    template <class K>
    constexpr void load_reserved(unsigned, V, K&& k) {
        k(V{});
    }
    template <class K>
    constexpr void store_conditional(unsigned, V, V, K&& k) {
        k(V{});
    }
    template <class K>
    constexpr void compare_swap(unsigned, V, V, V, K&& k) {
        k(V{});
    }
    constexpr void fence(i32) {}

    constexpr V f(u8 reg) { return {.f = reg}; }
    constexpr void set_f(u8, V v) {
        note(v, 64);
        use.writes = v.boxed;
    }
    constexpr V box(V v, unsigned width) {
        note(v, width);
        use.half |= width == 16;
        return {.boxed = width == 32 ? FloatWidth::Single : FloatWidth::None};
    }
    constexpr V unbox(V v, unsigned width) {
        use.half |= width == 16;
        return note(v, width);
    }
    template <class K>
    constexpr void rounding(i32, K&& k) {
        k(AnyRounding{});
    }
    template <class FpOp>
    constexpr V fp(FpOp, AnyRounding, V v, V w = {}, V u = {}) {
        note(v, 64);
        note(w, 64);
        note(u, 64);
        use.arithmetic = true;
        return {};
    }
    constexpr void call(SystemFunction, const Operands&) {}
};

inline constexpr std::array<FloatUse, kRows> kFloatUses{{
#define INSN(id, extension, format, pattern, mnemonic, operands, ...)               \
    [] {                                                                            \
        FloatProbe m;                                                               \
        const Operands o{.rs1 = 1, .rs2 = 2, .rs3 = 3};                             \
        [[maybe_unused]] const u8 rd = o.rd, rs1 = o.rs1, rs2 = o.rs2, rs3 = o.rs3; \
        [[maybe_unused]] const i32 imm = o.imm;                                     \
        __VA_ARGS__;                                                                \
        return m.use;                                                               \
    }(),
#include "cpu/isa/all.def"
}};
constexpr const FloatUse& float_use(Op op) { return kFloatUses[static_cast<std::size_t>(op)]; }
}  // namespace hartline::jit
