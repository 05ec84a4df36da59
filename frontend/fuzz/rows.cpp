// Sorting rows, drawing encodings.
#include "frontend/fuzz/rows.hpp"

#include "cpu/decode.hpp"
#include "frontend/fuzz/dialect.hpp"

namespace hartline::fuzz {
namespace {
bool is_load_reserved(Op op) { return op == Op::LR_W || op == Op::LR_D || op == Op::SC_W || op == Op::SC_D; }
bool writes_x(Op op) {
    const Format format = row(op).format;
    return format != Format::S && format != Format::B && format != Format::None && !effects(op).writes_f;
}
void sort(Rows& rows, Op op) {
    const Effects& e = effects(op);
    const Format format = row(op).format;
    if (op == Op::PAUSE || op == Op::WRS_NTO || op == Op::WRS_STO) return rows.hints.push_back(op);
    if (op == Op::AMOCAS_Q) return rows.atomic.push_back(op);
    if (e.calls || e.jumps || is_load_reserved(op)) return;
    if (e.branches) return rows.branches.push_back(op);
    if (format == Format::Amo) return rows.atomic.push_back(op);
    if (e.loads || e.stores) return (e.floating_point ? rows.access_fp : rows.access).push_back(op);
    (e.floating_point ? rows.floating : rows.integer).push_back(op);
}
}  // namespace

const Effects& effects(Op op) { return kEffects[static_cast<std::size_t>(op)]; }

Rows::Rows(Dialect dialect) {
    for (const Row& r : kIsa)
        if (knows(dialect, r)) sort(*this, r.op);
    for (const CompressedRow& c : kCompressed) {
        if (!knows(dialect, c)) continue;
        const Effects& e = effects(c.target);
        if (e.branches || c.mnemonic == "c.j")
            c_branches.push_back(&c);
        else if (e.loads || e.stores)
            c_access.push_back(&c);
        else if (!e.jumps && !e.calls)
            c_integer.push_back(&c);
    }
}

u32 random_word(Writer& w, Op op) {
    const Row& r = row(op);
    u32 word = (static_cast<u32>(w.random.next()) & ~r.mask) | r.match;
    if (decode(word).op != op) word = r.match;  // a special case of this row, which is a row itself
    Operands o = extract(r.format, word);
    if (writes_x(op)) o.rd = w.destination();
    if (!effects(op).floating_point) {
        if (o.rs1 == kScratch) o.rs1 = 0;
        if (o.rs2 == kScratch) o.rs2 = 0;
    }
    // Reserved rounding modes trap: rarely.
    if ((r.format == Format::Fp || r.format == Format::Fp4) && (o.imm == 5 || o.imm == 6) &&
        !w.random.one_in(8))
        o.imm = 7;
    // Bits that no operand covers (a may-be-operation's number) stay random.
    const u32 covered = encode(op, {.rd = 31, .rs1 = 31, .rs2 = 31, .rs3 = 31, .imm = -1}) & ~r.mask;
    return encode(op, o) | (word & ~r.mask & ~covered);
}

std::optional<u16> random_half(Writer& w, const CompressedRow& row) {
    for (int tries = 0; tries < 50; ++tries) {
        const auto half = static_cast<u16>((w.random.next() & 0xffff & ~row.mask) | row.match);
        if (find_compressed(half) != &row) continue;
        const Operands o = decode(half).operands;
        if (!effects(row.target).writes_f && writes_x(row.target) && (o.rd >= kScratch || w.is_used(o.rd)))
            continue;
        return half;
    }
    return std::nullopt;
}
}  // namespace hartline::fuzz
