// The instruction table as data: ids, rows and operand extraction, all constexpr.
#pragma once
#include <array>
#include <limits>
#include <stdexcept>
#include <string_view>

#include "core/types.hpp"
#include "cpu/operands.hpp"

namespace hartline {

// How operands lie in an instruction word. CSR numbers, rounding modes (Fp, Fp4) and the order bits of
// atomics (Amo) are carried as the immediate.
enum class Format : u8 { None, R, I, Shift, ShiftW, S, B, U, J, Csr, Amo, Fp, Fp4 };

enum class Extension : u8 {
#define EXTENSION(id, ...) id,
#include "cpu/isa/extensions.def"
};
inline constexpr auto kExtensionNames = std::to_array<std::string_view>({
#define EXTENSION(id, name, ...) name,
#include "cpu/isa/extensions.def"
});
inline constexpr std::size_t kExtensions = kExtensionNames.size();
constexpr std::string_view name(Extension extension) {
    return kExtensionNames[static_cast<std::size_t>(extension)];
}
// Are its rows illegal while mstatus.FS is Off?
constexpr bool is_floating_point(Extension extension) {
    enum Kind : bool { Other, Floating };
    constexpr std::array kKinds{
#define EXTENSION(id, name, kind) kind,
#include "cpu/isa/extensions.def"
    };
    return kKinds[static_cast<std::size_t>(extension)] == Floating;
}

enum class Op : u16 {
#define INSN(id, ...) id,
#include "cpu/isa/all.def"
    Illegal
};
inline constexpr std::size_t kRows = static_cast<std::size_t>(Op::Illegal);

struct Row {
    Op op;
    Extension extension;
    Format format;
    u32 mask, match;
    std::string_view mnemonic, operands;
};
// A compressed instruction stands for `target` with the operands that decode() takes from the halfword.
struct CompressedRow {
    Op target;
    Extension extension;
    u32 mask, match;
    std::string_view mnemonic, operands;
};
struct TodoRow {
    Extension extension;
    u32 mask, match;
    std::string_view mnemonic;
};

struct Pattern {
    u32 mask = 0, match = 0;
};
// Reads "0010000 ----- ..." (most significant bit first).
consteval Pattern parse_pattern(std::string_view text, unsigned width) {
    Pattern pattern;
    unsigned seen = 0;
    for (const char c : text) {
        if (c == ' ') continue;
        if (c != '0' && c != '1' && c != '-') throw std::logic_error("bad character in a bit pattern");
        pattern.mask = pattern.mask << 1 | (c != '-');
        pattern.match = pattern.match << 1 | (c == '1');
        ++seen;
    }
    if (seen != width) throw std::logic_error("a bit pattern has the wrong width");
    return pattern;
}
consteval Row make_row(Op op, Extension extension, Format format, std::string_view pattern,
                       std::string_view mnemonic, std::string_view operands) {
    const Pattern p = parse_pattern(pattern, 32);
    if ((p.match & 3) != 3) throw std::logic_error("a 32-bit pattern does not end in 11");
    return {op, extension, format, p.mask, p.match, mnemonic, operands};
}
consteval CompressedRow make_compressed(Op target, Extension extension, std::string_view pattern,
                                        std::string_view mnemonic, std::string_view operands) {
    const Pattern p = parse_pattern(pattern, 16);
    if ((p.mask & 3) != 3 || (p.match & 3) == 3) throw std::logic_error("a 16-bit pattern is in no quadrant");
    return {target, extension, p.mask, p.match, mnemonic, operands};
}
consteval TodoRow make_todo(Extension extension, std::string_view pattern, std::string_view mnemonic) {
    const Pattern p = parse_pattern(pattern, 32);
    return {extension, p.mask, p.match, mnemonic};
}

inline constexpr std::array<Row, kRows> kIsa{{
#define INSN(id, extension, format, pattern, mnemonic, operands, ...) \
    make_row(Op::id, Extension::extension, Format::format, pattern, mnemonic, operands),
#include "cpu/isa/all.def"
}};
inline constexpr auto kCompressed = std::to_array<CompressedRow>({
#define C_INSN(id, extension, pattern, mnemonic, operands, target, ...) \
    make_compressed(Op::target, Extension::extension, pattern, mnemonic, operands),
#include "cpu/isa/all.def"
});
inline constexpr auto kTodo = std::to_array<TodoRow>({
#define TODO_INSN(extension, pattern, mnemonic) make_todo(Extension::extension, pattern, mnemonic),
#include "cpu/isa/all.def"
});
constexpr const Row& row(Op op) { return kIsa[static_cast<std::size_t>(op)]; }

// --- what may overlap: a row and a special case of it
template <class A, class B>
constexpr bool overlap(const A& a, const B& b) {
    return ((a.match ^ b.match) & a.mask & b.mask) == 0;
}
template <class A, class B>
constexpr bool more_specific(const A& a, const B& b) {  // of two that overlap
    return a.mask != b.mask && (a.mask & b.mask) == b.mask;
}
template <class A, class B>
constexpr bool compatible(const A& a, const B& b) {
    return !overlap(a, b) || more_specific(a, b) || more_specific(b, a);
}
template <class Rows>
constexpr bool unambiguous(const Rows& rows) {
    for (std::size_t i = 0; i < rows.size(); ++i)
        for (std::size_t j = i + 1; j < rows.size(); ++j)
            if (!compatible(rows[i], rows[j])) return false;
    return true;
}

// --- operands of 32-bit instructions. "Base Instruction Formats", "Immediate Encoding Variants"
constexpr i32 signed_field(u32 value, unsigned width) { return static_cast<i32>(sign_extend(value, width)); }
constexpr u32 field(u32 word, unsigned hi, unsigned lo) { return static_cast<u32>(bits(word, hi, lo)); }
constexpr u8 register_at(u32 word, unsigned lo) { return static_cast<u8>(bits(word, lo + 4, lo)); }
constexpr i32 immediate_b(u32 w) {
    return signed_field(
        field(w, 31, 31) << 12 | field(w, 7, 7) << 11 | field(w, 30, 25) << 5 | field(w, 11, 8) << 1, 13);
}
constexpr i32 immediate_j(u32 w) {
    return signed_field(
        field(w, 31, 31) << 20 | field(w, 19, 12) << 12 | field(w, 20, 20) << 11 | field(w, 30, 21) << 1, 21);
}
// Registers that a format does not have are left zero.
constexpr Operands extract(Format format, u32 w) {
    const u8 rd = register_at(w, 7), rs1 = register_at(w, 15), rs2 = register_at(w, 20),
             rs3 = register_at(w, 27);
    switch (format) {
        case Format::None: break;
        case Format::R: return {.rd = rd, .rs1 = rs1, .rs2 = rs2};
        case Format::I: return {.rd = rd, .rs1 = rs1, .imm = signed_field(field(w, 31, 20), 12)};
        case Format::Shift: return {.rd = rd, .rs1 = rs1, .imm = static_cast<i32>(field(w, 25, 20))};
        case Format::ShiftW: return {.rd = rd, .rs1 = rs1, .imm = static_cast<i32>(field(w, 24, 20))};
        case Format::S:
            return {.rs1 = rs1, .rs2 = rs2, .imm = signed_field(field(w, 31, 25) << 5 | field(w, 11, 7), 12)};
        case Format::B: return {.rs1 = rs1, .rs2 = rs2, .imm = immediate_b(w)};
        case Format::U: return {.rd = rd, .imm = static_cast<i32>(w & 0xffff'f000)};
        case Format::J: return {.rd = rd, .imm = immediate_j(w)};
        case Format::Csr: return {.rd = rd, .rs1 = rs1, .imm = static_cast<i32>(field(w, 31, 20))};
        case Format::Amo:
            return {.rd = rd, .rs1 = rs1, .rs2 = rs2, .imm = static_cast<i32>(field(w, 26, 25))};
        case Format::Fp: return {.rd = rd, .rs1 = rs1, .rs2 = rs2, .imm = static_cast<i32>(field(w, 14, 12))};
        case Format::Fp4:
            return {.rd = rd, .rs1 = rs1, .rs2 = rs2, .rs3 = rs3, .imm = static_cast<i32>(field(w, 14, 12))};
    }
    return {};
}

// --- a compressed instruction's fields. zca, "Compressed Instruction Formats"
inline constexpr u8 kRa = 1, kSp = 2;
struct Halfword {
    u32 value;

    constexpr u32 at(unsigned hi, unsigned lo, unsigned to) const { return field(value, hi, lo) << to; }
    constexpr u8 rd() const { return register_at(value, 7); }
    constexpr u8 rs2() const { return register_at(value, 2); }
    constexpr u8 high() const { return static_cast<u8>(8 + field(value, 9, 7)); }  // rs1' or rd'
    constexpr u8 low() const { return static_cast<u8>(8 + field(value, 4, 2)); }   // rs2' or rd'
    constexpr i32 imm6() const { return signed_field(at(12, 12, 5) | at(6, 2, 0), 6); }
    constexpr i32 shamt() const { return static_cast<i32>(at(12, 12, 5) | at(6, 2, 0)); }
    constexpr i32 imm_addi4spn() const {
        return static_cast<i32>(at(12, 11, 4) | at(10, 7, 6) | at(6, 6, 2) | at(5, 5, 3));
    }
    constexpr i32 imm_addi16sp() const {
        return signed_field(at(12, 12, 9) | at(6, 6, 4) | at(5, 5, 6) | at(4, 3, 7) | at(2, 2, 5), 10);
    }
    constexpr i32 imm_lb() const { return static_cast<i32>(at(6, 6, 0) | at(5, 5, 1)); }
    constexpr i32 imm_lh() const { return static_cast<i32>(at(5, 5, 1)); }
    constexpr i32 imm_lw() const { return static_cast<i32>(at(12, 10, 3) | at(6, 6, 2) | at(5, 5, 6)); }
    constexpr i32 imm_ld() const { return static_cast<i32>(at(12, 10, 3) | at(6, 5, 6)); }
    constexpr i32 imm_lwsp() const { return static_cast<i32>(at(12, 12, 5) | at(6, 4, 2) | at(3, 2, 6)); }
    constexpr i32 imm_ldsp() const { return static_cast<i32>(at(12, 12, 5) | at(6, 5, 3) | at(4, 2, 6)); }
    constexpr i32 imm_swsp() const { return static_cast<i32>(at(12, 9, 2) | at(8, 7, 6)); }
    constexpr i32 imm_sdsp() const { return static_cast<i32>(at(12, 10, 3) | at(9, 7, 6)); }
    constexpr i32 imm_j() const {
        return signed_field(at(12, 12, 11) | at(11, 11, 4) | at(10, 9, 8) | at(8, 8, 10) | at(7, 7, 6) |
                                at(6, 6, 7) | at(5, 3, 1) | at(2, 2, 5),
                            12);
    }
    constexpr i32 imm_b() const {
        return signed_field(at(12, 12, 8) | at(11, 10, 3) | at(6, 5, 6) | at(4, 3, 1) | at(2, 2, 5), 9);
    }
};

// --- constants that floating-point rows need
inline constexpr i64 kSignH = 0x8000, kSignS = 0x8000'0000, kSignD = std::numeric_limits<i64>::min();
// zfa, "Load-Immediate Instructions". Entry 1 is the format's smallest normal number; 65536 is no
// half-precision number and reads as infinity, 2^-16 and 2^-15 are subnormal there.
inline constexpr std::array<u16, 32> kFliH{0xbc00, 0x0400, 0x0100, 0x0200, 0x1c00, 0x2000, 0x2c00, 0x3000,
                                           0x3400, 0x3500, 0x3600, 0x3700, 0x3800, 0x3900, 0x3a00, 0x3b00,
                                           0x3c00, 0x3d00, 0x3e00, 0x3f00, 0x4000, 0x4100, 0x4200, 0x4400,
                                           0x4800, 0x4c00, 0x5800, 0x5c00, 0x7800, 0x7c00, 0x7c00, 0x7e00};
inline constexpr std::array<u32, 32> kFliS{
    0xbf80'0000, 0x0080'0000, 0x3780'0000, 0x3800'0000, 0x3b80'0000, 0x3c00'0000, 0x3d80'0000, 0x3e00'0000,
    0x3e80'0000, 0x3ea0'0000, 0x3ec0'0000, 0x3ee0'0000, 0x3f00'0000, 0x3f20'0000, 0x3f40'0000, 0x3f60'0000,
    0x3f80'0000, 0x3fa0'0000, 0x3fc0'0000, 0x3fe0'0000, 0x4000'0000, 0x4020'0000, 0x4040'0000, 0x4080'0000,
    0x4100'0000, 0x4180'0000, 0x4300'0000, 0x4380'0000, 0x4700'0000, 0x4780'0000, 0x7f80'0000, 0x7fc0'0000};
inline constexpr std::array<u64, 32> kFliD = [] {
    std::array<u64, 32> table{};
    for (std::size_t i = 0; i < table.size(); ++i)
        table[i] = std::bit_cast<u64>(double{std::bit_cast<float>(kFliS[i])});
    table[1] = u64{1} << 52;
    return table;
}();
}  // namespace hartline
