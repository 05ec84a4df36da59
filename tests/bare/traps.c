// Exceptions, delegation, vectors, the stacks of mstatus, and who may execute what.
//
// oracle: QEMU 7.2 (-icount shift=0), Spike
#include "runtime.h"

static u64 cell = 0x1122334455667788;

// --- exceptions in M-mode
static bool mtval_is(u64 bits) { return last.tval == 0 || last.tval == bits; }

static void illegal_instructions(void) {
    check(1, attempt(".word 0x0000006b") == ILLEGAL && mtval_is(0x6b));
    const bool bits = last.tval != 0;  // one choice, everywhere
    check(2, (last.status & MSTATUS_MPP) == MSTATUS_MPP);
    check(3, attempt(".half 0\n.half 1") == ILLEGAL && last.tval == 0);  // the defined illegal instruction
    check(4, attempt(".word 0xffffffff") == ILLEGAL && last.tval == (bits ? 0xffffffff : 0));
    check(5, attempt("csrw cycle, zero") == ILLEGAL && last.tval == (bits ? 0xc0001073 : 0));
    check(6, attempt("csrr a0, 0x5ff", : : : "a0") == ILLEGAL);         // no such CSR
    check(7, attempt("csrw 0xf14, zero") == ILLEGAL);                   // mhartid is read-only
    check(8, attempt("csrrs a0, 0xf14, zero", : : : "a0") == NO_TRAP);  // not a write
    check(9, attempt("csrrci a0, 0xf14, 0", : : : "a0") == NO_TRAP);
    // c.addi4spn with 0 and c.lwsp to x0 are reserved.
    check(10, attempt(".half 0x0004\n.half 1") == ILLEGAL && last.tval == (bits ? 4 : 0));
    check(11, attempt(".half 0x4002\n.half 1") == ILLEGAL && last.tval == (bits ? 0x4002 : 0));
    u64 here;
    arm();
    asm volatile("la %0, 1f\n.option push\n.option norvc\n1: .word 0x6b\n.option pop" : "=r"(here));
    check(12, disarm() == ILLEGAL && last.epc == here);
}

static void calls_and_breakpoints(void) {
    check(20, attempt("ecall") == ECALL_M && last.tval == 0);
    check(21, attempt("ebreak") == BREAKPOINT && (last.tval == 0 || last.tval == last.epc));
    const bool pc = last.tval != 0;
    check(22, attempt(".half 0x9002\n.half 1") == BREAKPOINT && last.tval == (pc ? last.epc : 0));
    check(23, attempt_in(S, probe_ret, 0) == NO_TRAP);
    check(24, attempt_in(U, probe_ret, 0) == NO_TRAP);
}
static u64 call_up(u64 value) {
    asm volatile("li a7, 0\n.option push\n.option norvc\necall\n.option pop" : : : "a7");
    return value + 1;
}
static void calls_from_below(void) {
    check(25, attempt_in(S, call_up, 41) == ECALL_S && last.tval == 0 && lower_result == 42);
    check(26, (last.status & MSTATUS_MPP) == MSTATUS_MPP_(S));
    check(27, attempt_in(U, call_up, 42) == ECALL_U && last.tval == 0 && lower_result == 43);
    check(28, (last.status & MSTATUS_MPP) == MSTATUS_MPP_(U));
}

// --- access faults: each width, mtval exact to the byte
static void access_faults(void) {
    u64 (*const loads[])(u64) = {probe_lb, probe_lbu, probe_lh, probe_lhu, probe_lw, probe_lwu, probe_ld};
    u64 (*const stores[])(u64) = {probe_sb, probe_sh, probe_sw, probe_sd};
    for (u64 mode = U; mode <= M; mode += mode == S ? 2 : 1) {
        for (u64 i = 0; i < sizeof loads / sizeof *loads; ++i) {
            const u64 at = HOLE + 8 * i;
            check(30, attempt_in(mode, loads[i], at) == LOAD_ACCESS);
            check(31, last.tval == at && last.epc == (u64)loads[i] && last.count == 1);
        }
        for (u64 i = 0; i < sizeof stores / sizeof *stores; ++i) {
            const u64 at = HOLE + 0x100 + 8 * i;
            check(32, attempt_in(mode, stores[i], at) == STORE_ACCESS);
            check(33, last.tval == at && last.epc == (u64)stores[i]);
        }
        check(34, attempt_in(mode, probe_jump, HOLE + 0x20) == FETCH_ACCESS);
        check(35, last.tval == HOLE + 0x20 && last.epc == HOLE + 0x20);
        check(36, attempt_in(mode, probe_lr, HOLE + 8) == LOAD_ACCESS && last.tval == HOLE + 8);
        check_unless(ORACLE_QEMU, 37,
                     attempt_in(mode, probe_amo, HOLE + 8) == STORE_ACCESS && last.tval == HOLE + 8);
    }
    u64 value = 77;
    check(38, attempt("ld %0, 0(%1)", : "+r"(value) : "r"((u64)HOLE)) == LOAD_ACCESS && value == 77);
    value = HOLE;  // rd = rs1
    check(39, attempt("ld %0, 0(%0)", : "+r"(value)) == LOAD_ACCESS && value == HOLE);
    // Floating-point loads fault like others and leave their register alone.
    csr_set(mstatus, MSTATUS_FS);
    u64 bits = 0;
    asm volatile(".option arch, +d\nfmv.d.x ft0, %0" : : "r"(0x4045000000000000));
    check(40, attempt(".option arch, +d\nfld ft0, 0(%0)",
                      :
                      : "r"((u64)HOLE)) == LOAD_ACCESS &&
                  last.tval == HOLE);
    check(41, attempt(".option arch, +d\nfsw ft0, 4(%0)",
                      :
                      : "r"((u64)HOLE)) == STORE_ACCESS &&
                  last.tval == HOLE + 4);
    asm volatile(".option arch, +d\nfmv.x.d %0, ft0" : "=r"(bits));
    check(42, bits == 0x4045000000000000);
    csr_clear(mstatus, MSTATUS_FS);
    // The target of a jump has bit 0 cleared, and bit 1 may be set.
    check(43, attempt_in(M, probe_jump, (u64)probe_ret | 1) == NO_TRAP);
    // rd = rs1: the target is computed before the link is written.
    u64 target = (u64)probe_ret;
    asm volatile("la ra, 1f\nmv t0, %0\njalr t1, 0(t0)\n1:" : : "r"(target) : "ra", "t0", "t1");
    check(44, target == (u64)probe_ret);
}

static void jalr_same_register(void) {
    u64 link, expected;
    asm volatile(
        ".option push\n.option norvc\n"
        "la t0, 2f\n"
        "la %1, 1f\n"
        "jalr t0, 0(t0)\n"
        "1: nop\n"
        "2: mv %0, t0\n"
        ".option pop"
        : "=r"(link), "=r"(expected)
        :
        : "t0");
    check(45, link == expected);
}

// --- delegation
static u64 cause_some(u64 at) {
    asm volatile(".option push\n.option norvc\n.word 0x6b\nebreak\nld t0, 0(%0)\n.option pop"
                 :
                 : "r"(at)
                 : "t0", "memory");
    return at;
}
static void delegation(void) {
    csr_write(medeleg, ~0ul);
    const u64 medeleg = csr_read(medeleg);
    check_unless(ORACLE_QEMU, 50, (medeleg & (BIT(ECALL_M) | BIT(14))) == 0);
    const u64 wanted = BIT(ILLEGAL) | BIT(BREAKPOINT) | BIT(LOAD_ACCESS) | BIT(ECALL_U) | BIT(LOAD_PAGE) |
                       BIT(STORE_PAGE) | BIT(FETCH_PAGE) | BIT(STORE_ACCESS) | BIT(FETCH_ACCESS);
    check(51, (medeleg & wanted) == wanted);
    for (u64 mode = U; mode <= S; ++mode) {
        delegate(BIT(ILLEGAL) | BIT(BREAKPOINT) | BIT(LOAD_ACCESS), 0);
        csr_write(sstatus, mode == S ? MSTATUS_SIE : 0);
        check(52, attempt_in(mode, cause_some, HOLE + 8) == NO_TRAP);
        check(53, s_trap.count == 3 && s_trap.log[0] == ILLEGAL && s_trap.log[1] == BREAKPOINT);
        check(54, s_trap.log[2] == LOAD_ACCESS && s_trap.cause == LOAD_ACCESS && s_trap.tval == HOLE + 8);
        check(55, (s_trap.status & MSTATUS_SPP) == (mode == S ? MSTATUS_SPP : 0));
        check(56, (s_trap.status & MSTATUS_SIE) == 0);
        check(57, (s_trap.status & MSTATUS_SPIE) == (mode == S ? MSTATUS_SPIE : 0));
        // After sret: SPIE is 1, SPP is U, SIE what SPIE was.
        check(58, (csr_read(sstatus) & (MSTATUS_SPIE | MSTATUS_SPP)) == MSTATUS_SPIE);
        check(59, (csr_read(sstatus) & MSTATUS_SIE) == (mode == S ? MSTATUS_SIE : 0));
    }
    // Traps of M-mode are not delegated, and those that are not delegated go to M.
    s_trap.count = 0;
    check(60, attempt("ebreak") == BREAKPOINT && s_trap.count == 0);
    check(61, attempt_in(S, probe_sd, HOLE) == STORE_ACCESS && s_trap.count == 0);
    // A trap to S leaves mepc and mcause alone; one to M leaves sepc and scause.
    csr_write(scause, 5);
    csr_write(sepc, 0x1234);
    csr_write(stval, 0x77);
    check(62, attempt_in(S, probe_sd, HOLE) == STORE_ACCESS);
    check(63, csr_read(scause) == 5 && csr_read(sepc) == 0x1234 && csr_read(stval) == 0x77);
    delegate(0, 0);
}

// --- vectors
// A vector table whose slots leave 100 plus their number. They run in M-mode, where mscratch is free.
volatile u64 vector_taken;
void slots(void), s_slots(void);
asm(".option push\n.option norvc\n"
    ".balign 256\nslots:\n"
    ".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\nj slot_\\n\n.endr\n"
    ".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
    "slot_\\n: csrw mscratch, t0\nli t0, \\n + 100\nj slot_end\n.endr\n"
    "slot_end: addi sp, sp, -16\nsd t1, 0(sp)\n"
    "la t1, vector_taken\nsd t0, 0(t1)\n"
    "csrr t0, mcause\nbltz t0, 1f\n"
    "csrr t0, mepc\naddi t0, t0, 4\ncsrw mepc, t0\nj 2f\n"
    "1: csrw mie, zero\n"
    "2: ld t1, 0(sp)\naddi sp, sp, 16\ncsrrw t0, mscratch, zero\nmret\n"
    // For S-mode: only the slot of its software interrupt goes on.
    ".balign 256\ns_slots: j s_slots\nj s_trap_entry\n"
    ".rept 14\nj s_slots\n.endr\n"
    ".option pop");

static void vectored_mtvec(void) {
    const u64 direct = csr_read(mtvec);
    csr_write(mtvec, (u64)slots | 2);
    check(70, (csr_read(mtvec) & 3) < 2);  // WARL: 2 and 3 are reserved
    csr_write(mtvec, (u64)slots | 3);
    check(71, (csr_read(mtvec) & 3) < 2);
    csr_write(mtvec, (u64)slots | 1);
    check(72, csr_read(mtvec) == ((u64)slots | 1));
    vector_taken = 0;
    asm volatile(".option push\n.option norvc\necall\n.option pop" : : : "memory");
    check(73, vector_taken == 100);  // exceptions go to the base
    vector_taken = 0;
    csr_write(mie, BIT(SSI));
    csr_set(mip, BIT(SSI));
    csr_set(mstatus, MSTATUS_MIE);
    csr_clear(mstatus, MSTATUS_MIE);
    check(74, vector_taken == 100 + SSI);
    csr_clear(mip, BIT(SSI));
    vector_taken = 0;
    write32(MSIP(0), 1);
    csr_write(mie, BIT(MSI));
    csr_set(mstatus, MSTATUS_MIE);
    for (u32 i = 0; i < 100000 && vector_taken == 0; ++i) {}
    csr_clear(mstatus, MSTATUS_MIE);
    check(75, vector_taken == 100 + MSI);
    write32(MSIP(0), 0);
    csr_write(mtvec, direct);
    check(76, csr_read(mtvec) == direct);
}

static u64 raise_ssip(u64 unused) {
    csr_set(sie, BIT(SSI));
    csr_set(sip, BIT(SSI));
    csr_set(sstatus, MSTATUS_SIE);
    asm volatile("nop\nnop");
    csr_clear(sstatus, MSTATUS_SIE);
    csr_clear(sip, BIT(SSI));
    return unused;
}
static void vectored_stvec(void) {
    delegate(BIT(ILLEGAL), BIT(SSI));
    csr_write(stvec, (u64)s_slots | 1);
    check(80, csr_read(stvec) == ((u64)s_slots | 1));
    run_in(S, raise_ssip, 0);
    check(81, s_trap.count == 1 && s_trap.cause == (INTERRUPT | SSI));
    csr_write(stvec, (u64)s_slots | 2);
    check(82, (csr_read(stvec) & 3) < 2);
    delegate(0, 0);
}

// --- traps within traps, and the stack of mstatus
static volatile u64 inner_status, inner_cause, depth;
static bool trap_again(struct frame* frame) {
    if (frame->cause == ECALL_M) {
        depth = 1;
        asm volatile(".option push\n.option norvc\nebreak\n.option pop");
        frame->epc += 4;
        return true;
    }
    if (depth == 1) {
        inner_cause = frame->cause;
        inner_status = frame->status;
        depth = 2;
        frame->epc += 4;
        return true;
    }
    return false;
}
static void nested(void) {
    csr_set(mstatus, MSTATUS_MIE);
    on_trap = trap_again;
    asm volatile(".option push\n.option norvc\necall\n.option pop" : : : "memory");
    on_trap = 0;
    check(90, depth == 2 && inner_cause == BREAKPOINT);
    check(91, (inner_status & (MSTATUS_MIE | MSTATUS_MPIE)) == 0);  // the outer trap had cleared MIE
    check(92, (inner_status & MSTATUS_MPP) == MSTATUS_MPP);
    check(93, (csr_read(mstatus) & MSTATUS_MIE) != 0);
    csr_clear(mstatus, MSTATUS_MIE);
}

// mret from M to M by hand, with MPIE clear.
static void mret_stack(void) {
    u64 after;
    asm volatile(
        "la t0, 1f\ncsrw mepc, t0\n"
        "li t0, 0x1800\ncsrs mstatus, t0\nli t0, 0x88\ncsrc mstatus, t0\n"
        "mret\n.balign 4\n1: csrr %0, mstatus"
        : "=r"(after)
        :
        : "t0", "memory");
    check(100, (after & MSTATUS_MIE) == 0 && (after & MSTATUS_MPIE) != 0 && (after & MSTATUS_MPP) == 0);
    asm volatile(
        "la t0, 1f\ncsrw mepc, t0\n"
        "li t0, 0x1880\ncsrs mstatus, t0\nli t0, 8\ncsrc mstatus, t0\n"
        "mret\n.balign 4\n1: csrr %0, mstatus\ncsrc mstatus, 8"
        : "=r"(after)
        :
        : "t0", "memory");
    check(101, (after & MSTATUS_MIE) != 0 && (after & MSTATUS_MPIE) != 0 && (after & MSTATUS_MPP) == 0);
    // MPP = 2 cannot be held.
    csr_field(mstatus, MSTATUS_MPP, MSTATUS_MPP_(2));
    check_unless(ORACLE_QEMU, 102, (csr_read(mstatus) & MSTATUS_MPP) != MSTATUS_MPP_(2));
    // MPRV is cleared by an mret to less than M, and kept by one to M.
    asm volatile(
        "la t0, 1f\ncsrw mepc, t0\nli t0, 0x21800\ncsrs mstatus, t0\nmret\n.balign 4\n1: csrr %0, mstatus\n"
        "li t0, 0x20000\ncsrc mstatus, t0"
        : "=r"(after)
        :
        : "t0", "memory");
    check(103, (after & MSTATUS_MPRV) != 0);
    csr_set(mstatus, MSTATUS_MPRV);
    // MPP is still U or S here: loads would go through S-mode; without translation that is the same.
    run_in(S, probe_ret, 0);
    check_unless(ORACLE_QEMU, 104, (csr_read(mstatus) & MSTATUS_MPRV) == 0);
    csr_clear(mstatus, MSTATUS_MPRV);
    // mepc: bit 0 is always zero, bit 1 is held with C.
    csr_write(mepc, (u64)probe_ret | 3);
    check_unless(ORACLE_QEMU, 105, csr_read(mepc) == ((u64)probe_ret | 2));
    csr_write(sepc, (u64)probe_ret | 3);
    check_unless(ORACLE_QEMU, 106, csr_read(sepc) == ((u64)probe_ret | 2));
    // mscratch, mtval, mcause hold what is written.
    csr_write(mtval, 0x123456789abcdef0);
    check(107, csr_read(mtval) == 0x123456789abcdef0);
    csr_write(mcause, INTERRUPT | 7);
    check(108, csr_read(mcause) == (INTERRUPT | 7));
    // sstatus is a view of mstatus.
    csr_write(sstatus, 0);
    csr_set(mstatus, MSTATUS_SUM);
    check(109, (csr_read(sstatus) & MSTATUS_SUM) != 0);
    csr_clear(sstatus, MSTATUS_SUM);
    check(110, (csr_read(mstatus) & MSTATUS_SUM) == 0);
    csr_field(mstatus, MSTATUS_MPP, MSTATUS_MPP_(M));
    check(111, (csr_read(sstatus) & (MSTATUS_MPP | MSTATUS_MIE | MSTATUS_MPIE | MSTATUS_MPRV)) == 0);
    // SXL and UXL are 2 and stay so, or are held by choice: 64-bit code must go on.
    check(112, (csr_read(mstatus) >> 32 & 15) == 10);
    check(113, csr_read(misa) >> 62 == 2);
}

// sret in M-mode: to S by SPP; MPRV cleared; SIE from SPIE.
static void sret_from_machine(void) {
    u64 after;
    csr_write(sstatus, MSTATUS_SPP);
    asm volatile(
        "la t0, 1f\ncsrw sepc, t0\nla t0, 2f\ncsrw mtvec, t0\nli t0, 0x20000\ncsrs mstatus, t0\n"
        "sret\n"
        "1: ecall\n"
        ".balign 4\n2: csrr %0, mstatus\nla t0, trap_entry\ncsrw mtvec, t0"
        : "=r"(after)
        :
        : "t0", "memory");
    check(120, csr_read(mcause) == ECALL_S);
    check(121, (after & MSTATUS_SPP) == 0 && (after & MSTATUS_SPIE) != 0 && (after & MSTATUS_SIE) == 0);
    check(122, (after & MSTATUS_MPP) == MSTATUS_MPP_(S));
    check_unless(ORACLE_QEMU, 123, (after & MSTATUS_MPRV) == 0);
    csr_clear(mstatus, MSTATUS_MPRV);
}

// --- who may do what
#define IN_LOWER(name, text)                                                                           \
    static u64 name(u64 value) {                                                                       \
        asm volatile(".option push\n.option norvc\n" text "\n.option pop" : "+r"(value) : : "memory"); \
        return value;                                                                                  \
    }
IN_LOWER(do_mret, "mret")
IN_LOWER(do_sret, "la t0, 1f\ncsrw sepc, t0\ncsrs sstatus, %0\nsret\n1:")
IN_LOWER(only_sret, "sret")
IN_LOWER(do_wfi, "wfi")
IN_LOWER(read_mstatus, "csrr %0, mstatus")
IN_LOWER(read_sstatus, "csrr %0, sstatus")
IN_LOWER(read_satp, "csrr %0, satp")
IN_LOWER(write_satp, "csrw satp, %0")
IN_LOWER(do_sfence, "sfence.vma")
IN_LOWER(read_pmpcfg, "csrr %0, pmpcfg0")
IN_LOWER(read_mhartid, "csrr %0, mhartid")

static void privileges(void) {
    check(130, attempt_in(S, do_mret, 0) == ILLEGAL);
    check(131, attempt_in(U, do_mret, 0) == ILLEGAL);
    check(132, attempt_in(U, only_sret, 0) == ILLEGAL);
    check(133, attempt_in(S, read_mstatus, 0) == ILLEGAL);
    check(134, attempt_in(U, read_sstatus, 0) == ILLEGAL);
    check(135, attempt_in(S, read_sstatus, 0) == NO_TRAP);
    check(136, attempt_in(S, read_pmpcfg, 0) == ILLEGAL);
    check(137, attempt_in(S, read_mhartid, 0) == ILLEGAL);
    check(138, attempt_in(U, do_sfence, 0) == ILLEGAL);
    check(139, attempt_in(U, read_satp, 0) == ILLEGAL);
    // TVM
    check(140, attempt_in(S, read_satp, 0) == NO_TRAP && attempt_in(S, do_sfence, 0) == NO_TRAP);
    csr_set(mstatus, MSTATUS_TVM);
    check(141, attempt_in(S, read_satp, 0) == ILLEGAL);
    check(142, attempt_in(S, write_satp, 0) == ILLEGAL);
    check(143, attempt_in(S, do_sfence, 0) == ILLEGAL);
    check(144, attempt("csrr a0, satp", : : : "a0") == NO_TRAP && attempt("sfence.vma") == NO_TRAP);
    csr_clear(mstatus, MSTATUS_TVM);
    // TSR
    check(145, attempt_in(S, do_sret, MSTATUS_SPP) == NO_TRAP);
    csr_set(mstatus, MSTATUS_TSR);
    check(146, attempt_in(S, only_sret, 0) == ILLEGAL);
    csr_write(sstatus, MSTATUS_SPP);
    csr_clear(mstatus, MSTATUS_TSR);
    // TW: with nothing pending, WFI below M ends as an illegal instruction in bounded time.
    csr_set(mstatus, MSTATUS_TW);
    check(147, attempt_in(S, do_wfi, 0) == ILLEGAL);
    check(148, attempt_in(U, do_wfi, 0) == ILLEGAL);
    csr_clear(mstatus, MSTATUS_TW);
}

// --- counting across a trap: ecall does not retire, its handler does
static void instret_across_trap(void) {
    u64 before, after, without;
    asm volatile(
        ".option push\n.option norvc\n"
        "la t0, 1f\ncsrw mtvec, t0\nj 2f\n"
        ".option rvc\n.balign 4\n.option norvc\n1: csrr t0, mepc\naddi t0, t0, 4\ncsrw mepc, t0\nmret\n"
        "2: csrr %0, minstret\necall\ncsrr %1, minstret\nnop\nnop\nnop\ncsrr %2, minstret\n"
        "la t0, trap_entry\ncsrw mtvec, t0\n.option pop"
        : "=&r"(before), "=&r"(after), "=&r"(without)
        :
        : "t0", "memory");

    check(150, without - after == 4);
    check_unless(ORACLE_QEMU, 151, after - before == 5);  // csrr and the four of the handler
    asm volatile(
        ".option push\n.option norvc\n"
        "la t0, 1f\ncsrw mtvec, t0\nj 2f\n"
        ".option rvc\n.balign 4\n.option norvc\n1: csrr t0, mepc\naddi t0, t0, 4\ncsrw mepc, t0\nmret\n"
        "2: li t1, 0x18000000\ncsrr %0, minstret\nnop\nld t0, 0(t1)\nnop\ncsrr %1, minstret\n"
        "csrr %2, minstret\n"
        "la t0, trap_entry\ncsrw mtvec, t0\n.option pop"
        : "=&r"(before), "=&r"(after), "=&r"(without)
        :
        : "t0", "t1", "memory");
    check(152, after - before == 7 && without - after == 1);
}

int main(void) {
    illegal_instructions();
    calls_and_breakpoints();
    calls_from_below();
    access_faults();
    jalr_same_register();
    delegation();
    vectored_mtvec();
    vectored_stvec();
    nested();
    mret_stack();
    sret_from_machine();
    privileges();
    instret_across_trap();
    check(160, cell == 0x1122334455667788);
    return 0;
}
