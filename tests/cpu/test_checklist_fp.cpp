// Lines of the checklist on floating point as a part of the hart: FS, boxes, rounding modes, flags.
#include <catch2/catch.hpp>

#include <cfenv>
#include <random>

#include "cpu/decode.hpp"
#include "tests/cpu/rig.hpp"

using namespace hartline;
using namespace hartline::rig;

namespace {
constexpr u64 kBox = 0xffff'ffff'0000'0000, kBoxH = 0xffff'ffff'ffff'0000;
constexpr u64 kNanH = 0x7e00, kNanS = 0x7fc0'0000, kNanD = u64{0x7ff8} << 48;
constexpr u64 kOneS = 0x3f80'0000, kOneD = u64{0x3ff} << 52, kThreeD = 0x4008'0000'0000'0000;
constexpr Operands k012{.rd = 0, .rs1 = 1, .rs2 = 2};

u64 fs(Rig& r) { return r.s().mstatus >> mstatus::kFsShift & 3; }
void set_fs(Rig& r, u64 state) {
    r.s().mstatus = (r.s().mstatus & ~mstatus::kFs) | state << mstatus::kFsShift;
}
bool is_float(const Row& row) { return is_floating_point(row.extension); }
// The result in f0 of an operation on f1, f2 and f3.
u64 result(Rig& r, Op op, u64 a, u64 b = 0) {
    r.s().f[1] = a;
    r.s().f[2] = b;
    REQUIRE(r.step(op, k012));
    return r.s().f[0];
}
// The same in x7 of an operation on f1 and f2.
u64 integer(Rig& r, Op op, u64 a, u64 b = 0, i32 rm = 0) {
    r.s().f[1] = a;
    r.s().f[2] = b;
    REQUIRE(r.step(op, {.rd = 7, .rs1 = 1, .rs2 = 2, .imm = rm}));
    return r.x(7);
}
}  // namespace

TEST_CASE(
    "checklist 13, seen 23: with FS Off every floating-point instruction is illegal, compressed ones too") {
    Rig r;
    set_fs(r, 0);
    r.x(1) = r.x(2) = r.x(8) = kData;
    std::mt19937 random{3};
    for (const Row& row : kIsa)
        for (int i = 0; i < 8 && is_float(row); ++i) {
            const u32 word = (static_cast<u32>(random()) & ~row.mask) | row.match;
            CAPTURE(row.mnemonic, word);
            CHECK(r.illegal(word));
        }
    for (const CompressedRow& row : kCompressed)
        if (is_floating_point(row.extension)) CHECK(r.illegal(row.match));
    for (const i32 number : {1, 2, 3}) {
        CHECK(r.illegal(encode(Op::CSRRS, {.rd = 7, .imm = number})));
        CHECK(r.illegal(encode(Op::CSRRWI, {.rd = 7, .imm = number})));
    }
    CHECK(fs(r) == 0);
}

TEST_CASE("checklist 13, seen 23: FS becomes Dirty by loads, moves, results and flags alone; SD follows") {
    Rig r;
    const auto dirties = [&](u32 word) {
        set_fs(r, 1);
        CHECK(r.step(word));
        u64 status = 0;
        csr_peek(r.cpu(), 0x300, status);
        CHECK(((status & mstatus::kSd) != 0) == (fs(r) == 3));
        return fs(r) == 3;
    };
    r.x(5) = kData;
    CHECK(dirties(encode(Op::FLD, {.rd = 0, .rs1 = 5})));
    CHECK(dirties(encode(Op::FLH, {.rd = 0, .rs1 = 5})));
    CHECK(dirties(encode(Op::FMV_D_X, {.rd = 0, .rs1 = 5})));
    CHECK(dirties(encode(Op::FSGNJ_D, k012)));
    CHECK(dirties(encode(Op::CSRRWI, {.rs1 = 0, .imm = 3})));
    r.s().f[1] = kBox | 0x7fa0'0000;  // signalling
    CHECK(dirties(encode(Op::FEQ_S, {.rd = 7, .rs1 = 1, .rs2 = 1})));
    CHECK(r.s().fflags == 0x10);
    r.s().f[1] = kBox | 0x3fc0'0000;  // 1.5: inexact
    CHECK(dirties(encode(Op::FCVT_W_S, {.rd = 7, .rs1 = 1})));
    // What only reads need not.
    CHECK_FALSE(dirties(encode(Op::FSD, {.rs1 = 5, .rs2 = 0})));
    CHECK_FALSE(dirties(encode(Op::FMV_X_D, {.rd = 7})));
    CHECK_FALSE(dirties(encode(Op::CSRRS, {.rd = 7, .imm = 3})));
}

TEST_CASE(
    "checklist 14, 20, 22, seen 15: what is not boxed is the canonical NaN, except for moves and stores") {
    Rig r;
    const u64 bad = 0x1234'5678'0000'0000 | kOneS, badh = 0xffff'ffff'0000'3c00;
    CHECK(result(r, Op::FSGNJ_S, bad, bad) == (kBox | kNanS));
    CHECK(result(r, Op::FSGNJN_S, bad, kBox | kOneS) == (kBox | kNanS | 0x8000'0000));
    CHECK(result(r, Op::FSGNJ_S, kBox | kOneS, bad) == (kBox | kOneS));  // the sign of a NaN that is positive
    CHECK(result(r, Op::FADD_S, bad, kBox | kOneS) == (kBox | kNanS));
    CHECK(result(r, Op::FMIN_S, bad, kBox | kOneS) == (kBox | kOneS));
    CHECK(result(r, Op::FCVT_D_S, bad) == kNanD);
    CHECK(result(r, Op::FROUND_S, bad) == (kBox | kNanS));
    CHECK(integer(r, Op::FCLASS_S, bad) == 1 << 9);
    CHECK(integer(r, Op::FCLASS_S, kBox | kOneS) == 1 << 6);
    CHECK(integer(r, Op::FEQ_S, bad, bad) == 0);
    CHECK(integer(r, Op::FLEQ_S, bad, bad) == 0);
    CHECK(integer(r, Op::FCVT_W_S, bad, 0, 1) == 0x7fff'ffff);
    CHECK(integer(r, Op::FMV_X_W, bad) == kOneS);
    CHECK(integer(r, Op::FMV_X_W, 0x8000'0000) == 0xffff'ffff'8000'0000);
    CHECK(result(r, Op::FSGNJ_H, badh, badh) == (kBoxH | kNanH));
    CHECK(result(r, Op::FADD_H, badh, kBoxH | 0x3c00) == (kBoxH | kNanH));
    CHECK(result(r, Op::FCVT_S_H, badh) == (kBox | kNanS));
    CHECK(integer(r, Op::FCLASS_H, badh) == 1 << 9);
    CHECK(integer(r, Op::FMV_X_H, 0x8000) == 0xffff'ffff'ffff'8000);
    r.x(5) = kData;
    r.s().f[1] = bad;
    CHECK(r.step(Op::FSW, {.rs1 = 5, .rs2 = 1}));
    CHECK(r.peek<u32>(kData) == kOneS);
    CHECK(r.step(Op::FLW, {.rd = 0, .rs1 = 5}));
    CHECK(r.s().f[0] == (kBox | kOneS));
    CHECK(r.step(Op::FLH, {.rd = 0, .rs1 = 5, .imm = 2}));
    CHECK(r.s().f[0] == (kBoxH | 0x3f80));
    CHECK(r.step(Op::FMV_W_X, {.rd = 0, .rs1 = 5}));
    CHECK(r.s().f[0] == (kBox | (kData & 0xffff'ffff)));
}

TEST_CASE(
    "checklist 18, seen 17 and 21: reserved rounding modes are illegal, also where nothing is rounded") {
    Rig r;
    for (const Row& row : kIsa) {
        if (!is_float(row) || (row.format != Format::Fp && row.format != Format::Fp4)) continue;
        if (field(row.mask, 14, 12) != 0) continue;  // no rm field
        CAPTURE(row.mnemonic);
        for (const u32 rm : {5u, 6u}) CHECK(r.illegal(row.match | rm << 12));
        for (u32 frm = 0; frm < 8; ++frm) {
            r.s().frm = frm;
            CHECK(r.step(row.match | 7 << 12) == (frm < 5));
            CHECK((frm < 5 || r.illegal(row.match | 7 << 12)));
            CHECK(r.step(row.match | 4 << 12));  // a static mode does not care
        }
    }
}

TEST_CASE("checklist 18: dynamic frm is read when the instruction runs") {
    Rig r;
    r.s().f[1] = kOneD;
    r.s().f[2] = kThreeD;
    r.poke(kCode, encode(Op::FDIV_D, {.rd = 0, .rs1 = 1, .rs2 = 2, .imm = 7}));
    const u64 third = 0x3fd5'5555'5555'5555;
    for (const u32 frm : {0u, 3u, 2u, 3u, 1u, 4u, 0u}) {
        r.s().frm = frm;
        CHECK(r.run(kCode));
        CHECK(r.s().f[0] == third + (frm == 3));
    }
    // And within one block.
    r.put(kCode, {encode(Op::CSRRWI, {.rs1 = 3, .imm = 2}),
                  encode(Op::FDIV_D, {.rd = 3, .rs1 = 1, .rs2 = 2, .imm = 7}),
                  encode(Op::CSRRWI, {.rs1 = 1, .imm = 2}),
                  encode(Op::FDIV_D, {.rd = 4, .rs1 = 1, .rs2 = 2, .imm = 7})});
    CHECK(r.run(kCode, 4));
    CHECK((r.s().f[3] == third + 1 && r.s().f[4] == third));
}

TEST_CASE("seen 21 and 22: a write to fcsr with a reserved mode is kept, with its flags") {
    Rig r;
    r.x(5) = 6 << 5 | 0x15;
    CHECK(r.step(Op::CSRRW, {.rd = 6, .rs1 = 5, .imm = 3}));
    CHECK((r.s().frm == 6 && r.s().fflags == 0x15));
    CHECK(r.illegal(encode(Op::FADD_D, {.imm = 7})));
    CHECK(r.s().fflags == 0x15);
}

TEST_CASE("checklist 21: flags accumulate once, across a fault in the same block, and csrr sees them") {
    Rig r;
    r.s().f[1] = kOneD;
    r.s().f[2] = kThreeD;
    r.s().f[3] = 0;
    r.x(5) = kHole;
    r.put(kCode,
          {encode(Op::FDIV_D, {.rd = 4, .rs1 = 1, .rs2 = 2}),                                          // NX
           encode(Op::CSRRS, {.rd = 6, .imm = 1}), encode(Op::FDIV_D, {.rd = 4, .rs1 = 1, .rs2 = 3}),  // DZ
           encode(Op::LD, {.rd = 7, .rs1 = 5}),
           encode(Op::FDIV_D, {.rd = 4, .rs1 = 3, .rs2 = 3})});  // NV, never reached
    CHECK_FALSE(r.run(kCode, 5));
    CHECK(r.trapped(Cause::LoadAccess, kHole, kCode + 12));
    CHECK(r.x(6) == 1);
    CHECK(r.s().fflags == (1 | 8));
    r.s().fflags = 0;
    r.put(kCode, {encode(Op::FDIV_D, {.rd = 4, .rs1 = 1, .rs2 = 2}), encode(Op::LD, {.rd = 7, .rs1 = 5})});
    r.s().pc = kCode;
    r.hart->run(1);
    CHECK(r.s().fflags == 1);
}

TEST_CASE("seen 25: a load that faults touches neither its register nor FS") {
    Rig r;
    r.s().f[0] = 0x42;
    r.x(2) = r.x(5) = r.x(8) = kHole;
    for (const u32 word : {encode(Op::FLD, {.rd = 0, .rs1 = 5}), encode(Op::FLW, {.rd = 0, .rs1 = 5}),
                           encode(Op::FLH, {.rd = 0, .rs1 = 5}), 0x2002u, 0x2000u}) {
        set_fs(r, 2);
        CHECK(r.traps(word, Cause::LoadAccess, kHole));
        CHECK(fs(r) == 2);
        CHECK(r.s().f[0] == 0x42);
        CHECK(r.s().f[8] == 0);
    }
    // Across pages, of which the second is not there.
    r.x(5) = kRam + kRamBytes - 4;
    CHECK(r.traps(encode(Op::FLD, {.rd = 0, .rs1 = 5}), Cause::LoadAccess, kRam + kRamBytes));
    CHECK((fs(r) == 2 && r.s().f[0] == 0x42));
}

TEST_CASE("seen 26: the host's rounding mode and flags are as they were") {
    Rig r;
    std::feclearexcept(FE_ALL_EXCEPT);
    r.s().fflags = 1;  // where the host's arithmetic may be used
    for (i32 rm = 0; rm < 5; ++rm)
        for (const Op op : {Op::FADD_D, Op::FSUB_D, Op::FMUL_D, Op::FDIV_D, Op::FSQRT_D, Op::FADD_S,
                            Op::FDIV_S, Op::FMADD_D, Op::FMADD_S}) {
            r.s().f[1] = r.s().f[2] = r.s().f[3] = kThreeD;
            CHECK(r.step(op, {.rd = 0, .rs1 = 1, .rs2 = 2, .rs3 = 3, .imm = rm}));
            CHECK(std::fegetround() == FE_TONEAREST);
        }
    // One rounding: 2^53 + 2 + (1 - 2^-53) has a tie in extended precision only.
    r.s().f[1] = 0x4340'0000'0000'0001;
    r.s().f[2] = 0x3fef'ffff'ffff'ffff;
    CHECK(r.step(Op::FADD_D, k012));
    CHECK(r.s().f[0] == 0x4340'0000'0000'0001);
}
