// Modes that take turns at the same pages: S-mode with SUM and without, and U-mode.
#include "supervisor.hpp"

using namespace hartline;
using namespace hartline::twins;

namespace {
constexpr u64 kHandler = kRam + 0x800, kUser = kRam + 0x1'2000, kKernelPage = kRam + 0x2'0000,
              kUserPage = kRam + 0x3'0000;
constexpr i32 kSum = 1 << 18, kMpp = 3 << 11, kSupervisor = 1 << 11;

// In M-mode: an ecall leads from S to U and back to where S goes on; other traps are counted.
Assembly handler(u64 user, u64 supervisor) {
    Assembly code(kHandler);
    const u64 faulted = kHandler + 0x80, from_user = kHandler + 0xc0;
    code.csrr(t3, kMcause);
    code.imm(Op::ADDI, t4, zero, 8);
    code.branch(Op::BEQ, t3, t4, from_user);
    code.imm(Op::ADDI, t4, zero, 9);
    code.branch(Op::BNE, t3, t4, faulted);
    code.li(t4, kMpp);
    code.imm(Op::CSRRC, zero, t4, static_cast<i32>(kMstatus));
    code.li(t4, user);
    code.csrw(kMepc, t4);
    code.plain(Op::MRET);
    while (code.here() < faulted) code.nop();
    code.imm(Op::ADDI, s6, s6, 1);
    code.csrr(t4, kMepc);
    code.imm(Op::ADDI, t4, t4, 4);
    code.csrw(kMepc, t4);
    code.plain(Op::MRET);
    while (code.here() < from_user) code.nop();
    code.li(t4, kSupervisor);
    code.imm(Op::CSRRS, zero, t4, static_cast<i32>(kMstatus));
    code.li(t4, supervisor);
    code.csrw(kMepc, t4);
    code.plain(Op::MRET);
    return code;
}
}  // namespace

TEST_CASE("jit_a_kernel_and_its_user_take_turns_at_pages", "[jit]") {
    // S-mode stores to its own page and, by SUM, to the user's; then the user does, who may not see the
    // kernel's, nor the kernel the user's without SUM.
    const bool global = GENERATE(true, false);
    const i32 also = GENERATE(0, 2);  // SIE together with SUM is another way through the translator
    CAPTURE(global, also);
    Twins twins;
    Tables tables(twins);
    tables.map_itself(80, V | R | W | X | A | D | (global ? G : 0));
    tables.map(kUserPage, kUserPage, V | R | W | U | A | D);
    tables.map(kUser, kUser, V | R | X | U | A | D);
    Assembly kernel(kCode), user(kUser);
    kernel.li(s2, kKernelPage);
    kernel.li(s3, kUserPage);
    kernel.li(s4, kSum);
    kernel.li(s7, kSum + also);
    const u64 loop = kernel.here();
    kernel.imm(Op::CSRRS, zero, s7, static_cast<i32>(kSstatus));
    add_to(kernel, s3, 0);
    add_to(kernel, s2, 0);
    add_to(kernel, s3, 8);
    kernel.imm(Op::CSRRC, zero, s4, static_cast<i32>(kSstatus));
    add_to(kernel, s2, 8);
    kernel.imm(Op::LD, a0, s3, 0);     // a fault
    kernel.store(Op::SD, s5, 24, s3);  // another
    kernel.imm(Op::ADDI, s5, s5, 1);
    kernel.plain(Op::ECALL);
    add_to(user, s3, 0);
    add_to(user, s3, 16);
    user.imm(Op::LD, a1, s2, 0);     // a fault
    user.store(Op::SD, s5, 24, s2);  // another
    user.plain(Op::ECALL);
    Assembly start(kRam);
    start.li(t0, kHandler);
    start.csrw(kMtvec, t0);
    twins.put(into_supervisor(kCode, start), handler(kUser, loop), kernel, user);
    twins.run_times(700, 97);
    const u64 rounds = twins.x(s5);
    CHECK(rounds > 300);
    CHECK(twins.x(s6) + 4 >= 4 * rounds);
    if (!global) return;
    // Faults are misses; turns are not.
    CHECK(twins.stats().load_misses < 2 * rounds + 100);
    CHECK(twins.stats().store_misses < 2 * rounds + 100);
}

TEST_CASE("jit_sum_leads_to_the_space_of_the_moment", "[jit]") {
    // Two address spaces with other frames at the user's page.
    Twins twins;
    constexpr u64 kOtherTables = kTables + 0x10'0000;
    for (const u64 root : {kTables, kOtherTables}) {
        Tables tables(twins, root);
        tables.map_itself(80, V | R | W | X | G | A | D);
        tables.map(kUserPage, root == kTables ? kUserPage : kKernelPage, V | R | W | U | A | D);
    }
    Assembly kernel(kCode);
    kernel.li(s3, kUserPage);
    kernel.li(s4, kSum);
    kernel.csrr(a7, kSatp);
    kernel.li(a6, (kOtherTables ^ kTables) >> 12);
    kernel.imm(Op::ADDI, t0, zero, 1);
    kernel.imm(Op::SLLI, t0, t0, 44);  // the lowest bit of ASID
    kernel.op(Op::OR, a6, a6, t0);
    const u64 loop = kernel.here();
    kernel.imm(Op::CSRRS, zero, s4, static_cast<i32>(kSstatus));
    add_to(kernel, s3, 0);
    kernel.imm(Op::CSRRC, zero, s4, static_cast<i32>(kSstatus));
    kernel.op(Op::XOR, a7, a7, a6);
    kernel.csrw(kSatp, a7);
    go_round(kernel, loop, 8);
    kernel.jal(zero, loop);
    twins.put(into_supervisor(kCode), kernel);
    twins.run_times(300, 97);
    CHECK(twins.x(s5) > 500);
}

TEST_CASE("jit_a_fence_reaches_the_pages_that_modes_take_turns_at", "[jit]") {
    // A page of the kernel's is mapped to another frame, and met again by SUM first.
    Twins twins;
    constexpr u64 kWindow = 0x8060'0000, kMoved = 0x8070'0000;
    Tables tables(twins);
    tables.map_itself(80, V | R | W | X | G | A | D);
    tables.map(kMoved, kKernelPage, V | R | W | G | A | D);
    const u64 leaf = tables.leaf();
    tables.map(kWindow, leaf & ~(kFrameBytes - 1), V | R | W | G | A | D);
    Assembly kernel(kCode);
    const auto move = [&] {
        kernel.imm(Op::LD, t1, s2, 0);
        kernel.imm(Op::XORI, t1, t1, 1 << 10);
        kernel.store(Op::SD, t1, 0, s2);
        kernel.plain(Op::SFENCE_VMA);
    };
    kernel.li(s2, kWindow + leaf % kFrameBytes);
    kernel.li(s3, kMoved);
    kernel.li(s4, kSum);
    const u64 loop = kernel.here();
    add_to(kernel, s3, 0);
    kernel.imm(Op::CSRRS, zero, s4, static_cast<i32>(kSstatus));
    add_to(kernel, s3, 8);
    kernel.imm(Op::CSRRC, zero, s4, static_cast<i32>(kSstatus));
    move();
    kernel.imm(Op::CSRRS, zero, s4, static_cast<i32>(kSstatus));
    add_to(kernel, s3, 16);
    kernel.imm(Op::CSRRC, zero, s4, static_cast<i32>(kSstatus));
    move();
    kernel.imm(Op::ADDI, s5, s5, 1);
    kernel.jal(zero, loop);
    twins.put(into_supervisor(kCode), kernel);
    twins.run_times(300, 97);
    CHECK(twins.x(s5) > 200);
}
