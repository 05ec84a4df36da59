// Lines of the checklist on atomics and cache blocks: who may, what faults, and with which address.
#include <catch2/catch.hpp>

#include "cpu/decode.hpp"
#include "tests/cpu/rig.hpp"

using namespace hartline;
using namespace hartline::rig;

namespace {
constexpr Operands kLr{.rd = 7, .rs1 = 5}, kSc{.rd = 7, .rs1 = 5, .rs2 = 6};
constexpr u64 kRead = V | R | A | D, kWrite = V | R | W | A | D;

// Does an LR.D at kData, then `between`, then an SC with `op` at `at`; what the SC says.
template <class Between>
u64 sc_after(Rig& r, Between between, Op op = Op::SC_D, u64 at = kData) {
    r.x(5) = kData;
    for (const u64 cell : {kData, kData + 8}) r.poke(cell, u64{7});  // so that values tell no difference
    REQUIRE(r.step(Op::LR_D, kLr));
    between();
    r.x(5) = at;
    r.x(6) = 99;
    REQUIRE(r.step(op, kSc));
    return r.x(7);
}
bool is_atomic(const Row& row) {
    return row.extension == Extension::A || row.extension == Extension::Zacas ||
           row.extension == Extension::Zabha;
}
unsigned bytes_of(const Row& row) {
    switch (row.mnemonic.back()) {
        case 'b': return 1;
        case 'h': return 2;
        case 'w': return 4;
        case 'd': return 8;
        default: return 16;
    }
}
bool is_lr(const Row& row) { return row.mnemonic.starts_with("lr"); }

// A supervisor with a page that may be read, one that may be written, and one that is not there.
struct Pages {
    static constexpr u64 kReadOnly = 0x10000, kWritable = 0x11000, kAbsent = 0x12000, kExecutable = 0x13000;
    Pages() {
        r.mode = Privilege::Supervisor;
        r.map(kReadOnly, kData, kRead);
        r.map(kWritable, kData + kFrameBytes, kWrite);
        r.map(kExecutable, kData + 2 * kFrameBytes, V | X | A);
        r.translation_on();
    }
    Rig r;
};
}  // namespace

TEST_CASE(
    "checklist 9, seen 30: what makes an SC fail: another address or size, a trap's return, an SC, another turn") {
    Rig r;
    const auto nothing = [] {};
    CHECK(sc_after(r, nothing) == 0);
    CHECK(r.peek(kData) == 99);
    CHECK(sc_after(r, nothing, Op::SC_D, kData + 8) == 1);
    CHECK(sc_after(r, nothing, Op::SC_W) == 1);
    CHECK(sc_after(r, [&] { CHECK(r.step(Op::SC_D, kSc)); }) == 1);
    CHECK(sc_after(r, [&] {  // one that fails ends the reservation too
              r.x(5) = kData + 64;
              CHECK(r.step(Op::SC_D, kSc));
              CHECK(r.x(7) == 1);
          }) == 1);
    CHECK(sc_after(r, [&] {
              CHECK_FALSE(r.step(Op::ECALL));
              r.s().mstatus |= mstatus::kMpp;
              CHECK(r.step(Op::MRET));
          }) == 1);
    CHECK(sc_after(r, [&] { r.hart->turn_ended(); }) == 1);  // A, B, A by another hart is not seen
    CHECK(sc_after(r, [&] { r.poke(kData, u64{1234}); }) == 1);
    CHECK(r.peek(kData) == 1234);
    CHECK(r.peek(kData + 8) == 7);
}

TEST_CASE("checklist 9: a reservation is physical") {
    Pages pages;
    Rig& r = pages.r;
    r.map(0x20000, kData + kFrameBytes, kWrite);  // an alias
    r.fence();
    r.x(5) = Pages::kWritable + 8;
    REQUIRE(r.step(Op::LR_D, kLr));
    r.x(5) = 0x20008;
    r.x(6) = 77;
    REQUIRE(r.step(Op::SC_D, kSc));
    CHECK((r.x(7) == 0 && r.peek(kData + kFrameBytes + 8) == 77));
}

TEST_CASE("checklist 9, seen 29: an SC that would fail still faults, and leaves rd alone") {
    Pages pages;
    Rig& r = pages.r;
    r.x(7) = 0x77;
    const auto faults = [&](u64 vaddr, Cause cause) {
        r.x(5) = vaddr;
        return r.traps(Op::SC_W, kSc, cause, vaddr) && r.x(7) == 0x77;
    };
    CHECK(faults(Pages::kReadOnly, Cause::StorePage));
    CHECK(faults(Pages::kAbsent, Cause::StorePage));
    CHECK(faults(Pages::kWritable + 2, Cause::StoreMisaligned));
    r.mode = Privilege::Machine;
    CHECK(faults(kHole, Cause::StoreAccess));
    CHECK(faults(kDevice, Cause::StoreAccess));
    r.s().pmp.addr[0] = (kData >> 2) | 0x1ff;
    r.s().pmp.cfg[1] = 0x1f;
    r.s().pmp.addr[1] = ~u64{0} >> 10;
    r.s().pmp.cfg[0] = 0x9c;  // locked, for fetches only
    pmp_changed(r.cpu());
    CHECK(faults(kData + 8, Cause::StoreAccess));
}

TEST_CASE(
    "checklist 10, seen 31: every atomic faults as a store on a page that may only be read; LR reads it") {
    Pages pages;
    Rig& r = pages.r;
    r.poke(kData, u64{0x1234});
    for (const Row& row : kIsa)
        if (is_atomic(row)) {
            CAPTURE(row.mnemonic);
            r.x(5) = Pages::kReadOnly;
            r.x(8) = 0x77;
            const Operands o{.rd = 8, .rs1 = 5, .rs2 = 10};
            if (is_lr(row)) {
                CHECK(r.step(row.op, o));
            } else {
                CHECK(r.traps(row.op, o, Cause::StorePage, Pages::kReadOnly));
                CHECK(r.x(8) == 0x77);
            }
            r.x(5) = Pages::kExecutable;
            CHECK(r.traps(row.op, o, is_lr(row) ? Cause::LoadPage : Cause::StorePage, Pages::kExecutable));
        }
    CHECK(r.peek(kData) == 0x1234);
}

TEST_CASE("checklist 9, 10, seen 28: atomics trap as misaligned where loads and stores do not") {
    Rig r;
    for (const Row& row : kIsa)
        for (unsigned offset = 1; is_atomic(row) && offset < bytes_of(row); ++offset) {
            CAPTURE(row.mnemonic, offset);
            r.x(5) = kData + offset;
            CHECK(r.traps(row.op, {.rd = 8, .rs1 = 5, .rs2 = 10},
                          is_lr(row) ? Cause::LoadMisaligned : Cause::StoreMisaligned, kData + offset));
        }
    r.x(5) = kData + 1;
    CHECK(r.step(Op::LD, kLr));
    CHECK(r.step(Op::SD, {.rs1 = 5, .rs2 = 6}));
}

TEST_CASE("seen 32: atomics reach no device and no hole") {
    Rig r;
    for (const Row& row : kIsa)
        for (const u64 where : {kDevice, kHole, kRam + kRamBytes, ~u64{0} - 15})
            if (is_atomic(row)) {
                CAPTURE(row.mnemonic, where);
                r.x(5) = where;
                CHECK(r.traps(row.op, {.rd = 8, .rs1 = 5, .rs2 = 10},
                              is_lr(row) ? Cause::LoadAccess : Cause::StoreAccess, where));
            }
    CHECK(r.device->reads + r.device->writes == 0);
}

TEST_CASE("checklist 10, seen 9 and 11: word and smaller AMOs compare their width and extend its sign") {
    Rig r;
    struct Case {
        Op op;
        u64 memory, operand, after;
    };
    constexpr u64 k = 0xaaaa'aaaa'0000'0000;
    const Case cases[]{
        {Op::AMOMIN_W, k | 0x8000'0000, 1, k | 0x8000'0000},
        {Op::AMOMIN_W, k | 1, 0xffff'ffff, k | 0xffff'ffff},
        {Op::AMOMAX_W, k | 0x8000'0000, 0x1'0000'0000, k},
        {Op::AMOMAXU_W, k | 0x8000'0000, 0x1'0000'0001, k | 0x8000'0000},
        {Op::AMOMINU_W, k | 0x8000'0000, ~u64{0}, k | 0x8000'0000},
        {Op::AMOADD_W, k | 0xffff'ffff, 1, k},
        {Op::AMOMIN_B, k | 0x80, 0x7f, k | 0x80},
        {Op::AMOMAX_B, k | 0x80, 0xff, k | 0xff},
        {Op::AMOMAXU_B, k | 0x80, 0x7f, k | 0x80},
        {Op::AMOMINU_H, k | 0x8000, 0x1'0001, k | 1},
        {Op::AMOMIN_H, k | 0x8000, 1, k | 0x8000},
        {Op::AMOADD_B, k | 0xff, 1, k},
        {Op::AMOSWAP_D, k | 1, 2, 2},
    };
    for (const Case& c : cases) {
        const Row& row = hartline::row(c.op);
        CAPTURE(row.mnemonic, c.operand);
        r.poke(kData, c.memory);
        r.x(5) = kData;
        r.x(6) = c.operand;
        CHECK(r.step(c.op, kSc));
        CHECK(r.peek(kData) == c.after);
        CHECK(r.x(7) == static_cast<u64>(sign_extend(c.memory, bytes_of(row) * 8)));
    }
}

TEST_CASE(
    "checklist 11, seen 11: compare and swap: pairs, x0, odd registers, and a store also when it differs") {
    Rig r;
    r.poke(kData, u64{11});
    r.poke(kData + 8, u64{22});
    r.x(5) = kData;
    r.x(8) = 11;
    r.x(9) = 22;
    r.x(12) = 33;
    r.x(13) = 44;
    CHECK(r.step(Op::AMOCAS_Q, {.rd = 8, .rs1 = 5, .rs2 = 12}));
    CHECK((r.peek(kData) == 33 && r.peek(kData + 8) == 44 && r.x(8) == 11 && r.x(9) == 22));
    r.x(1) = 0x1111;                                              // no part of x0's pair
    CHECK(r.step(Op::AMOCAS_Q, {.rd = 0, .rs1 = 5, .rs2 = 12}));  // compares with zero
    CHECK((r.peek(kData) == 33 && r.x(0) == 0 && r.x(1) == 0x1111));
    CHECK(r.step(Op::AMOCAS_Q, {.rd = 8, .rs1 = 5, .rs2 = 0}));
    CHECK((r.x(8) == 33 && r.x(9) == 44 && r.peek(kData) == 33));
    CHECK(r.step(Op::AMOCAS_Q, {.rd = 8, .rs1 = 5, .rs2 = 0}));  // now it is equal: stores zeros
    CHECK((r.peek(kData) == 0 && r.peek(kData + 8) == 0));
    for (const u32 word : {encode(Op::AMOCAS_Q, {.rd = 8, .rs1 = 5, .rs2 = 12}) | 1 << 7,
                           encode(Op::AMOCAS_Q, {.rd = 8, .rs1 = 5, .rs2 = 12}) | 1 << 20})
        CHECK(r.illegal(word));
    // amocas.w compares the low 32 bits of rd and gives what was there with its sign.
    r.poke(kData, u64{0xaaaa'aaaa'8000'0000});
    r.x(8) = 0x1234'5678'8000'0000;
    r.x(12) = 7;
    CHECK(r.step(Op::AMOCAS_W, {.rd = 8, .rs1 = 5, .rs2 = 12}));
    CHECK((r.peek(kData) == 0xaaaa'aaaa'0000'0007 && r.x(8) == 0xffff'ffff'8000'0000));
    Pages pages;
    pages.r.poke(kData, u64{5});
    pages.r.x(5) = Pages::kReadOnly;
    pages.r.x(8) = 6;  // differs, and yet may not
    CHECK(pages.r.traps(Op::AMOCAS_D, {.rd = 8, .rs1 = 5, .rs2 = 12}, Cause::StorePage, Pages::kReadOnly));
    pages.r.map(0x20000, kData + kFrameBytes, V | R | W | A);  // and sets D, where hardware does
    pages.r.s().menvcfg |= envcfg::kAdue;
    update_regimes(pages.r.cpu());
    pages.r.fence();
    pages.r.x(5) = 0x20000;
    CHECK(pages.r.step(Op::AMOCAS_D, {.rd = 8, .rs1 = 5, .rs2 = 12}));
    CHECK((pages.r.peek(pages.r.last_pte) & D) != 0);
}

TEST_CASE("checklist 12, seen 34: cache-block operations fault as stores with the original address") {
    Pages pages;
    Rig& r = pages.r;
    r.s().menvcfg = envcfg::kCbie | envcfg::kCbcfe | envcfg::kCbze;
    for (const Op op : {Op::CBO_ZERO, Op::CBO_INVAL, Op::CBO_CLEAN, Op::CBO_FLUSH}) {
        CAPTURE(row(op).mnemonic);
        r.mode = Privilege::Supervisor;
        r.x(5) = Pages::kAbsent + 0x123;
        CHECK(r.traps(op, {.rs1 = 5}, Cause::StorePage, Pages::kAbsent + 0x123));
        r.x(5) = Pages::kReadOnly + 0x123;
        if (op == Op::CBO_ZERO)
            CHECK(r.traps(op, {.rs1 = 5}, Cause::StorePage, Pages::kReadOnly + 0x123));
        else
            CHECK(r.step(op, {.rs1 = 5}));  // may be read: that is enough
        r.mode = Privilege::Machine;
        for (const u64 where : {kHole + 0x7f, kDevice + 3}) {
            r.x(5) = where;
            CHECK(r.traps(op, {.rs1 = 5}, Cause::StoreAccess, where));
        }
        const u64 bits = op == Op::CBO_ZERO    ? envcfg::kCbze
                         : op == Op::CBO_INVAL ? envcfg::kCbie
                                               : envcfg::kCbcfe;
        for (unsigned grants = 0; grants < 4; ++grants)
            for (const Privilege mode : {Privilege::User, Privilege::Supervisor, Privilege::Machine}) {
                Rig other;
                other.mode = mode;
                other.s().menvcfg = grants & 1 ? bits : 0;
                other.s().senvcfg = grants & 2 ? bits : 0;
                other.x(5) = kData;
                const bool may = mode == Privilege::Machine ||
                                 (mode == Privilege::Supervisor && grants & 1) || grants == 3;
                CHECK(other.step(op, {.rs1 = 5}) == may);
                CHECK((may || other.illegal(encode(op, {.rs1 = 5}))));
            }
    }
}

TEST_CASE("checklist 12, seen 34: cbo.zero clears its block, the others nothing, prefetches never fault") {
    Rig r;
    for (u64 at = kData; at < kData + 256; at += 8) r.poke(at, ~u64{0});
    r.x(5) = kData + 64 + 17;
    for (const Op op : {Op::CBO_INVAL, Op::CBO_CLEAN, Op::CBO_FLUSH}) CHECK(r.step(op, {.rs1 = 5}));
    CHECK(r.peek(kData + 64) == ~u64{0});
    CHECK(r.step(Op::CBO_ZERO, {.rs1 = 5}));
    for (u64 at = kData; at < kData + 256; at += 8)
        CHECK(r.peek(at) == ((at - kData) / 64 == 1 ? 0 : ~u64{0}));
    for (const i32 kind : {0, 1, 3}) {  // prefetch.i, .r, .w
        r.x(5) = kHole;
        CHECK(r.step(Op::ORI, {.rs1 = 5, .imm = kind | 0x20}));
    }
}
