// Units of the unprivileged architecture.
#include "frontend/fuzz/units.hpp"
#include "frontend/fuzz/values.hpp"

namespace hartline::fuzz {
namespace {
// Offsets from x31 that matter: near the page border, over the window's lower half; rarely where constants
// lie.
i32 window_offset(Writer& w) {
    switch (w.random.below(8)) {
        case 0:
        case 1: return w.random.between(-9, 7);
        case 2: return w.random.between(0, 2040);
        default: return w.random.between(-1536, 0);
    }
}
u32 insn_bytes(u32 word) { return (word & 3) == 3 ? 4 : 2; }
u32 replacement(Writer& w, const Rows& rows) {
    if (!w.random.one_in(3)) return random_word(w, w.random.of(rows.integer));
    const auto low = random_half(w, *w.random.of(rows.c_integer));
    const auto high = random_half(w, *w.random.of(rows.c_integer));
    return low && high ? u32{*low} | u32{*high} << 16 : encode(Op::ADDI, {});
}
bool may_fault(const Writer& w) {
    const Category category = w.program.recipe.category;
    return w.paged || category == Category::Pmp || category == Category::Paging ||
           category == Category::Mixed;
}
// Where accesses may fault, a misaligned one over a page border is judged by parts: Spike has then stored
// what comes before the fault ("Misaligned accesses" may), QEMU 7.2 tells an address in mtval that is not of
// the faulting part.
bool misaligned(const Writer& w, bool stores) {
    return !may_fault(w) || (w.program.recipe.dialect != Dialect::Qemu && !stores);
}
// QEMU 7.2 reports faults of atomics as those of loads.
bool faulting_atomics(const Writer& w) { return w.program.recipe.dialect != Dialect::Qemu || !may_fault(w); }

u32 access_word(Writer& w, Op op, u8 base, i32 offset) {
    const Row& r = row(op);
    Operands o = extract(r.format, random_word(w, op));
    o.rs1 = base;
    o.imm = offset;
    return encode(op, o);
}
void accesses(Writer& w, const std::vector<Op>& from) {
    w.grouped([&] {
        const bool free = misaligned(w, false) && w.random.one_in(2);
        const u8 base = window_address(w, 0, free && misaligned(w, true) ? 1 : 16);
        for (u32 n = 1 + w.random.below(3); n-- > 0;) {
            w.use(base);
            const Op op = w.random.of(from);
            const i32 offset = w.random.between(-16, 16);
            w.put(access_word(w, op, base, free && misaligned(w, effects(op).stores) ? offset : offset & -8));
        }
        w.unuse();
    });
}
}  // namespace

u8 window_address(Writer& w, u8 not_this, i32 alignment) {
    const u8 base = w.other_than(not_this);
    const i32 offset = window_offset(w) & -alignment;
    const Category category = w.program.recipe.category;
    const bool far = category == Category::Paging || category == Category::Pmp || category == Category::Mixed;
    if (far && w.random.one_in(2)) {
        w.put(Op::LUI, {.rd = base, .imm = w.random.between(-4, 3) * 0x1000});
        w.put(Op::ADD, {.rd = base, .rs1 = base, .rs2 = kPointer});
        w.put(Op::ADDI, {.rd = base, .rs1 = base, .imm = offset});
    } else {
        w.put(Op::ADDI, {.rd = base, .rs1 = kPointer, .imm = offset});
    }
    return base;
}

void integer(Writer& w, const Rows& rows) {
    w.put(random_word(w, w.random.of(w.random.one_in(100) ? rows.hints : rows.integer)));
}

void compressed(Writer& w, const Rows& rows) {
    if (const auto half = random_half(w, *w.random.of(rows.c_integer))) w.put(*half, 2);
}

void floating(Writer& w, const Rows& rows) {
    if (!w.random.one_in(16)) {
        w.put(random_word(w, w.random.of(rows.floating)));
        return;
    }
    constexpr std::array kWrites{Op::CSRRW, Op::CSRRS, Op::CSRRC, Op::CSRRWI, Op::CSRRSI, Op::CSRRCI};
    w.put(w.random.of(kWrites), {.rd = w.destination(), .rs1 = w.source(), .imm = w.random.between(1, 3)});
}

void refresh(Writer& w, const Rows&) {
    if (w.random.one_in(3)) {
        w.grouped([&] { w.li(w.other_than(0), any_integer(w.random)); });
    } else if (w.random.one_in(2)) {
        w.put(Op::LD, {.rd = w.destination(), .rs1 = kPointer, .imm = w.random.between(0, 255) * 8});
    } else {
        w.put(Op::FLD, {.rd = static_cast<u8>(w.random.below(32)),
                        .rs1 = kPointer,
                        .imm = w.random.between(0, 255) * 8});
    }
}

void branch(Writer& w, const Rows& rows) {
    if (w.random.one_in(3)) {
        const CompressedRow& r = *w.random.of(rows.c_branches);
        if (const auto half = random_half(w, r)) w.put_forward(*half, 2);
        return;
    }
    const u8 rs1 = w.source(), rs2 = w.random.one_in(4) ? rs1 : w.source();
    w.put_forward(encode(w.random.of(rows.branches), {.rs1 = rs1, .rs2 = rs2}), 4);
}

// Over some instructions, by jal or by an address in a register.
void jump(Writer& w, const Rows& rows) {
    if (w.random.one_in(2)) return w.put_forward(encode(Op::JAL, {.rd = w.destination()}), 4);
    w.grouped([&] {
        const u8 base = w.other_than(0);
        const i32 skipped = w.random.between(0, 3), wide = w.random.one_in(3) ? 2 : 4,
                  odd = w.random.between(0, 1);
        w.put(Op::AUIPC, {.rd = base});
        if (wide == 2) {
            w.put(Op::ADDI, {.rd = base, .rs1 = base, .imm = 10 + 4 * skipped + odd});
            w.put((w.random.one_in(2) ? 0x8002u : 0x9002u) | u32{base} << 7, 2);  // c.jr, c.jalr
        } else {
            w.put(Op::JALR, {.rd = w.destination(), .rs1 = base, .imm = 8 + 4 * skipped + odd});
        }
        for (i32 i = 0; i < skipped; ++i) w.put(random_word(w, w.random.of(rows.integer)));
    });
}

void loop(Writer& w, const Rows& rows) {
    const u8 counter = w.other_than(0);
    w.grouped([&] {
        w.put(Op::ADDI, {.rd = counter, .imm = w.random.between(1, 12)});
        const auto top = static_cast<u32>(w.size());
        w.use(counter);
        for (u32 n = 1 + w.random.below(10); n-- > 0;) integer(w, rows);
        w.put(Op::ADDI, {.rd = counter, .rs1 = counter, .imm = -1});
        w.put_back(encode(Op::BNE, {.rs1 = counter}), top);
        w.unuse();
    });
}

void access(Writer& w, const Rows& rows) { accesses(w, rows.access); }
void access_fp(Writer& w, const Rows& rows) { accesses(w, rows.access_fp); }

// The base is sp, or one of x8 to x15: the row decides which.
void compressed_access(Writer& w, const Rows& rows) {
    const auto half = random_half(w, *w.random.of(rows.c_access));
    if (!half) return;
    if (!misaligned(w, true)) return;
    const u8 base = *half % 4 == 2 ? kSp : Halfword{*half}.high();
    w.grouped([&] {
        w.put(Op::ADDI,
              {.rd = base, .rs1 = kPointer, .imm = window_offset(w) - (w.random.one_in(4) ? 0 : 256)});
        w.put(*half, 2);
    });
}

// Always aligned: misaligned ones may be done, or raise one of two exceptions ("Atomic Memory Operations").
void atomic(Writer& w, const Rows& rows) {
    if (!faulting_atomics(w)) return integer(w, rows);
    w.grouped([&] {
        const Op op = w.random.of(rows.atomic);
        const u8 base = window_address(w, 0, 16);
        u32 word = random_word(w, op);
        word = (word & ~(u32{31} << 15)) | u32{base} << 15;
        if (op == Op::AMOCAS_Q && field(word, 11, 7) >= 28)
            word &= ~(u32{3} << 10);  // rd + 1 too is below x30
        // Let the comparison succeed now and then: rd holds what is there.
        const auto rd = static_cast<u8>(field(word, 11, 7));
        if (rd != 0 && rd != base && w.random.one_in(4)) w.put(Op::LD, {.rd = rd, .rs1 = base});
        w.put(word);
    });
}

// A store conditional behind its load, or without one; nothing between them that could lose the
// reservation. Not where LR may fault: an SC that has no reservation may fault too, or just fail.
void reserve(Writer& w, const Rows& rows) {
    if (may_fault(w)) return integer(w, rows);
    w.grouped([&] {
        const bool wide = w.random.one_in(2);
        const u8 base = window_address(w, 0, 8);
        const i32 order = w.random.between(0, 3);
        w.use(base);
        w.put(wide ? Op::LR_D : Op::LR_W, {.rd = w.destination(), .rs1 = base, .imm = order});
        // No hints: Spike gives the reservation up at a wrs.
        for (u32 n = w.random.below(4); n-- > 0;) w.put(random_word(w, w.random.of(rows.integer)));
        const u8 source = w.source();
        w.put(wide ? Op::SC_D : Op::SC_W, {.rd = w.destination(), .rs1 = base, .rs2 = source, .imm = order});
        if (w.random.one_in(4))  // there is no reservation any more
            w.put(wide ? Op::SC_D : Op::SC_W, {.rd = w.destination(), .rs1 = base, .rs2 = source});
        w.unuse();
    });
}

// At a block's start: where it faults, any address of the block may be told.
void cache_block(Writer& w, const Rows&) {
    // A PMP entry may match a part of a block, or allow fetching alone: what follows is not specified.
    const Recipe& recipe = w.program.recipe;
    if (recipe.dialect == Dialect::Qemu || recipe.category == Category::Mixed) return;
    constexpr std::array kOps{Op::CBO_ZERO, Op::CBO_CLEAN, Op::CBO_FLUSH, Op::CBO_INVAL};
    w.grouped([&] { w.put(w.random.of(kOps), {.rs1 = window_address(w, 0, 64)}); });
}

// Replaces an instruction ahead, which may be that already when this runs again.
void self_modify(Writer& w, const Rows& rows) {
    w.grouped([&] {
        const u8 base = w.other_than(0), value = w.other_than(base);
        const u32 now = replacement(w, rows), then = replacement(w, rows);
        const auto constant = load_constant(value, static_cast<u64>(static_cast<i32>(then)));
        const u32 between = w.random.below(3);
        const auto offset = static_cast<i32>(4 * (constant.size() + 3 + between));
        w.put(Op::AUIPC, {.rd = base});
        for (const u32 word : constant) w.put(word);
        w.put(Op::SW, {.rs1 = base, .rs2 = value, .imm = offset});
        for (u32 i = 0; i < between; ++i) integer(w, rows);
        w.put(Op::FENCE_I, {});
        w.put(now & 0xffff'ffff, static_cast<u8>(insn_bytes(now)));
        if (insn_bytes(now) == 2) w.put(now >> 16, 2);
    });
}
}  // namespace hartline::fuzz
