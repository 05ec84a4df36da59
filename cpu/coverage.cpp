// Counting, and sorting operands into classes.
#include "cpu/coverage.hpp"

#include <limits>

#include "cpu/decode.hpp"

namespace hartline {
namespace {
using C = OperandClass;

constexpr u64 mask(unsigned first, unsigned count) { return ((u64{1} << count) - 1) << first; }
constexpr u64 one(unsigned operand_class) { return u64{1} << operand_class; }

bool has(const Row& row, std::string_view key) { return row.operands.find(key) != std::string_view::npos; }

struct Limits {
    i32 min = 0, max = 0;  // equal: it carries no number
};
Limits limits(const Row& row) {
    if (!has(row, "imm") && !has(row, "target")) return {};
    switch (row.format) {
        case Format::I:
        case Format::S: return {-2048, 2047};
        case Format::B: return {-4096, 4094};
        case Format::J: return {-(1 << 20), (1 << 20) - 2};
        case Format::U: return {std::numeric_limits<i32>::min(), 0x7fff'f000};
        case Format::Shift: return {0, 63};
        case Format::ShiftW: return {0, 31};
        default: return {};
    }
}

// The width of a row's floating-point sources: its name ends in it. 0: it has none that are looked into.
unsigned float_width(const Row& row) {
    if (!has(row, "fs1")) return 0;
    const std::size_t dot = row.mnemonic.rfind('.');
    const std::string_view end = dot == std::string_view::npos ? "" : row.mnemonic.substr(dot);
    if (end == ".d") return 64;
    if (end == ".s") return 32;
    return end == ".h" ? 16 : 0;
}

u64 integer_class(u64 value, unsigned first) {
    constexpr std::array<u64, 5> kBoundaries{0, 1, ~u64{0}, u64{1} << 63, ~u64{0} >> 1};
    for (unsigned i = 0; i < kBoundaries.size(); ++i)
        if (value == kBoundaries[i]) return one(first + i);
    return 0;
}

struct Split {
    unsigned fraction_bits, exponent_bits;
};
u64 float_class(u64 value, unsigned width, unsigned first) {
    const Split split = width == 64 ? Split{52, 11} : width == 32 ? Split{23, 8} : Split{10, 5};
    if (width < 64 && value >> width != ~u64{0} >> width) return one(first + 5);
    const u64 fraction = bits(value, split.fraction_bits - 1, 0);
    const u64 exponent = bits(value, split.fraction_bits + split.exponent_bits - 1, split.fraction_bits);
    if (exponent == 0) return one(first + (fraction == 0 ? 0 : 1));
    if (exponent != (u64{1} << split.exponent_bits) - 1) return one(first + 6);
    if (fraction == 0) return one(first + 2);
    return one(first + (bit(fraction, split.fraction_bits - 1) != 0 ? 3 : 4));
}

u64 register_classes(const Operands& o) {
    u64 seen = 0;
    if (o.rd == 0) seen |= one(C::RdZero);
    if (o.rs1 == 0) seen |= one(C::Rs1Zero);
    if (o.rs2 == 0) seen |= one(C::Rs2Zero);
    if (o.rd == o.rs1) seen |= one(C::RdIsRs1);
    if (o.rs1 == o.rs2) seen |= one(C::Rs1IsRs2);
    return seen;
}
u64 immediate_classes(i32 imm, const Limits& of) {
    u64 seen = 0;
    if (imm == 0) seen |= one(C::ImmZero);
    if (imm < 0) seen |= one(C::ImmNegative);
    if (imm == of.min) seen |= one(C::ImmMin);
    if (imm == of.max) seen |= one(C::ImmMax);
    return seen;
}
u64 float_classes(const Commit& commit, unsigned width) {
    u64 seen = 0;
    for (unsigned i = 0; i < 3; ++i) seen |= float_class(commit.f[i], width, C::Float1 + 7 * i);
    return seen;
}
}  // namespace

std::string class_name(unsigned operand_class) {
    constexpr std::array<const char*, C::Integer1> kOperands{
        "rd=x0", "rs1=x0", "rs2=x0", "rd=rs1", "rs1=rs2", "imm=0", "imm<0", "imm=min", "imm=max"};
    constexpr std::array<const char*, 5> kIntegers{"0", "1", "-1", "min", "max"};
    constexpr std::array<const char*, 7> kFloats{"zero", "subnormal", "inf",   "qNaN",
                                                 "sNaN", "unboxed",   "normal"};
    constexpr std::array<const char*, 5> kModes{"rne", "rtz", "rdn", "rup", "rmm"};
    constexpr std::array<const char*, 5> kFlags{"NX", "UF", "OF", "DZ", "NV"};
    if (operand_class < C::Integer1) return kOperands[operand_class];
    const auto value = [](const char* name, unsigned at, const auto& names) {
        return name + std::to_string(at / names.size() + 1) + "=" + names[at % names.size()];
    };
    if (operand_class < C::Float1) return value("x", operand_class - C::Integer1, kIntegers);
    if (operand_class < C::Rounding) return value("f", operand_class - C::Float1, kFloats);
    if (operand_class < C::Flags) return std::string("rm=") + kModes[operand_class - C::Rounding];
    return kFlags[operand_class - C::Flags];
}

u64 classes_of(const Row& row) {
    u64 all = 0;
    const bool rd = has(row, "rd"), rs1 = has(row, "rs1"), rs2 = has(row, "rs2");
    if (rd) all |= one(C::RdZero);
    if (rs1) all |= one(C::Rs1Zero) | mask(C::Integer1, 5);
    if (rs2) all |= one(C::Rs2Zero) | mask(C::Integer2, 5);
    if ((rd && rs1) || (has(row, "fd") && has(row, "fs1"))) all |= one(C::RdIsRs1);
    if ((rs1 && rs2) || (has(row, "fs1") && has(row, "fs2"))) all |= one(C::Rs1IsRs2);
    if (const Limits of = limits(row); of.min != of.max) {
        all |= one(C::ImmZero) | one(C::ImmMin) | one(C::ImmMax);
        if (of.min < 0) all |= one(C::ImmNegative);
    }
    if (const unsigned width = float_width(row); width != 0) {
        const u64 each = width == 64 ? 0b101'1111 : 0b111'1111;
        all |= each << C::Float1;
        if (has(row, "fs2")) all |= each << C::Float2;
        if (has(row, "fs3")) all |= each << C::Float3;
    }
    if (has(row, ",rm") && !has(row, ",rm0")) all |= mask(C::Rounding, 5);
    return all;
}

std::string_view row_name(Op op) {
    constexpr std::array<std::string_view, kRows> kNames{{
#define INSN(id, ...) #id,
#include "cpu/isa/all.def"
    }};
    return kNames[static_cast<std::size_t>(op)];
}

void Coverage::merge(const Coverage& other) {
    for (std::size_t i = 0; i < rows.size(); ++i) {
        rows[i].count += other.rows[i].count;
        rows[i].classes |= other.rows[i].classes;
    }
    for (std::size_t i = 0; i < compressed.size(); ++i) compressed[i] += other.compressed[i];
    for (const auto& [name, count] : other.traps) traps[name] += count;
    for (const auto& [number, count] : other.csrs) {
        CsrCount& mine = csrs[number];
        mine = {mine.reads + count.reads, mine.writes + count.writes, mine.changed | count.changed};
    }
}

CoverageCounter::CoverageCounter() {
    for (std::size_t i = 0; i < kRows; ++i) classes_[i] = classes_of(kIsa[i]);
}

void CoverageCounter::committed(const Commit& commit) {
    const auto at = static_cast<std::size_t>(commit.op);
    const Row& row = kIsa[at];
    Coverage::RowCount& count = coverage_.rows[at];
    ++count.count;
    const u64 wanted = classes_[at] & ~count.classes;
    if (wanted != 0) {
        u64 seen = register_classes(commit.operands) | integer_class(commit.x[0], C::Integer1) |
                   integer_class(commit.x[1], C::Integer2);
        if ((wanted & mask(C::ImmZero, 4)) != 0) seen |= immediate_classes(commit.operands.imm, limits(row));
        if (const unsigned width = float_width(row); width != 0) seen |= float_classes(commit, width);
        if (commit.rounding != Commit::kNone) seen |= one(C::Rounding + commit.rounding);
        count.classes |= seen & wanted;
    }
    count.classes |= u64{commit.fp_flags} << C::Flags;
    if (commit.length == 2)
        if (const CompressedRow* const found = find_compressed(static_cast<u16>(commit.bits)))
            ++coverage_.compressed[static_cast<std::size_t>(found - kCompressed.data())];
    if (!commit.csr.there) return;
    Coverage::CsrCount& csr = coverage_.csrs[commit.csr.number];
    csr.reads += commit.csr.read;
    csr.writes += commit.csr.written;
    if (commit.csr.written) csr.changed |= commit.csr.before ^ commit.csr.after;
}

void CoverageCounter::trapped(const TrapEntry& trap) {
    constexpr std::string_view kModes = "US?M";
    std::string name = (trap.interrupt ? "interrupt " : "exception ") + std::to_string(trap.cause) + ' ';
    name += kModes[static_cast<std::size_t>(trap.from)];
    name += '>';
    name += kModes[static_cast<std::size_t>(trap.to)];
    ++coverage_.traps[name];
    // Rows whose work is to trap never retire.
    if (trap.begun != nullptr && (trap.begun->op == Op::ECALL || trap.begun->op == Op::EBREAK))
        committed(*trap.begun);
}
}  // namespace hartline
