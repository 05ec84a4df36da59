// Counters: exactness, writes, inhibition, who may read them, and overflow (Sscofpmf).
//
// oracle: QEMU 7.2 (-icount shift=0) and Spike. Spike's event counters do not count, and QEMU's know no
// filters by mode: checks 56 to 59 rest on the specification (priv, "Count Overflow Control") alone.
#include "runtime.h"

#define OF BIT(63)
#define MINH BIT(62)
#define SINH BIT(61)
#define UINH BIT(60)
// mhpmevent3: cycles and instructions, as Hartline and QEMU number them
#define CYCLES 1ul
#define INSTRUCTIONS 2ul
enum { CY = 1, TM = 2, IR = 4 };

static void exact(void) {
    u64 a, b, c;
    asm volatile("csrr %0, minstret\ncsrr %1, minstret" : "=&r"(a), "=&r"(b));
    check(1, b - a == 1);
    asm volatile("csrr %0, minstret\nnop\nc.nop\nnop\naddi %1, zero, 0\nfence\ncsrr %1, minstret"
                 : "=&r"(a), "=&r"(b));
    check(2, b - a == 6);
    // Over a loop and a call: 3 + 2 * 1000, and one more for the csrr.
    asm volatile(
        "li t0, 1000\ncsrr %0, minstret\n1: addi t0, t0, -1\nbnez t0, 1b\njal t1, 2f\n2: nop\ncsrr %1, minstret"
        : "=&r"(a), "=&r"(b)
        :
        : "t0", "t1");
    check(3, b - a == 2003);
    // A write takes the place of the increment: what is read next is what was written.
    asm volatile("csrw minstret, %2\ncsrr %0, minstret\ncsrr %1, minstret"
                 : "=&r"(a), "=&r"(b)
                 : "r"(0x123450000ul));
    check_unless(ORACLE_QEMU, 4, a == 0x123450000);
    check(5, b - a == 1);
    asm volatile("csrrw %0, minstret, %3\ncsrr %1, instret\ncsrr %2, minstret"
                 : "=&r"(a), "=&r"(b), "=&r"(c)
                 : "r"(-1ul));
    check_unless(ORACLE_QEMU, 6, b == -1ul && c == 0);
    // csrrs adds bits to what it reads.
    asm volatile("csrw minstret, zero\nnop\ncsrrs %0, minstret, %2\ncsrr %1, minstret"
                 : "=&r"(a), "=&r"(b)
                 : "r"(0x1000ul));
    check_unless(ORACLE_QEMU, 7, a == 1 && b == 0x1001);
    asm volatile("csrw mcycle, %2\ncsrr %0, mcycle\ncsrr %1, mcycle"
                 : "=&r"(a), "=&r"(b)
                 : "r"(0x777700000ul));
    check(8, a >= 0x777700000 && a < 0x777710000 && b >= a);
    asm volatile("csrr %0, mcycle\ncsrr %1, cycle\ncsrr %2, mcycle" : "=&r"(a), "=&r"(b), "=&r"(c));
    check(9, a <= b && b <= c);
}

// A taken interrupt retires nothing; what it interrupts counts once. The handler here has 5 instructions.
static void across_interrupt(void) {
    u64 a, b;
    csr_write(mie, BIT(SSI));
    asm volatile(
        ".option push\n.option norvc\n"
        "la t0, 1f\ncsrw mtvec, t0\nj 2f\n"
        ".option rvc\n.balign 4\n.option norvc\n"
        "1: csrw mip, zero\nnop\nnop\nnop\nmret\n"
        "2: csrsi mip, 2\ncsrr %0, minstret\ncsrsi mstatus, 8\nnop\ncsrr %1, minstret\ncsrci mstatus, 8\n"
        "la t0, trap_entry\ncsrw mtvec, t0\n.option pop"
        : "=&r"(a), "=&r"(b)
        :
        : "t0", "memory");
    csr_write(mie, 0);
    check(10, b - a == 3 + 5);
}

static void inhibited(void) {
    csr_write(mcountinhibit, IR | CY);
    if ((csr_read(mcountinhibit) & (IR | CY)) == (IR | CY)) {
        const u64 a = csr_read(minstret), c = csr_read(mcycle);
        asm volatile("nop\nnop\nnop");
        check(15, csr_read(minstret) == a && csr_read(mcycle) == c);
        csr_write(minstret, 1234);
        csr_write(mcycle, 4321);
        asm volatile("nop");
        check(16, csr_read(minstret) == 1234 && csr_read(mcycle) == 4321);
        csr_write(mcountinhibit, CY);
        asm volatile("nop");
        check(17, csr_read(minstret) > 1234 && csr_read(minstret) < 1300 && csr_read(mcycle) == 4321);
    } else {
        present(18, "mcountinhibit", false);
    }
    csr_write(mcountinhibit, ~0ul);
    check_unless(ORACLE_QEMU, 19, (csr_read(mcountinhibit) & TM) == 0);
    csr_write(mcountinhibit, 0);
    const u64 a = csr_read(minstret);
    check(20, csr_read(minstret) > a);
}

// --- who may read
static u64 read_cycle(u64 unused) { return unused + csr_read(cycle); }
static u64 read_time(u64 unused) { return unused + csr_read(time); }
static u64 read_instret(u64 unused) { return unused + csr_read(instret); }
static u64 read_hpm3(u64 unused) { return unused + csr_read(hpmcounter3); }
static u64 read_hpm31(u64 unused) { return unused + csr_read(hpmcounter31); }
static u64 write_cycle(u64 unused) {
    asm volatile(".option push\n.option norvc\ncsrw cycle, zero\n.option pop");
    return unused;
}
static u64 read_mcycle(u64 unused) { return unused + csr_read(mcycle); }
static void gates(void) {
    const struct {
        u64 (*read)(u64), bit;
    } counters[] = {{read_cycle, 0}, {read_time, 1}, {read_instret, 2}, {read_hpm3, 3}, {read_hpm31, 31}};
    csr_write(mcounteren, ~0ul);
    check_unless(ORACLE_QEMU, 25, csr_read(mcounteren) >> 32 == 0);
    for (u64 i = 0; i < 5; ++i) {
        const u64 bit = BIT(counters[i].bit);
        csr_write(mcounteren, bit);
        if ((csr_read(mcounteren) & bit) == 0) continue;  // a counter that is not there
        for (u64 gate = 0; gate < 4; ++gate) {
            csr_write(mcounteren, gate & 1 ? bit : ~bit);
            csr_write(scounteren, gate & 2 ? bit : ~bit);
            if (ORACLE_QEMU && counters[i].bit == 31) continue;  // it has 16
            check(26, attempt_in(M, counters[i].read, 0) == NO_TRAP);
            check(27, attempt_in(S, counters[i].read, 0) == (gate & 1 ? NO_TRAP : ILLEGAL));
            check(28, attempt_in(U, counters[i].read, 0) == (gate == 3 ? NO_TRAP : ILLEGAL));
        }
    }
    csr_write(mcounteren, ~0ul);
    csr_write(scounteren, ~0ul);
    for (u64 mode = U; mode <= S; ++mode) {
        check(29, attempt_in(mode, write_cycle, 0) == ILLEGAL);
        check(30, attempt_in(mode, read_mcycle, 0) == ILLEGAL);
    }
    check(31, attempt("csrw instret, zero") == ILLEGAL);
    check(32, attempt("csrrs a0, instret, zero", : : : "a0") == NO_TRAP);
    check(33, attempt("csrr a0, 0xc80", : : : "a0") == ILLEGAL);  // cycleh is RV32's
    check(34, attempt("csrr a0, 0xb82", : : : "a0") == ILLEGAL);
}

// --- Sscofpmf
static void run_a_little(void) { asm volatile("li t0, 200\n1: addi t0, t0, -1\nbnez t0, 1b" : : : "t0"); }
static bool overflow_pending(void) {
    for (u32 i = 0; i < 100000; ++i)
        if ((csr_read(mip) & BIT(LCOFI)) != 0) return true;
    return false;
}
static u64 read_overflows(u64 unused) {
    u64 value;
    asm volatile("csrr %0, 0xda0" : "=r"(value));
    return unused + value;
}
static u64 burn(u64 rounds) {
    for (u64 i = 0; i < rounds; ++i) asm volatile("");
    return 0;
}
static void overflow(void) {
    csr_write(mhpmevent3, OF | INSTRUCTIONS);
    const bool there = csr_read(mhpmevent3) >> 63 != 0;
    csr_write(mhpmevent3, INSTRUCTIONS);
    if (!present(40, "Sscofpmf", there)) return;
    csr_write(mhpmcounter3, 0);
    run_a_little();
    if (!present(41, "a counter of events", csr_read(mhpmcounter3) != 0)) return;
    csr_write(mhpmevent3, 0);
    // No event: no counting.
    csr_write(mhpmcounter3, 55);
    run_a_little();
    check(42, csr_read(mhpmcounter3) == 55);
    // Exact, as minstret is.
    u64 a, b, c, d;
    csr_write(mhpmevent3, INSTRUCTIONS);
    asm volatile(
        "csrr %0, mhpmcounter3\ncsrr %1, minstret\nnop\nnop\ncsrr %2, mhpmcounter3\ncsrr %3, minstret"
        : "=&r"(a), "=&r"(b), "=&r"(c), "=&r"(d));
    check(43, c - a == 4 && d - b == 4);
    // Overflow sets OF, LCOFIP and scountovf.
    csr_write(mhpmevent3, 0);
    csr_clear(mip, BIT(LCOFI));
    check(44, (csr_read(mip) & BIT(LCOFI)) == 0);
    csr_write(mhpmcounter3, 0);
    csr_write(mhpmevent3, INSTRUCTIONS);
    csr_write(mhpmcounter3, -100ul);
    run_a_little();
    check(45, overflow_pending());
    check(46, csr_read(mhpmevent3) == (OF | INSTRUCTIONS) && csr_read(mhpmcounter3) < 1000000);
    check(47, (read_overflows(0) & 8) != 0);
    csr_write(mcounteren, 8);
    check(48, run_in(S, read_overflows, 0) == 8);
    csr_write(mcounteren, 0);
    check(49, run_in(S, read_overflows, 0) == 0);
    check(50, attempt_in(U, read_overflows, 0) == ILLEGAL);
    // With OF set, the next overflow is silent.
    csr_clear(mip, BIT(LCOFI));
    csr_write(mhpmcounter3, -100ul);
    run_a_little();
    check(51, (csr_read(mip) & BIT(LCOFI)) == 0 && csr_read(mhpmcounter3) < 1000000);
    csr_write(mhpmevent3, INSTRUCTIONS);
    csr_write(mhpmcounter3, -100ul);
    run_a_little();
    check(52, overflow_pending());
    csr_write(mhpmevent3, 0);
    csr_clear(mip, BIT(LCOFI));
    // As an interrupt in S.
    delegate(0, BIT(LCOFI));
    check(53, csr_read(mideleg) == BIT(LCOFI));
    csr_write(mhpmevent3, INSTRUCTIONS);
    csr_write(mie, BIT(LCOFI));
    csr_set(mstatus, MSTATUS_SIE);
    csr_write(mhpmcounter3, -1000ul);
    run_in(S, burn, 100000);
    csr_clear(mstatus, MSTATUS_SIE);
    csr_write(mie, 0);
    check(54, s_trap.count == 1 && s_trap.cause == (INTERRUPT | LCOFI));
    delegate(0, 0);
    csr_write(mhpmevent3, 0);
    csr_clear(mip, BIT(LCOFI));
    // Filters by mode.
    csr_write(mhpmevent3, INSTRUCTIONS | MINH | SINH);
    check(55, csr_read(mhpmevent3) == (INSTRUCTIONS | MINH | SINH));
    csr_write(mhpmcounter3, 0);
    run_a_little();
    check_unless(ORACLE_QEMU, 56, csr_read(mhpmcounter3) == 0);
    run_in(S, burn, 1000);
    check_unless(ORACLE_QEMU, 57, csr_read(mhpmcounter3) == 0);
    run_in(U, burn, 1000);
    const u64 counted = csr_read(mhpmcounter3);
    check_unless(ORACLE_QEMU, 58, counted >= 2000 && counted < 4100);
    csr_write(mhpmevent3, INSTRUCTIONS | MINH | UINH);
    csr_write(mhpmcounter3, 0);
    run_in(U, burn, 1000);
    check_unless(ORACLE_QEMU, 59, csr_read(mhpmcounter3) == 0);
    run_in(S, burn, 1000);
    check(60, csr_read(mhpmcounter3) >= 2000);
    csr_write(mhpmevent3, 0);
    // Inhibited.
    csr_write(mhpmevent3, CYCLES);
    csr_write(mcountinhibit, 8);
    csr_write(mhpmcounter3, 7);
    run_a_little();
    check(61, csr_read(mhpmcounter3) == 7);
    csr_write(mcountinhibit, 0);
    csr_write(mhpmevent3, 0);
}

int main(void) {
    exact();
    across_interrupt();
    inhibited();
    gates();
    overflow();
    return 0;
}
