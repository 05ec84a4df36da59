// What rows do, found by running their semantics over a machine that only takes notes.
#pragma once
#include <array>

#include "cpu/semantics.hpp"

namespace hartline {

struct Effects {
    bool jumps = false;
    bool branches = false;
    bool calls = false;  // a system function does the whole instruction
    bool loads = false;  // atomics load and store
    bool stores = false;
    bool floating_point = false;  // illegal while mstatus.FS is Off
    bool writes_f = false;        // rd is an f register
    bool uses_pc = false;         // its immediate is an offset from pc
    bool operator==(const Effects&) const = default;
};

// A machine without values.
struct Probe {
    struct V {};
    Effects effects;

    constexpr V imm(i64) { return {}; }
    constexpr V x(u8) { return {}; }
    constexpr void set(u8, V) {}
    constexpr bool is_x0(u8) { return false; }

#define UNARY(word, ...) \
    constexpr V word(V) { return {}; }
#define BINARY(word, ...) \
    constexpr V word(V, V) { return {}; }
#include "cpu/isa/words.def"
    constexpr V select(V, V, V) { return {}; }
    constexpr V sext(V, unsigned) { return {}; }
    constexpr V zext(V, unsigned) { return {}; }

    constexpr V pc_plus(i64) {
        effects.uses_pc = true;
        return {};
    }
    constexpr V next_pc() { return {}; }
    constexpr void jump(V) { effects.jumps = true; }
    constexpr void branch(V, V) { effects.branches = true; }

    template <class K>
    constexpr void load(unsigned, Sign, V, K&& k) {
        effects.loads = true;
        k(V{});
    }
    constexpr void store(unsigned, V, V) { effects.stores = true; }
    template <class K>
    constexpr void amo(AmoOp, unsigned, V, V, K&& k) {
        effects.loads = effects.stores = true;
        k(V{});
    }
    template <class K>
    constexpr void load_reserved(unsigned, V, K&& k) {
        effects.loads = true;
        k(V{});
    }
    template <class K>
    constexpr void store_conditional(unsigned, V, V, K&& k) {
        effects.stores = true;
        k(V{});
    }
    template <class K>
    constexpr void compare_swap(unsigned, V, V, V, K&& k) {
        effects.loads = effects.stores = true;
        k(V{});
    }
    constexpr void fence(i32) {}

    constexpr V f(u8) { return {}; }
    constexpr void set_f(u8, V) { effects.writes_f = true; }
    constexpr V box(V, unsigned) { return {}; }
    constexpr V unbox(V, unsigned) { return {}; }
    template <class K>
    constexpr void rounding(i32, K&& k) {
        k(AnyRounding{});
    }
    template <class FpOp>
    constexpr V fp(FpOp, AnyRounding, V, V = {}, V = {}) {
        return {};
    }
    constexpr void call(SystemFunction, const Operands&) { effects.calls = true; }
};

// exec_<ID> is no constant expression; the semantics themselves are.
inline constexpr std::array<Effects, kRows> kEffects{{
#define INSN(id, extension, format, pattern, mnemonic, operands, ...)                \
    [] {                                                                             \
        Probe m{Effects{.floating_point = is_floating_point(Extension::extension)}}; \
        const Operands o{};                                                          \
        [[maybe_unused]] const u8 rd = o.rd, rs1 = o.rs1, rs2 = o.rs2, rs3 = o.rs3;  \
        [[maybe_unused]] const i32 imm = o.imm;                                      \
        __VA_ARGS__;                                                                 \
        return m.effects;                                                            \
    }(),
#include "cpu/isa/all.def"
}};

// Is it the last instruction of its block?
constexpr bool ends_block(const Effects& effects) {
    return effects.jumps || effects.branches || effects.calls;
}
constexpr bool ends_block(Op op) {
    return op == Op::Illegal || ends_block(kEffects[static_cast<std::size_t>(op)]);
}
}  // namespace hartline
