// The instruction table and its decoder: batteries over every row and every halfword.
#include <catch2/catch.hpp>

#include <cmath>
#include <random>
#include <set>

#include "cpu/decode.hpp"
#include "cpu/effects.hpp"

namespace hartline {
namespace {

u32 random_encoding(const Row& row, std::mt19937& random) {
    return (static_cast<u32>(random()) & ~row.mask) | row.match;
}
bool matches(const Row& row, u32 word) { return (word & row.mask) == row.match; }
// The row that should win: of those that match, the most specific one.
const Row* expected_row(u32 word) {
    const Row* best = nullptr;
    for (const Row& row : kIsa)
        if (matches(row, word) && (best == nullptr || more_specific(row, *best))) best = &row;
    return best;
}
const Effects& effects_of(Op op) { return kEffects[static_cast<std::size_t>(op)]; }

// Reserved halfwords of RV64 with Zca, Zcd, Zcb and Zcmop, from the chapters' sentences.
bool reserved(u32 h) {
    const u32 quadrant = field(h, 1, 0), funct3 = field(h, 15, 13), rd = field(h, 11, 7);
    const bool imm6_zero = field(h, 12, 12) == 0 && field(h, 6, 2) == 0;
    if (quadrant == 0 && funct3 == 0)
        return field(h, 12, 5) == 0;     // c.addi4spn, the all-zero halfword with it
    if (quadrant == 0 && funct3 == 4) {  // Zcb: c.sh wants bit 6 clear
        const u32 funct = field(h, 12, 10);
        return funct > 3 || (funct == 3 && field(h, 6, 6) == 1);
    }
    if (quadrant == 1 && funct3 == 1) return rd == 0;                                 // c.addiw
    if (quadrant == 1 && funct3 == 3) return imm6_zero && !(rd % 2 == 1 && rd < 16);  // but c.mop.n
    if (quadrant == 1 && funct3 == 4)
        return field(h, 12, 10) == 7 && field(h, 6, 2) >= 0b11110;      // after c.not
    if (quadrant == 2 && (funct3 == 2 || funct3 == 3)) return rd == 0;  // c.lwsp, c.ldsp
    if (quadrant == 2 && funct3 == 4) return field(h, 12, 2) == 0;      // c.jr x0
    return false;
}

struct Case {
    u32 word;
    Op op;
    Operands operands;
};
void check(const Case& c) {
    CAPTURE(c.word);
    const Decoded decoded = decode(c.word);
    CHECK(decoded.op == c.op);
    CHECK(decoded.operands == c.operands);
    CHECK(decoded.length == length_of(c.word));
}
void check_illegal(u32 word) {
    CAPTURE(word);
    CHECK(decode(word).op == Op::Illegal);
    CHECK(decode(word).length == length_of(word));
}

TEST_CASE("every row decodes its encodings", "[isa]") {
    std::mt19937 random{1};
    for (const Row& row : kIsa)
        for (int i = 0; i < 300; ++i) {
            const u32 word = random_encoding(row, random);
            const Row& expected = *expected_row(word);
            CAPTURE(row.mnemonic, word);
            REQUIRE((&expected == &row || more_specific(expected, row)));
            REQUIRE(decode(word) == Decoded{expected.op, extract(expected.format, word), 4});
        }
}

TEST_CASE("every fixed bit of a row matters", "[isa]") {
    std::mt19937 random{2};
    for (const Row& row : kIsa)
        for (u32 bit = 4; bit != 0; bit <<= 1) {
            if ((row.mask & bit) == 0) continue;
            const u32 word = random_encoding(row, random) ^ bit;
            const Row* const expected = expected_row(word);
            CAPTURE(row.mnemonic, word);
            REQUIRE(decode(word).op == (expected == nullptr ? Op::Illegal : expected->op));
            REQUIRE(decode(word).op != row.op);
        }
}

TEST_CASE("every halfword is what the chapters say", "[isa]") {
    u32 illegal = 0;
    for (u32 h = 0; h < 0x10000; ++h) {
        if ((h & 3) == 3) continue;
        CAPTURE(h);
        const Decoded decoded = decode(h | 0xffff'0000);
        REQUIRE(decoded.length == 2);
        REQUIRE(decoded == decode(h));
        REQUIRE((decoded.op == Op::Illegal) == reserved(h));
        REQUIRE((find_compressed(static_cast<u16>(h)) == nullptr) == reserved(h));
        illegal += decoded.op == Op::Illegal;
    }
    CHECK(illegal ==
          1393);  // as binutils 2.44 and LLVM 19 count, without the one and the 23 that they let pass
}

TEST_CASE("compressed instructions are their expansions", "[isa]") {
    struct Pair {
        u32 halfword, word;
    };
    const Pair pairs[]{
        {0x0808, 0x0101'0513},  // c.addi4spn a0,sp,16    addi a0,sp,16
        {0x1fe8, 0x3fc1'0513},  // c.addi4spn a0,sp,1020  addi a0,sp,1020
        {0x2108, 0x0005'3507},  // c.fld fa0,0(a0)        fld fa0,0(a0)
        {0x5d74, 0x07c5'2683},  // c.lw a3,124(a0)        lw a3,124(a0)
        {0x7d74, 0x0f85'3683},  // c.ld a3,248(a0)        ld a3,248(a0)
        {0xdd74, 0x06d5'2e23},  // c.sw a3,124(a0)        sw a3,124(a0)
        {0xfd74, 0x0ed5'3c23},  // c.sd a3,248(a0)        sd a3,248(a0)
        {0xbd74, 0x0ed5'3c27},  // c.fsd fa3,248(a0)      fsd fa3,248(a0)
        {0x1501, 0xfe05'0513},  // c.addi a0,-32          addi a0,a0,-32
        {0x357d, 0xfff5'051b},  // c.addiw a0,-1          addiw a0,a0,-1
        {0x557d, 0xfff0'0513},  // c.li a0,-1             addi a0,zero,-1
        {0x7101, 0xe001'0113},  // c.addi16sp sp,-512     addi sp,sp,-512
        {0x757d, 0xffff'f537},  // c.lui a0,0xfffff       lui a0,0xfffff
        {0x917d, 0x03f5'5513},  // c.srli a0,63           srli a0,a0,63
        {0x957d, 0x43f5'5513},  // c.srai a0,63           srai a0,a0,63
        {0x997d, 0xfff5'7513},  // c.andi a0,-1           andi a0,a0,-1
        {0x8d0d, 0x40b5'0533},  // c.sub a0,a1            sub a0,a0,a1
        {0x9d2d, 0x00b5'053b},  // c.addw a0,a1           addw a0,a0,a1
        {0xb001, 0x801f'f06f},  // c.j .-2048             jal zero,.-2048
        {0xaffd, 0x7fe0'006f},  // c.j .+2046             jal zero,.+2046
        {0xd101, 0xf005'00e3},  // c.beqz a0,.-256        beq a0,zero,.-256
        {0xed7d, 0x0e05'1f63},  // c.bnez a0,.+254        bne a0,zero,.+254
        {0x157e, 0x03f5'1513},  // c.slli a0,63           slli a0,a0,63
        {0x357e, 0x1f81'3507},  // c.fldsp fa0,504(sp)    fld fa0,504(sp)
        {0x557e, 0x0fc1'2503},  // c.lwsp a0,252(sp)      lw a0,252(sp)
        {0x757e, 0x1f81'3503},  // c.ldsp a0,504(sp)      ld a0,504(sp)
        {0xdfaa, 0x0ea1'2e23},  // c.swsp a0,252(sp)      sw a0,252(sp)
        {0xffaa, 0x1ea1'3c23},  // c.sdsp a0,504(sp)      sd a0,504(sp)
        {0x8502, 0x0005'0067},  // c.jr a0                jalr zero,0(a0)
        {0x9502, 0x0005'00e7},  // c.jalr a0              jalr ra,0(a0)
        {0x852e, 0x00b0'0533},  // c.mv a0,a1             add a0,zero,a1
        {0x952e, 0x00b5'0533},  // c.add a0,a1            add a0,a0,a1
        {0x9002, 0x0010'0073},  // c.ebreak               ebreak
        {0x8168, 0x0035'4503},  // c.lbu a0,3(a0)         lbu a0,3(a0)
        {0x8568, 0x0025'1503},  // c.lh a0,2(a0)          lh a0,2(a0)
        {0x8528, 0x0025'5503},  // c.lhu a0,2(a0)         lhu a0,2(a0)
        {0x8968, 0x00a5'01a3},  // c.sb a0,3(a0)          sb a0,3(a0)
        {0x8d28, 0x00a5'1123},  // c.sh a0,2(a0)          sh a0,2(a0)
        {0x9d4d, 0x02b5'0533},  // c.mul a0,a1            mul a0,a0,a1
        {0x9d61, 0x0ff5'7513},  // c.zext.b a0            andi a0,a0,255
        {0x9d75, 0xfff5'4513},  // c.not a0               xori a0,a0,-1
    };
    for (const Pair& pair : pairs) {
        CAPTURE(pair.halfword);
        const Decoded expansion = decode(pair.word);
        CHECK(decode(pair.halfword) == Decoded{expansion.op, expansion.operands, 2});
    }
    check({0x9d65, Op::SEXT_B, {.rd = 10, .rs1 = 10}});
    check({0x9d69, Op::ZEXT_H, {.rd = 10, .rs1 = 10}});
    check({0x9d6d, Op::SEXT_H, {.rd = 10, .rs1 = 10}});
    check({0x9d71, Op::ADD_UW, {.rd = 10, .rs1 = 10}});
}

TEST_CASE("checklist 3, seen 1 and 3: reserved compressed encodings are illegal", "[isa]") {
    check_illegal(0x0000);
    check_illegal(0xffff'0000);
    check_illegal(0x0008);  // c.addi4spn a0,sp,0
    check_illegal(0x2001);  // c.addiw zero,0: c.jal on RV32
    check_illegal(0x6101);  // c.addi16sp sp,0
    check_illegal(0x6001);  // c.lui zero,0
    check_illegal(0x6501);  // c.lui a0,0
    check_illegal(0x4002);  // c.lwsp zero,0(sp)
    check_illegal(0x6002);  // c.ldsp zero,0(sp)
    check_illegal(0x8002);  // c.jr zero
    check_illegal(0x9000);  // quadrant 0, funct3 100, beyond Zcb
    check_illegal(0xffff'ffff);
}

TEST_CASE("checklist 3, seen 3: hints do nothing", "[isa]") {
    check({0x0001, Op::ADDI, {}});                            // c.nop
    check({0x0005, Op::ADDI, {.imm = 1}});                    // c.nop 1
    check({0x0501, Op::ADDI, {.rd = 10, .rs1 = 10}});         // c.addi a0,0
    check({0x4005, Op::ADDI, {.imm = 1}});                    // c.li zero,1
    check({0x6005, Op::LUI, {.imm = 0x1000}});                // c.lui zero,1
    check({0x0002, Op::SLLI, {}});                            // c.slli zero,0
    check({0x8101, Op::SRLI, {.rd = 10, .rs1 = 10}});         // c.srli a0,0
    check({0x802a, Op::ADD, {.rs2 = 10}});                    // c.mv zero,a0
    check({0x900a, Op::ADD, {.rs2 = 2}});                     // c.ntl.p1
    check({0x0020'0033, Op::ADD, {.rs2 = 2}});                // ntl.p1
    check({0x0205'6013, Op::ORI, {.rs1 = 10, .imm = 0x20}});  // prefetch.i 32(a0)
    check({0x6081, Op::MOP_R, {}});                           // c.mop.1
    check({0x6781, Op::MOP_R, {}});                           // c.mop.15
}

TEST_CASE("checklist 7, 8, seen 4, 5, 11, 13 and 17: encodings that emulators get wrong", "[isa]") {
    check({0x0005'0567, Op::JALR, {.rd = 10, .rs1 = 10}});
    // Shift amounts of word shifts have five bits, those of slli.uw six.
    check({0x01f5'151b, Op::SLLIW, {.rd = 10, .rs1 = 10, .imm = 31}});
    check_illegal(0x0205'151b);
    check_illegal(0x0205'551b);
    check_illegal(0x4205'551b);
    check({0x0bf5'151b, Op::SLLI_UW, {.rd = 10, .rs1 = 10, .imm = 63}});
    check({0x43f5'5513, Op::SRAI, {.rd = 10, .rs1 = 10, .imm = 63}});
    // Fences: unknown fields are ignored.
    check({0x0ff0'000f, Op::FENCE, {.imm = 0xff}});
    check({0xfff5'050f, Op::FENCE, {.rd = 10, .rs1 = 10, .imm = -1}});
    check({0x8330'000f, Op::FENCE_TSO, {.imm = signed_field(0x833, 12)}});
    check({0x0100'000f, Op::PAUSE, {}});
    check({0x0110'000f, Op::FENCE, {.imm = 0x11}});
    check({0xfff5'150f, Op::FENCE_I, {.rd = 10, .rs1 = 10, .imm = -1}});
    // RV32 only, or with another encoding there.
    check_illegal(0xe215'0553);  // fmvh.x.d
    check_illegal(0xb2b5'0553);  // fmvp.d.x
    check_illegal(0x08f5'1513);  // zip
    check_illegal(0x6985'5513);  // rev8
    check({0x6b85'5513, Op::REV8, {.rd = 10, .rs1 = 10, .rs2 = 24}});
    check_illegal(0x0805'4533);  // zext.h
    check({0x0805'453b, Op::ZEXT_H, {.rd = 10, .rs1 = 10}});
    // lr has no rs2; amocas.q takes even pairs.
    check({0x1005'252f, Op::LR_W, {.rd = 10, .rs1 = 10}});
    check_illegal(0x1015'252f);
    check_illegal(0x1015'352f);
    check({0x28c5'452f, Op::AMOCAS_Q, {.rd = 10, .rs1 = 10, .rs2 = 12}});
    check_illegal(0x28d5'452f);
    check_illegal(0x28c5'45af);
    check({0x2805'402f, Op::AMOCAS_Q, {.rs1 = 10}});
    // fcvtmod.w.d exists with round towards zero only.
    check({0xc285'1553, Op::FCVTMOD_W_D, {.rd = 10, .rs1 = 10, .rs2 = 8, .imm = 1}});
    check_illegal(0xc285'0553);
    check_illegal(0xc285'7553);
    // Reserved rounding modes are found at execution.
    check({0xd205'5553, Op::FCVT_D_W, {.rd = 10, .rs1 = 10, .imm = 5}});
    check_illegal(0xd045'0553);  // fcvt.s.* with a reserved integer type
    // Operands that are immediates.
    check({0x300f'd573, Op::CSRRWI, {.rd = 10, .rs1 = 31, .imm = 0x300}});
    check({0xfff5'1573, Op::CSRRW, {.rd = 10, .rs1 = 10, .imm = 0xfff}});
    check({0x8000'0537, Op::LUI, {.rd = 10, .imm = std::numeric_limits<i32>::min()}});
    check({0x8000'00ef, Op::JAL, {.rd = 1, .imm = -0x10'0000}});
    check({0x80b5'0063, Op::BEQ, {.rs1 = 10, .rs2 = 11, .imm = -0x1000}});
    check({0x80b5'0023, Op::SB, {.rs1 = 10, .rs2 = 11, .imm = -0x800}});
    // Privileged instructions have no operands.
    check({0x3020'0073, Op::MRET, {}});
    check_illegal(0x3020'00f3);
    check_illegal(0x0020'0073);  // uret
    check_illegal(0x7b20'0073);  // dret
    check({0x0040'000f | 10 << 15 | 2 << 12, Op::CBO_ZERO, {.rs1 = 10, .imm = 4}});
    check_illegal(0x0030'200f);  // a cbo that is none
}

TEST_CASE("rows to be done decode to illegal instructions", "[isa]") {
    std::mt19937 random{3};
    CHECK(kTodo.size() > 400);
    for (const TodoRow& todo : kTodo)
        for (int i = 0; i < 20; ++i) {
            const u32 word = (static_cast<u32>(random()) & ~todo.mask) | todo.match;
            CAPTURE(todo.mnemonic, word);
            CHECK((decode(word).op == Op::Illegal || expected_row(word) != nullptr));
            CHECK(find_todo(word) != nullptr);
        }
    CHECK(find_todo(0x0205'0057)->mnemonic == "vadd.vv");
    CHECK(find_todo(0x00b5'0533) == nullptr);
}

TEST_CASE("rows may overlap only as special cases", "[isa]") {
    const Pattern general{0xff, 0x10}, special{0xfff, 0x210}, other{0xff, 0x20}, crossing{0xf0f, 0x200};
    CHECK(compatible(general, special));
    CHECK(compatible(special, general));
    CHECK(compatible(general, other));
    CHECK_FALSE(compatible(general, general));
    CHECK_FALSE(compatible(general, crossing));
    CHECK(more_specific(special, general));
    CHECK_FALSE(more_specific(general, special));
    CHECK(unambiguous(std::array{general, special, other}));
    CHECK_FALSE(unambiguous(std::array{general, special, other, other}));
    CHECK_FALSE(unambiguous(std::array{other, general, crossing}));
}

TEST_CASE("mnemonics are unique", "[isa]") {
    std::set<std::string_view> seen;
    for (const Row& row : kIsa) CHECK(seen.insert(row.mnemonic).second);
    for (const CompressedRow& row : kCompressed) CHECK(seen.insert(row.mnemonic).second);
    for (const TodoRow& row : kTodo) CHECK(seen.insert(row.mnemonic).second);
}

TEST_CASE("effects are those of the semantics", "[isa]") {
    CHECK(effects_of(Op::ADD) == Effects{});
    CHECK(effects_of(Op::JALR) == Effects{.jumps = true});
    CHECK(effects_of(Op::JAL) == Effects{.jumps = true, .uses_pc = true});
    CHECK(effects_of(Op::BEQ) == Effects{.branches = true, .uses_pc = true});
    CHECK(effects_of(Op::AUIPC) == Effects{.uses_pc = true});
    CHECK(effects_of(Op::CSRRW) == Effects{.calls = true});
    CHECK(effects_of(Op::FLD) == Effects{.loads = true, .floating_point = true, .writes_f = true});
    CHECK(effects_of(Op::FSH) == Effects{.stores = true, .floating_point = true});
    CHECK(effects_of(Op::FEQ_D) == Effects{.floating_point = true});
    CHECK(effects_of(Op::AMOCAS_D) == Effects{.loads = true, .stores = true});
    CHECK(ends_block(Op::Illegal));
    CHECK(ends_block(Op::FENCE_I));
    CHECK_FALSE(ends_block(Op::FENCE));
}

TEST_CASE("checklist 16, seen 24: fli constants are the values of the table", "[isa]") {
    const double values[32]{-1.0,   0,   0x1p-16, 0x1p-15, 0x1p-8, 0x1p-7, 0.0625, 0.125, 0.25, 0.3125, 0.375,
                            0.4375, 0.5, 0.625,   0.75,    0.875,  1.0,    1.25,   1.5,   1.75, 2.0,    2.5,
                            3.0,    4.0, 8.0,     16.0,    128.0,  256.0,  32768,  65536, 0,    0};
    for (std::size_t i = 0; i < 30; ++i) {
        if (i == 1) continue;
        CAPTURE(i);
        CHECK(std::bit_cast<double>(kFliD[i]) == values[i]);
        CHECK(double{std::bit_cast<float>(kFliS[i])} == values[i]);
        if (i == 29) continue;
        const u32 exponent = field(kFliH[i], 14, 10), fraction = field(kFliH[i], 9, 0);
        const double half = exponent == 0
                                ? fraction * 0x1p-24
                                : (1024 + fraction) * std::ldexp(1.0, static_cast<int>(exponent) - 25);
        CHECK((kFliH[i] >> 15 != 0 ? -half : half) == values[i]);
    }
    CHECK(kFliH[1] == 0x0400);
    CHECK(kFliS[1] == 0x0080'0000);
    CHECK(kFliD[1] == 0x0010'0000'0000'0000);
    CHECK((kFliH[29] == 0x7c00 && kFliH[30] == 0x7c00 && kFliS[30] == 0x7f80'0000 &&
           kFliD[30] == u64{0x7ff} << 52));
    CHECK((kFliH[31] == 0x7e00 && kFliS[31] == 0x7fc0'0000 && kFliD[31] == u64{0x7ff8} << 48));
}
}  // namespace
}  // namespace hartline
