// Lines of the checklist on integer instructions, jumps and what illegal instructions tell.
#include <catch2/catch.hpp>

#include <random>

#include "cpu/decode.hpp"
#include "tests/cpu/rig.hpp"

using namespace hartline;
using namespace hartline::rig;

namespace {
constexpr u64 kMin = u64{1} << 63, kMin32 = 0xffff'ffff'8000'0000;

u64 computed(Rig& r, Op op, u64 a, u64 b = 0, i32 imm = 0) {
    r.x(5) = a;
    r.x(6) = b;
    REQUIRE(r.step(op, {.rd = 7, .rs1 = 5, .rs2 = 6, .imm = imm}));
    return r.x(7);
}
struct Result {
    Op op;
    u64 a, b, result;
};
template <std::size_t count>
void check(const Result (&results)[count]) {
    Rig r;
    for (const Result& result : results) {
        CAPTURE(row(result.op).mnemonic, result.a, result.b);
        CHECK(computed(r, result.op, result.a, result.b) == result.result);
    }
}
}  // namespace

TEST_CASE("rig: what it encodes decodes to the same", "[isa]") {
    std::mt19937 random{4};
    for (const Row& row : kIsa)
        for (int i = 0; i < 100; ++i) {
            const u32 word = (static_cast<u32>(random()) & ~row.mask) | row.match;
            const Decoded decoded = decode(word);
            if (decoded.op == row.op) CHECK(decode(encode(row.op, decoded.operands)) == decoded);
        }
}

TEST_CASE("checklist 1, seen 3 and 12: jalr takes its target before it writes rd, and clears bit 0") {
    Rig r;
    for (const u64 low : {u64{0}, u64{1}}) {
        r.x(5) = kHandler | low;
        CHECK(r.step(Op::JALR, {.rd = 5, .rs1 = 5}));
        CHECK(r.s().pc == kHandler);
        CHECK(r.x(5) == kCode + 4);
    }
    r.x(1) = kHandler + 9;
    CHECK(r.step(Op::JALR, {.rd = 1, .rs1 = 1, .imm = -8}));
    CHECK((r.s().pc == kHandler && r.x(1) == kCode + 4));
    for (const u32 word : {0x8282u, 0x9282u}) {  // c.jr t0, c.jalr t0
        r.x(5) = kHandler + 3;
        CHECK(r.step(word));
        CHECK(r.s().pc == kHandler + 2);  // not misaligned where there is C
    }
    CHECK(r.x(1) == kCode + 2);
    r.x(1) = kHandler + 1;
    CHECK(r.step(0x9082));  // c.jalr ra
    CHECK((r.s().pc == kHandler && r.x(1) == kCode + 2));
}

TEST_CASE("checklist 4, seen 14: an illegal instruction's tval is its bits, 16 or 32 of them") {
    Rig r;
    for (const Privilege mode : {Privilege::User, Privilege::Supervisor, Privilege::Machine}) {
        r.mode = mode;
        CHECK(r.traps(0xffff'8002, Cause::IllegalInstruction, 0x8002));
        CHECK(r.traps(0xffff'0000, Cause::IllegalInstruction, 0));
        CHECK(r.traps(0xffff'ffff, Cause::IllegalInstruction, 0xffff'ffff));
        CHECK(r.traps(0x0205'0057, Cause::IllegalInstruction, 0x0205'0057));            // vadd.vv
        CHECK(r.traps(0xc000'1073, Cause::IllegalInstruction, 0xc000'1073));            // a function refuses
        CHECK(r.traps(0x0000'5053 | 1 << 25, Cause::IllegalInstruction, 0x0200'5053));  // fadd.d, rm 5
    }
}

TEST_CASE("checklist 5, seen 8: division by zero and overflow, in all word forms") {
    check({
        {Op::DIV, 7, 0, ~u64{0}},
        {Op::DIVU, 7, 0, ~u64{0}},
        {Op::REM, u64(-7), 0, u64(-7)},
        {Op::REMU, 7, 0, 7},
        {Op::DIV, kMin, ~u64{0}, kMin},
        {Op::REM, kMin, ~u64{0}, 0},
        {Op::DIVW, 0x1'0000'0007, 0, ~u64{0}},
        {Op::DIVUW, 7, 0xffff'ffff'0000'0000, ~u64{0}},
        {Op::REMW, 0x8000'0001, 0, 0xffff'ffff'8000'0001},
        {Op::REMUW, 0x8000'0001, 0, 0xffff'ffff'8000'0001},
        {Op::DIVW, 0x8000'0000, ~u64{0}, kMin32},
        {Op::REMW, 0x8000'0000, 0xffff'ffff, 0},
        {Op::REMW, 0xffff'fff9, 2, ~u64{0}},
        {Op::DIVUW, 0xffff'ffff, 1, ~u64{0}},
    });
}

TEST_CASE("checklist 6, seen 8 and 10: signs, word shifts, rotates by zero and RV64's own bit instructions") {
    check({
        {Op::MULHSU, ~u64{0}, ~u64{0}, ~u64{0}},
        {Op::MULHSU, kMin, 2, ~u64{0}},
        {Op::MULHSU, 2, kMin, 1},
        {Op::MULHU, ~u64{0}, ~u64{0}, ~u64{1}},
        {Op::MULH, ~u64{0}, ~u64{0}, 0},
        {Op::SLLW, 1, 33, 2},
        {Op::SLLW, 1, 31, kMin32},
        {Op::SRLW, 0xffff'ffff'8000'0000, 32, kMin32},
        {Op::SRAW, 0x8000'0000, 63, ~u64{0}},
        {Op::ROL, 0x1234, 64, 0x1234},
        {Op::ROR, 0x1234, 0, 0x1234},
        {Op::ROLW, 0x8000'0000, 32, kMin32},
        {Op::RORW, 1, 1, kMin32},
        {Op::ADD_UW, 0xffff'ffff'ffff'fffe, 3, 0x1'0000'0001},
        {Op::SH3ADD_UW, 0xffff'ffff'2000'0000, 1, 0x1'0000'0001},
        {Op::REV8, 0x0102'0304'0506'0708, 0, 0x0807'0605'0403'0201},
        {Op::ORC_B, 0x0100'8000'0010'0001, 0, 0xff00'ff00'00ff'00ff},
        {Op::ZEXT_H, 0xffff'8001, 0, 0x8001},
        {Op::SEXT_H, 0x8001, 0, 0xffff'ffff'ffff'8001},
    });
    Rig r;
    CHECK(computed(r, Op::SLLI_UW, 0xffff'ffff'8000'0001, 0, 32) == 0x8000'0001'0000'0000);
    CHECK(computed(r, Op::RORIW, 0x8000'0001, 0, 0) == 0xffff'ffff'8000'0001);
    CHECK(computed(r, Op::RORI, 0x1234, 0, 0) == 0x1234);
}

TEST_CASE("seen 6: x0 stays zero, whatever is written to it") {
    Rig r;
    r.x(5) = kData;
    r.x(6) = 3;
    r.poke(kData, u64{40});
    CHECK(r.step(Op::AMOADD_D, {.rs1 = 5, .rs2 = 6}));
    CHECK(r.peek(kData) == 43);
    CHECK(r.step(Op::LD, {.rs1 = 5}));
    CHECK(r.step(Op::LR_D, {.rs1 = 5}));
    CHECK(r.step(Op::SC_D, {.rs1 = 5, .rs2 = 6}));
    CHECK(r.step(Op::CSRRS, {.rs1 = 0, .imm = 0xf11}));
    CHECK(r.step(Op::CSRRW, {.rs1 = 6, .imm = 0x340}));
    CHECK(r.step(Op::ADDI, {.rs1 = 6, .imm = 5}));
    CHECK(r.step(Op::JAL, {.imm = 8}));
    CHECK(r.step(Op::FEQ_D, {}));
    CHECK(r.step(Op::ADD, {.rd = 7}));
    CHECK((r.x(0) == 0 && r.x(7) == 0));
}

TEST_CASE("checklist 35, seen 43: traps of ebreak, ecall and interrupts in a program") {
    Rig r;
    CHECK(r.traps(Op::EBREAK, {}, Cause::Breakpoint, kCode));
    CHECK(r.traps(0x9002, Cause::Breakpoint, kCode));  // c.ebreak
    r.s().mtval = 0x55;
    CHECK(r.traps(Op::ECALL, {}, Cause::EcallM, 0));
    // slli x0, x0, 31; ebreak; srai x0, x0, 7: semihosting's sequence is a plain ebreak.
    r.put(kCode, {encode(Op::SLLI, {.imm = 31}), encode(Op::EBREAK), encode(Op::SRAI, {.imm = 7})});
    CHECK_FALSE(r.run(kCode, 3));
    CHECK(r.trapped(Cause::Breakpoint, kCode + 4, kCode + 4));
}
