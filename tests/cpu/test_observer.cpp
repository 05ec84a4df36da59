// What an observer is told, and that nobody else notices it.
#include <algorithm>
#include <catch2/catch.hpp>
#include <random>

#include "watched.hpp"

using namespace hartline;

namespace {
std::vector<Commit> commits_of(const std::vector<u32>& program, u64 instructions) {
    Keeper keeper;
    Watched watched(program, &keeper);
    watched.machine.run(instructions);
    return keeper.commits;
}

// Walks over memory with stores, loads, atomics and floating point, changes its own code, traps by ecall, and
// counts.
const std::vector<u32> kBusy = {
    0x00001297,  // auipc x5,0x1
    0x00000317,  // auipc x6,0x0
    0x05430313,  // addi x6,x6,84 # 58
    0x30531073,  // csrrw x0,mtvec,x6
    0x00006337,  // lui x6,0x6
    0x30032073,  // csrrs x0,mstatus,x6
    0x00138393,  // addi x7,x7,1
    0x0072b423,  // sd x7,8(x5) # 1008
    0x0082a507,  // flw f10,8(x5)
    0x18b575d3,  // fdiv.s f11,f10,f11
    0x0072a52f,  // amoadd.w x10,x7,(x5)
    0x1002a5af,  // lr.w x11,(x5)
    0x18b2a62f,  // sc.w x12,x11,(x5)
    0x02a3c6b3,  // div x13,x7,x10
    0xc0202773,  // csrrs x14,instret,x0
    0x00000073,  // ecall
    0x00000797,  // auipc x15,0x0
    0xfd87a803,  // lw x16,-40(x15) # 18
    0x0018c893,  // xori x17,x17,1
    0xfd07ac23,  // sw x16,-40(x15)
    0x0000100f,  // fence.i
    0xfc5ff06f,  // jal x0,18
    0x34102f73,  // csrrs x30,mepc,x0
    0x004f0f13,  // addi x30,x30,4
    0x341f1073,  // csrrw x0,mepc,x30
    0x30200073,  // mret
};
}  // namespace

TEST_CASE("observer: registers, memory and operands of an instruction") {
    // auipc x5, 1; addi x6, x0, -3; sw x6, 4(x5); lhu x7, 4(x5)
    const auto commits = commits_of({0x00001297, 0xffd00313, 0x0062a223, 0x0042d383}, 4);
    REQUIRE(commits.size() == 4);
    CHECK(commits[0].operands.imm == 0x1000);
    CHECK((commits[1].op == Op::ADDI && commits[1].number == 1 && commits[1].pc == kProgramAt + 4));
    CHECK((commits[1].registers.size() == 1 && commits[1].registers[0].number == 6));
    CHECK(commits[1].registers[0].value == ~u64{2});
    CHECK(commits[2].x == std::array<u64, 2>{kProgramAt + 0x1000, ~u64{2}});
    REQUIRE(commits[2].memory.size() == 1);
    CHECK((commits[2].memory[0].store && commits[2].memory[0].bytes == 4));
    CHECK(commits[2].memory[0].value == 0xffff'fffd);
    REQUIRE(commits[3].memory.size() == 1);
    CHECK((!commits[3].memory[0].store && commits[3].memory[0].vaddr == kProgramAt + 0x1004));
    CHECK(commits[3].registers[0].value == 0xfffd);
}

TEST_CASE("observer: immediates of pc-relative rows are the instruction's own") {
    // nop; nop; jal x0, -4
    const auto commits = commits_of({0x00000013, 0x00000013, 0xffdff06f}, 4);
    REQUIRE(commits.size() == 4);
    CHECK((commits[2].op == Op::JAL && commits[2].operands.imm == -4 && commits[2].operands.rd == 0));
    CHECK(commits[3].pc == kProgramAt + 4);
}

TEST_CASE("observer: a CSR instruction names one register and changes those behind it") {
    // csrrsi x1, sstatus, 2; csrrci x0, mstatus, 0
    const auto commits = commits_of({0x100160f3, 0x30007073}, 2);
    REQUIRE(commits.size() == 2);
    const CsrAccess& access = commits[0].csr;
    CHECK((access.there && access.read && access.written && access.number == 0x100));
    CHECK((access.after ^ access.before) == 2);
    REQUIRE(commits[0].csrs.size() == 1);
    CHECK(commits[0].csrs[0].number == 0x300);
    CHECK(commits[0].registers[0].value == access.before);
    CHECK((commits[1].csr.read && !commits[1].csr.written && commits[1].csrs.empty()));
}

TEST_CASE("observer: a write that a PMP lock refuses is no write") {
    // csrwi pmpaddr0, 5; csrwi pmpaddr0, 6; li x5, 0x80; csrw pmpcfg0, x5; csrwi pmpaddr0, 7
    const auto commits = commits_of({0x3b02d073, 0x3b035073, 0x08000293, 0x3a029073, 0x3b03d073}, 5);
    REQUIRE(commits.size() == 5);
    CHECK((commits[1].csrs.size() == 1 && commits[1].csrs[0].value == 6));
    CHECK((commits[3].csrs.size() == 1 && commits[3].csrs[0].value == 0x80));
    CHECK((commits[4].csr.written && commits[4].csrs.empty()));
}

TEST_CASE("observer: a trap is told with its cause, and its instruction is no commit") {
    Keeper keeper;
    // auipc x5, 0; addi x5, x5, 16; csrw mtvec, x5; illegal; ecall
    Watched watched({0x00000297, 0x01028293, 0x30529073, 0x00000000, 0x00000073}, &keeper);
    watched.machine.run(5);
    REQUIRE(keeper.traps.size() >= 2);
    CHECK(
        (keeper.traps[0].cause == 2 && !keeper.traps[0].interrupt && keeper.traps[0].pc == kProgramAt + 12));
    CHECK((keeper.traps[1].cause == 11 && keeper.traps[1].number == 3));
    CHECK(keeper.traps[1].to == Privilege::Machine);
    CHECK(keeper.commits.size() == 3);
}

TEST_CASE("observer: an interrupt is told before the instruction that it comes before") {
    Keeper keeper;
    // csrwi mie, 2 (SSIE); csrwi mip, 2; csrsi mstatus, 8: mtvec is 0
    Watched watched({0x30415073, 0x34415073, 0x30046073, 0x00000013}, &keeper);
    watched.machine.run(4);
    REQUIRE_FALSE(keeper.traps.empty());
    CHECK((keeper.traps[0].interrupt && keeper.traps[0].cause == 1));
    CHECK(keeper.traps[0].pc == kProgramAt + 12);
    CHECK(keeper.commits.size() == 3);
}

TEST_CASE("observer: state, counts and time are the same with and without") {
    Keeper keeper;
    Watched seen(kBusy, &keeper), unseen(kBusy, nullptr);
    std::mt19937_64 random{3};
    for (u64 done = 0; done < 100'000;) {
        const u64 next = std::min<u64>(1 + random() % 900, 100'000 - done);
        seen.machine.run(next);
        unseen.machine.run(next);
        done += next;
        REQUIRE(seen.machine.hash() == unseen.machine.hash());
    }
    CHECK(keeper.commits.size() == seen.machine.retired());
    CHECK(keeper.traps.size() > 1000);
}
