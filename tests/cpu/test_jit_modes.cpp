// System calls: into S-mode and back without leaving translated code, and by the long way where more follows.
#include "cpu/csr.hpp"
#include "supervisor.hpp"

using namespace hartline;
using namespace hartline::twins;

namespace {
constexpr unsigned kSie = 0x104, kStvec = 0x105, kSepc = 0x141, kScause = 0x142, kStval = 0x143, kSip = 0x144,
                   kMedeleg = 0x302, kMideleg = 0x303, kMenvcfg = 0x30a, kMhpmevent3 = 0x323;
constexpr u64 kHandler = kRam + 0x800, kTrap = kRam + 0x1'2000, kUser = kRam + 0x1'4000,
              kKernelData = kRam + 0x2'0000, kUserData = kRam + 0x2'1000, kOtherData = kRam + 0x2'2000,
              kKernelCode = kTrap + 0x1000, kOtherTables = kTables + 0x10'0000;
constexpr u8 kRounds = s5, kInMachine = s6, kInterrupts = s7, kSaved = s1, kPc = t1, kKernels = s3,
             kUsers = s4, kCodes = t5;

enum class More {
    Nothing,
    Floats,        // in U-mode
    FloatsOff,     // in every other turn of U-mode
    KernelFloats,  // in S-mode too, where they are off
    Interrupts,    // due as S-mode is left
    Sum,           // set in U-mode
    Mxr,           // the same
    NotDelegated,  // to M-mode
    Tsr,           // SRET traps
    Nested,        // an SRET to S-mode
    Spaces,        // two of them, with other frames for the user's data
    HardwareAd,    // on and off by M-mode, with user's data that is clean
    Apart,         // U-mode tries the kernel's data and code
    Fence,         // before S-mode is left
    Counters,      // by mode
    Reservation,   // of U-mode's
    Vectored,
};

void set(Assembly& code, Op op, unsigned csr, u64 bits) {
    code.li(t0, bits);
    code.imm(op, zero, t0, static_cast<i32>(csr));
}

// In M-mode. What S-mode calls for is set once; what it may not do is done for it.
Assembly machine_handler(More more) {
    Assembly code(kHandler);
    const u64 from_supervisor = kHandler + 0x100, illegal = kHandler + 0x180, fetch = kHandler + 0x200;
    code.imm(Op::ADDI, kInMachine, kInMachine, 1);
    code.csrr(t3, kMcause);
    code.imm(Op::ADDI, t4, zero, static_cast<i32>(Cause::EcallS));
    code.branch(Op::BEQ, t3, t4, from_supervisor);
    code.imm(Op::ADDI, t4, zero, static_cast<i32>(Cause::IllegalInstruction));
    code.branch(Op::BEQ, t3, t4, illegal);
    code.imm(Op::ADDI, t4, zero, static_cast<i32>(Cause::FetchPage));
    code.branch(Op::BEQ, t3, t4, fetch);
    const auto behind = [&] {
        code.csrr(t4, kMepc);
        code.imm(Op::ADDI, t4, t4, 4);
        code.csrw(kMepc, t4);
        code.plain(Op::MRET);
    };
    behind();
    while (code.here() < from_supervisor) code.nop();
    if (more == More::Tsr) set(code, Op::CSRRS, kMstatus, mstatus::kTsr);
    if (more == More::Counters || more == More::HardwareAd) {
        const unsigned csr = more == More::Counters ? kMhpmevent3 : kMenvcfg;
        code.csrr(t0, csr);
        if (more == More::Counters) code.imm(Op::XORI, t0, t0, 2);  // instructions
        code.imm(Op::ADDI, t4, zero, 1);
        code.imm(Op::SLLI, t4, t4, 61);  // not those of S-mode; ADUE
        code.op(Op::XOR, t0, t0, t4);
        code.csrw(csr, t0);
    }
    behind();
    while (code.here() < illegal) code.nop();
    if (more == More::Tsr) {
        code.csrr(t4, kSepc);
        code.csrw(kMepc, t4);
        set(code, Op::CSRRC, kMstatus, mstatus::kMpp);
    } else {
        set(code, Op::CSRRS, kMstatus, mstatus::kFs);
    }
    code.plain(Op::MRET);
    while (code.here() < fetch) code.nop();
    code.csrw(kMepc, ra);
    code.plain(Op::MRET);
    return code;
}

Assembly start(More more) {
    Assembly code(kRam);
    code.li(t0, kHandler);
    code.csrw(kMtvec, t0);
    code.li(t0, more == More::NotDelegated ? 0 : 1u << static_cast<unsigned>(Cause::EcallU));
    code.csrw(kMedeleg, t0);
    code.li(t0, 2);
    code.csrw(kMideleg, t0);
    return into_supervisor(kCode, code);
}

Assembly kernel(More more) {
    Assembly code(kCode);
    code.plain(Op::ECALL);
    code.li(t0, kTrap + (more == More::Vectored ? 1 : 0));
    code.csrw(kStvec, t0);
    set(code, Op::CSRRS, kSie, 2);
    set(code, Op::CSRRS, kSstatus, mstatus::kFs);
    code.csrr(a7, kSatp);
    code.li(a6, (kOtherTables ^ kTables) >> 12);
    code.imm(Op::ADDI, t0, zero, 1);
    code.imm(Op::SLLI, t0, t0, 44);  // the lowest bit of ASID
    code.op(Op::OR, a6, a6, t0);
    code.li(kKernels, kKernelData);
    code.li(kUsers, kUserData);
    code.li(kCodes, kKernelCode);
    code.li(t0, kUser);
    code.csrw(kSepc, t0);
    code.plain(Op::SRET);
    return code;
}

// As Linux has it: what the handler must not use is turned off, and comes back with the rest.
Assembly trap(More more, u64 leaf) {
    Assembly code(kTrap);
    const u64 exception = kTrap + 0x10, interrupt = kTrap + 0x100;
    if (more == More::Vectored) {
        code.jal(zero, exception);
        code.jal(zero, interrupt);
        while (code.here() < exception) code.nop();
    }
    code.li(t0, mstatus::kSum | mstatus::kFs);
    code.imm(Op::CSRRC, kSaved, t0, static_cast<i32>(kSstatus));
    if (more == More::KernelFloats) code.op(Op::FADD_D, 1, 1, 2);
    code.csrr(kPc, kSepc);
    code.csrr(t2, kScause);
    code.branch(Op::BLT, t2, zero, interrupt);
    code.imm(Op::ADDI, kPc, kPc, 4);
    code.imm(Op::ADDI, kRounds, kRounds, 1);
    code.imm(Op::ANDI, t2, kRounds, 1);  // every other round
    code.csrr(t0, kSstatus);
    code.op(Op::ADD, a4, a4, t0);
    code.csrw(kStval, kRounds);
    add_to(code, kKernels, 0);
    const auto change = [&](u64 bits) {
        code.li(t0, bits);
        code.op(Op::MUL, t0, t0, t2);
        code.op(Op::XOR, kSaved, kSaved, t0);
    };
    switch (more) {
        case More::FloatsOff:
        case More::KernelFloats: change(mstatus::kFs); break;
        case More::Sum: change(mstatus::kSum); break;
        case More::Mxr: change(mstatus::kMxr); break;
        case More::Interrupts:
        case More::Vectored:
            code.op(Op::ADD, t0, t2, t2);
            code.imm(Op::CSRRS, zero, t0, static_cast<i32>(kSip));
            break;
        case More::Nested: {
            const u64 inner = code.here() + 8 * 4;
            code.li(t0, inner);
            code.csrw(kSepc, t0);
            code.imm(Op::ADDI, t0, zero, static_cast<i32>(mstatus::kSpp));
            code.imm(Op::CSRRS, zero, t0, static_cast<i32>(kSstatus));
            code.plain(Op::SRET);
            REQUIRE(code.here() == inner);
            break;
        }
        case More::Spaces:
            code.op(Op::XOR, a7, a7, a6);
            code.csrw(kSatp, a7);
            break;
        case More::Fence: code.plain(Op::SFENCE_VMA); break;
        case More::Apart:
            set(code, Op::CSRRS, kSstatus, mstatus::kSum);
            add_to(code, kKernels, 0);
            set(code, Op::CSRRC, kSstatus, mstatus::kSum);
            code.imm(Op::JALR, ra, kCodes, 0);
            break;
        case More::HardwareAd:
            code.plain(Op::ECALL);
            code.li(t3, leaf);
            code.imm(Op::LD, t0, t3, 0);
            code.imm(Op::ANDI, t0, t0, ~static_cast<i32>(D));
            code.store(Op::SD, t0, 0, t3);
            code.plain(Op::SFENCE_VMA);
            break;
        default: break;
    }
    code.csrw(kSepc, kPc);
    code.csrw(kSstatus, kSaved);
    if (more == More::KernelFloats) code.op(Op::FADD_D, 1, 1, 2);
    if (more == More::Mxr) code.imm(Op::LD, t0, kCodes, 0);  // which may be executed only
    code.plain(Op::SRET);
    REQUIRE(code.here() <= interrupt);
    while (code.here() < interrupt) code.nop();
    if (more == More::Vectored) code.imm(Op::CSRRS, kSaved, zero, static_cast<i32>(kSstatus));
    code.imm(Op::ADDI, kInterrupts, kInterrupts, 1);
    code.imm(Op::CSRRCI, zero, 2, static_cast<i32>(kSip));
    code.csrw(kSstatus, kSaved);
    code.plain(Op::SRET);
    return code;
}

Assembly user(More more) {
    Assembly code(kUser);
    const u64 loop = code.here();
    code.imm(Op::ADDI, s2, s2, 1);
    if (more == More::Floats || more == More::FloatsOff) code.op(Op::FADD_D, 1, 1, 2);
    add_to(code, kUsers, 8);
    if (more == More::Apart) {
        code.imm(Op::ANDI, t0, s2, 1);
        code.branch(Op::BEQ, t0, zero, code.here() + 8);
        code.imm(Op::JALR, ra, kCodes, 0);
        code.imm(Op::LD, a0, kKernels, 0);
    }
    if (more == More::Reservation) code.word(encode(Op::LR_D, {.rd = a0, .rs1 = kUsers}));
    code.plain(Op::ECALL);
    if (more == More::Reservation) {
        code.word(encode(Op::SC_D, {.rd = a0, .rs1 = kUsers, .rs2 = s2}));
        code.op(Op::ADD, a1, a1, a0);
    }
    code.jal(zero, loop);
    return code;
}
}  // namespace

TEST_CASE("jit_system_calls_go_the_short_way", "[jit]") {
    const More more = GENERATE(More::Nothing, More::Floats, More::FloatsOff, More::KernelFloats,
                               More::Interrupts, More::Sum, More::Mxr, More::NotDelegated, More::Tsr,
                               More::Nested, More::Spaces, More::HardwareAd, More::Apart, More::Fence,
                               More::Counters, More::Reservation, More::Vectored);
    CAPTURE(static_cast<int>(more));
    Twins twins;
    u64 leaf = 0;
    for (const u64 root : {kTables, kOtherTables}) {
        Tables tables(twins, root);
        for (u64 at = kCode; at < kUser; at += kFrameBytes)
            tables.map(at, at, V | (more == More::Mxr && at == kKernelCode ? 0 : R) | X | G | A | D);
        tables.map(kUser, kUser, V | R | X | U | A | D);
        tables.map(kKernelData, kKernelData, V | R | W | G | A | D);
        tables.map(kUserData, root == kTables ? kUserData : kOtherData, V | R | W | U | A | D);
        if (root == kTables) leaf = tables.leaf();
        tables.map(leaf & ~(kFrameBytes - 1), leaf & ~(kFrameBytes - 1), V | R | W | G | A | D);
    }
    Assembly called(kKernelCode);
    called.imm(Op::ADDI, a2, a2, 1);
    called.ret();
    twins.put(start(more), machine_handler(more), kernel(more), trap(more, leaf), user(more), called);
    twins.run_times(600, 97);
    const u64 rounds = more == More::NotDelegated ? twins.x(kInMachine) : twins.x(kRounds);
    CHECK(rounds > 300);
    CHECK(twins.x(s2) + 1 >= rounds);
    const bool interrupts = more == More::Interrupts || more == More::Vectored;
    CHECK((twins.x(kInterrupts) > rounds / 3) == interrupts);
    if (more == More::Reservation) CHECK(twins.x(a1) + 2 >= rounds);
    const u64 handed = twins.stats().exits[static_cast<std::size_t>(TranslatorStats::Exit::Handed)];
    const bool is_short = more == More::Nothing || more == More::Reservation;
    if (is_short)
        CHECK(handed < 200);
    else
        CHECK(handed > 100);
}
