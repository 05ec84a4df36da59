// Instruction bits from operands. "Base Instruction Formats", "Immediate Encoding Variants"
#include "frontend/fuzz/encode.hpp"

#include <stdexcept>

namespace hartline::fuzz {
namespace {
constexpr u32 slice(u32 value, unsigned hi, unsigned lo, unsigned to) { return field(value, hi, lo) << to; }
constexpr u32 scatter_b(u32 v) {
    return slice(v, 12, 12, 31) | slice(v, 10, 5, 25) | slice(v, 4, 1, 8) | slice(v, 11, 11, 7);
}
constexpr u32 scatter_j(u32 v) {
    return slice(v, 20, 20, 31) | slice(v, 10, 1, 21) | slice(v, 11, 11, 20) | slice(v, 19, 12, 12);
}
constexpr u32 scatter_s(u32 v) { return slice(v, 11, 5, 25) | slice(v, 4, 0, 7); }
constexpr u32 scatter_cj(u32 v) {
    return slice(v, 11, 11, 12) | slice(v, 4, 4, 11) | slice(v, 9, 8, 9) | slice(v, 10, 10, 8) |
           slice(v, 6, 6, 7) | slice(v, 7, 7, 6) | slice(v, 3, 1, 3) | slice(v, 5, 5, 2);
}
constexpr u32 scatter_cb(u32 v) {
    return slice(v, 8, 8, 12) | slice(v, 4, 3, 10) | slice(v, 7, 6, 5) | slice(v, 2, 1, 3) |
           slice(v, 5, 5, 2);
}
constexpr u32 kMaskB = scatter_b(~0u), kMaskJ = scatter_j(~0u), kMaskCj = scatter_cj(~0u),
              kMaskCb = scatter_cb(~0u);

u32 immediate_bits(Format format, u32 imm) {
    switch (format) {
        case Format::I:
        case Format::Csr: return imm << 20;
        case Format::Shift: return (imm & 63) << 20;
        case Format::ShiftW: return (imm & 31) << 20;
        case Format::S: return scatter_s(imm);
        case Format::B: return scatter_b(imm);
        case Format::U: return imm & 0xffff'f000;
        case Format::J: return scatter_j(imm);
        case Format::Amo: return (imm & 3) << 25;
        case Format::Fp:
        case Format::Fp4: return (imm & 7) << 12;
        case Format::None:
        case Format::R: return 0;
    }
    return 0;
}
u32 register_bits(Format format, const Operands& o) {
    const u32 rd = u32{o.rd} << 7, rs1 = u32{o.rs1} << 15, rs2 = u32{o.rs2} << 20;
    switch (format) {
        case Format::None: return 0;
        case Format::S:
        case Format::B: return rs1 | rs2;
        case Format::U:
        case Format::J: return rd;
        case Format::I:
        case Format::Shift:
        case Format::ShiftW:
        case Format::Csr: return rd | rs1;
        case Format::Fp4: return rd | rs1 | rs2 | u32{o.rs3} << 27;
        default: return rd | rs1 | rs2;
    }
}
}  // namespace

u32 encode(Op op, const Operands& operands) {
    const Row& r = row(op);
    const u32 open =
        register_bits(r.format, operands) | immediate_bits(r.format, static_cast<u32>(operands.imm));
    return r.match | (open & ~r.mask);
}

u32 with_branch_offset(u32 word, u8 length, i64 offset) {
    const auto v = static_cast<u32>(offset);
    if (length == 4)
        return (word & 0x7f) == 0x6f ? (word & ~kMaskJ) | scatter_j(v) : (word & ~kMaskB) | scatter_b(v);
    return (word & 0xe003) == 0xa001 ? (word & ~kMaskCj) | scatter_cj(v) : (word & ~kMaskCb) | scatter_cb(v);
}

// As compilers do: the upper part first, then shifts and additions of 12 bits.
std::vector<u32> load_constant(u8 rd, u64 value) {
    const auto low = static_cast<i32>(sign_extend(value, 12));
    if (sign_extend(value, 32) == value) {
        const auto upper = static_cast<i32>(static_cast<u32>(value - static_cast<u64>(i64{low})));
        if (upper == 0) return {encode(Op::ADDI, {.rd = rd, .imm = low})};
        std::vector<u32> words{encode(Op::LUI, {.rd = rd, .imm = upper})};
        if (low != 0) words.push_back(encode(Op::ADDIW, {.rd = rd, .rs1 = rd, .imm = low}));
        return words;
    }
    const i64 rest = static_cast<i64>(value - static_cast<u64>(i64{low})) >> 12;
    std::vector<u32> words = load_constant(rd, static_cast<u64>(rest));
    words.push_back(encode(Op::SLLI, {.rd = rd, .rs1 = rd, .imm = 12}));
    if (low != 0) words.push_back(encode(Op::ADDI, {.rd = rd, .rs1 = rd, .imm = low}));
    return words;
}

void Assembler::li(u8 rd, u64 value) {
    for (const u32 word : load_constant(rd, value)) words_.push_back(word);
}
void Assembler::branch(Op op, u8 rs1, u8 rs2, const std::string& to) {
    fixups_.emplace_back(words_.size(), to);
    put(op, {.rs1 = rs1, .rs2 = rs2});
}
void Assembler::jump(u8 rd, const std::string& to) {
    fixups_.emplace_back(words_.size(), to);
    put(Op::JAL, {.rd = rd});
}
void Assembler::jump(u8 rd, u64 to) {
    put(Op::JAL, {.rd = rd, .imm = static_cast<i32>(static_cast<i64>(to - pc()))});
}
const std::vector<u32>& Assembler::finish() {
    for (const auto& [at, to] : fixups_) {
        if (!labels_.contains(to)) throw std::logic_error("no label " + to);
        words_[at] = with_branch_offset(words_[at], 4, static_cast<i64>(labels_.at(to) - (base_ + at * 4)));
    }
    fixups_.clear();
    return words_;
}
}  // namespace hartline::fuzz
