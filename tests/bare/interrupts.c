// Interrupts: PLIC with UART and RTC as sources, software interrupts, priorities, delegation, mip's rules,
// WFI.
//
// oracle: QEMU 7.2, Spike (which has no RTC, and its UART at source 1). Check 35 rests on the PLIC's
// specification alone ("Interrupt Claim Process": the claim is not affected by the threshold).
#include "runtime.h"

#if ORACLE_SPIKE
#define UART_IRQ 1u
#else
#define UART_IRQ 10u
#endif
#define RTC_IRQ 11u
#define PRIORITY(irq) (PLIC + 4 * (u64)(irq))
#define PENDING (PLIC + 0x1000)
#define ENABLE(context) (PLIC + 0x2000 + 0x80 * (u64)(context))
#define THRESHOLD(context) (PLIC + 0x200000 + 0x1000 * (u64)(context))
#define CLAIM(context) (THRESHOLD(context) + 4)
enum { MACHINE, SUPERVISOR };  // contexts of hart 0

// The UART asks for service whenever its transmitter may send, once it is told to.
static void uart_line(bool on) {
    write8(UART + 1, 0);
    if (on) write8(UART + 1, 2);
    if (!on) read8(UART + 2);
}
static void enable(u64 context, u32 sources) {
    write32(ENABLE(context), sources);
    if (ORACLE_QEMU)
        write32(THRESHOLD(context), read32(THRESHOLD(context)));  // 7.2 looks at enables only then
}
// Pending within reasonable time?
static bool pending(u64 bits) {
    for (u32 i = 0; i < 100000; ++i)
        if ((csr_read(mip) & bits) == bits) return true;
    return false;
}
static bool not_pending(u64 bits) {
    for (u32 i = 0; i < 100000; ++i)
        if ((csr_read(mip) & bits) == 0) return true;
    return false;
}

// --- what was taken
static volatile u64 taken[16], taken_count, taken_epc, taken_status;
static bool take(struct frame* frame) {
    if ((frame->cause & INTERRUPT) == 0) return false;
    taken_epc = frame->epc;
    taken_status = frame->status;
    taken[taken_count++ & 15] = frame->cause & 63;
    csr_clear(mie, BIT(frame->cause & 63));  // as if it had been served
    return true;
}
static void quiet(void) {
    csr_write(mie, 0);
    csr_clear(mstatus, MSTATUS_MIE);
    csr_clear(sstatus, MSTATUS_SIE);
    csr_write(mip, 0);
    write32(MSIP(0), 0);
    write64(MTIMECMP(0), -1ul);
    uart_line(false);
    enable(MACHINE, 0);
    enable(SUPERVISOR, 0);
    taken_count = 0;
    delegate(0, 0);
    not_pending(BIT(MEI) | BIT(SEI) | BIT(MSI) | BIT(MTI));
}

// --- PLIC
static void plic_registers(void) {
    write32(PRIORITY(UART_IRQ), 7);
    check(1, read32(PRIORITY(UART_IRQ)) == 7);
    write32(PRIORITY(0), 7);
    check(2, read32(PRIORITY(0)) == 0);  // there is no source 0
    enable(MACHINE, ~0u);
    check_unless(ORACLE_QEMU, 3, (read32(ENABLE(MACHINE)) & 1) == 0);
    check(4, (read32(ENABLE(MACHINE)) & BIT(UART_IRQ)) != 0);
    enable(MACHINE, 0);
    write32(THRESHOLD(MACHINE), 3);
    write32(THRESHOLD(SUPERVISOR), 5);
    check(5, read32(THRESHOLD(MACHINE)) == 3 && read32(THRESHOLD(SUPERVISOR)) == 5);
    write32(THRESHOLD(MACHINE), 0);
    write32(THRESHOLD(SUPERVISOR), 0);
    check(6, read32(CLAIM(MACHINE)) == 0 && read32(CLAIM(SUPERVISOR)) == 0);
}

static void plic_claim(u64 context) {
    const u64 line = context == MACHINE ? BIT(MEI) : BIT(SEI),
              other = context == MACHINE ? BIT(SEI) : BIT(MEI);
    const u64 claim = CLAIM(context);
    quiet();
    write32(PRIORITY(UART_IRQ), 1);
    enable(context, 1u << UART_IRQ);
    check(10, (csr_read(mip) & line) == 0);
    uart_line(true);
    check(11, pending(line) && (csr_read(mip) & other) == 0);
    check(12, (read32(PENDING) & BIT(UART_IRQ)) != 0);
    check(13, read32(claim) == UART_IRQ);
    // Claimed: no longer pending, the line to the hart is down, and there is no second one.
    check(14, not_pending(line));
    check_unless(ORACLE_SPIKE, 15, (read32(PENDING) & BIT(UART_IRQ)) == 0);
    check(16, read32(claim) == 0);
    // Completed with the source still asking: again. (QEMU wants an edge.)
    write32(claim, UART_IRQ);
    check_unless(ORACLE_QEMU, 17, pending(line));
    uart_line(false);
    uart_line(true);
    check(18, pending(line) && read32(claim) == UART_IRQ);
    // Reading IIR serves the transmitter; then completion is the end of it.
    check(19, (read8(UART + 2) & 0xf) == 2);
    check_unless(ORACLE_SPIKE, 20, (read8(UART + 2) & 0xf) == 1);
    write32(claim, UART_IRQ);
    check_unless(ORACLE_SPIKE, 21, not_pending(line) && read32(claim) == 0);
    if (ORACLE_SPIKE) write32(claim, UART_IRQ);  // it asks for ever, and was claimed once more
    // Sending makes it ask again.
    write8(UART, '\n');
    check(22, pending(line));
    // A threshold at or above its priority hides it from the hart.
    write32(THRESHOLD(context), 1);
    check(23, not_pending(line));
    write32(PRIORITY(UART_IRQ), 2);
    check_unless(ORACLE_SPIKE, 24, pending(line));
    write32(THRESHOLD(context), 7);
    check(25, not_pending(line));
    write32(THRESHOLD(context), 0);
    // Priority 0 is never.
    write32(PRIORITY(UART_IRQ), 0);
    check_unless(ORACLE_SPIKE, 26, not_pending(line));
    write32(PRIORITY(UART_IRQ), 1);
    check_unless(ORACLE_SPIKE, 27, pending(line));
    // Not enabled: not seen, not claimed.
    enable(context, 0);
    check(28, not_pending(line) && read32(claim) == 0);
    enable(context, 1u << UART_IRQ);
    check(29, pending(line));
    // Completing another source changes nothing.
    check(30, read32(claim) == UART_IRQ);
    write32(claim, UART_IRQ + 1);
    write32(claim, 0);
    write32(claim, 5000);
    check(31, not_pending(line) && read32(claim) == 0);
    uart_line(false);
    write32(claim, UART_IRQ);
    check(32, not_pending(line));
}

// The claim is not affected by the threshold.
static void plic_claim_below_threshold(void) {
    quiet();
    write32(PRIORITY(UART_IRQ), 1);
    enable(MACHINE, 1u << UART_IRQ);
    write32(THRESHOLD(MACHINE), 3);
    uart_line(true);
    const u32 claimed = read32(CLAIM(MACHINE));
    check_unless(ORACLE_QEMU | ORACLE_SPIKE, 35, claimed == UART_IRQ);
    write32(THRESHOLD(MACHINE), 0);
    const u32 again = read32(CLAIM(MACHINE));
    uart_line(false);
    write32(CLAIM(MACHINE), claimed | again);
}

// Two sources: the RTC's alarm in the past is the second.
static void rtc_line(bool on) {
    write32(RTC + 0x1c, 1);
    write32(RTC + 0x10, on);
    if (!on) return;
    write32(RTC + 0x0c, 0);
    write32(RTC + 0x08, 1);
}
static void plic_order(void) {
    if (ORACLE_SPIKE) return;
    for (u32 rtc = 1; rtc <= 3; ++rtc) {
        quiet();
        rtc_line(true);
        uart_line(true);
        write32(PRIORITY(UART_IRQ), 2);
        write32(PRIORITY(RTC_IRQ), rtc);
        enable(MACHINE, 1u << UART_IRQ | 1u << RTC_IRQ);
        check(40, pending(BIT(MEI)) && (read32(PENDING) >> UART_IRQ & 3) == 3);
        // The higher priority first; among equals the lower number.
        const u32 first = rtc == 3 ? RTC_IRQ : UART_IRQ, second = rtc == 3 ? UART_IRQ : RTC_IRQ;
        check(41, read32(CLAIM(MACHINE)) == first);
        check(42, pending(BIT(MEI)) && read32(CLAIM(MACHINE)) == second);
        check(43, not_pending(BIT(MEI)) && read32(CLAIM(MACHINE)) == 0);
        rtc_line(false);
        uart_line(false);
        write32(CLAIM(MACHINE), first);
        write32(CLAIM(MACHINE), second);
        check(44, not_pending(BIT(MEI)));
    }
    // A source that both contexts have enabled goes to whoever claims first.
    quiet();
    enable(MACHINE, 1u << UART_IRQ);
    enable(SUPERVISOR, 1u << UART_IRQ);
    uart_line(true);
    check(45, pending(BIT(MEI) | BIT(SEI)));
    check(46, read32(CLAIM(SUPERVISOR)) == UART_IRQ && read32(CLAIM(MACHINE)) == 0);
    check(47, not_pending(BIT(MEI) | BIT(SEI)));
    uart_line(false);
    write32(CLAIM(SUPERVISOR), UART_IRQ);
}

// --- software interrupts
static void software_interrupts(void) {
    quiet();
    on_trap = take;
    check(50, read32(MSIP(0)) == 0 && (csr_read(mip) & BIT(MSI)) == 0);
    write32(MSIP(0), 1);
    check(51, pending(BIT(MSI)) && read32(MSIP(0)) == 1);
    csr_write(mip, 0);  // MSIP is read-only there
    check(52, (csr_read(mip) & BIT(MSI)) != 0);
    write32(MSIP(0), 0xfffffffe);  // only bit 0 counts
    check(53, not_pending(BIT(MSI)) && read32(MSIP(0)) == 0);
    // Taken at once when it is pending and the enable is written: after that very instruction.
    write32(MSIP(0), 1);
    pending(BIT(MSI));
    csr_write(mie, BIT(MSI));
    check(54, taken_count == 0);
    u64 here;
    asm volatile("csrsi mstatus, 8\n1: la %0, 1b" : "=r"(here) : : "memory");
    check(55, taken_count == 1 && taken[0] == MSI && taken_epc == here);
    check(56, (taken_status & (MSTATUS_MIE | MSTATUS_MPIE)) == MSTATUS_MPIE);
    // The other way round, by mie.
    asm volatile("csrsi mie, 8\n1: la %0, 1b" : "=r"(here) : : "memory");
    check(57, taken_count == 2 && taken_epc == here);
    // By mret: the interrupt comes before the first instruction there.
    csr_clear(mstatus, MSTATUS_MIE);
    csr_write(mie, BIT(MSI));
    asm volatile("la %0, 1f\ncsrw mepc, %0\nli t0, 0x1880\ncsrs mstatus, t0\nmret\nunimp\n1:"
                 : "=r"(here)
                 :
                 : "t0", "memory");
    check(58, taken_count == 3 && taken_epc == here);
    quiet();
    on_trap = 0;
}

// --- many at once
static const u64 order[] = {MEI, MSI, MTI, SEI, SSI, STI};
static void raise_all(void) {
    write32(PRIORITY(UART_IRQ), 1);
    enable(MACHINE, 1u << UART_IRQ);
    uart_line(true);
    write32(MSIP(0), 1);
    write64(MTIMECMP(0), 0);
    csr_set(mip, BIT(SEI) | BIT(STI) | BIT(SSI));
}
static void simultaneous(void) {
    quiet();
    on_trap = take;
    raise_all();
    u64 all = 0;
    for (u64 i = 0; i < 6; ++i) all |= BIT(order[i]);
    check(60, pending(all));
    csr_write(mie, all);
    csr_set(mstatus, MSTATUS_MIE);
    csr_clear(mstatus, MSTATUS_MIE);
    check(61, taken_count == 6);
    for (u64 i = 0; i < 6; ++i) check_unless(ORACLE_QEMU, 62, taken[i] == order[i]);
    quiet();
    on_trap = 0;
}

// --- delegation
static u64 in_supervisor(u64 sie_bits) {
    csr_write(sie, sie_bits);
    csr_set(sstatus, MSTATUS_SIE);
    asm volatile("nop");
    csr_clear(sstatus, MSTATUS_SIE);
    return 0;
}
static u64 spin(u64 rounds) {
    for (volatile u64 i = 0; i < rounds; ++i) {}
    return 0;
}
static void delegated(void) {
    quiet();
    on_trap = take;
    const u64 lower = BIT(SEI) | BIT(SSI) | BIT(STI);
    // The machine's own cannot be delegated.
    csr_write(mideleg, ~0ul);
    check(65, (csr_read(mideleg) & lower) == lower);
    check(66, (csr_read(mideleg) & (BIT(MEI) | BIT(MSI) | BIT(MTI))) == 0);
    delegate(0, lower);
    csr_set(mip, lower);
    // Delegated ones are invisible in M, whatever its enables.
    csr_write(mie, lower);
    csr_set(mstatus, MSTATUS_MIE | MSTATUS_SIE);
    spin(10);
    csr_clear(mstatus, MSTATUS_MIE | MSTATUS_SIE);
    check(67, taken_count == 0 && s_trap.count == 0);
    check(68, csr_read(sip) == lower && csr_read(sie) == lower);
    run_in(S, in_supervisor, lower);
    check(69, s_trap.count == 3 && taken_count == 0);
    check_unless(ORACLE_QEMU, 70, s_trap.log[0] == (INTERRUPT | SEI) && s_trap.log[1] == (INTERRUPT | SSI));
    check_unless(ORACLE_QEMU, 71, s_trap.log[2] == (INTERRUPT | STI) && s_trap.tval == 0);
    // Not with SIE clear in S; in U always.
    s_trap.count = 0;
    csr_write(sie, BIT(SSI));
    run_in(S, spin, 10);
    check(72, s_trap.count == 0);
    csr_clear(sstatus, MSTATUS_SIE);
    run_in(U, spin, 10);
    check(73, s_trap.count == 1 && s_trap.cause == (INTERRUPT | SSI));
    check(74, (s_trap.status & MSTATUS_SPP) == 0);
    // One that is not delegated goes to M from S and U, whatever MIE.
    csr_write(mip, 0);
    for (u64 mode = U; mode <= S; ++mode) {
        taken_count = 0;
        write32(MSIP(0), 1);
        pending(BIT(MSI));
        csr_write(mie, BIT(MSI));
        run_in(mode, spin, 1);
        check(75, taken_count == 1 && taken[0] == MSI);
        check(76, (taken_status & MSTATUS_MPP) == MSTATUS_MPP_(mode) && taken_epc == (u64)spin);
    }
    write32(MSIP(0), 0);
    // An SSI that is not delegated goes to M too, and hides from S.
    delegate(0, 0);
    csr_set(mip, BIT(SSI));
    taken_count = 0;
    csr_write(mie, BIT(SSI));
    check(77, (csr_read(sip) & BIT(SSI)) == 0 && (csr_read(sie) & BIT(SSI)) == 0);
    run_in(S, spin, 1);
    check(78, taken_count == 1 && taken[0] == SSI && s_trap.count == 0);
    // Through sip only SSIP is writable, and only when delegated.
    csr_write(mip, 0);
    csr_set(sip, BIT(SSI));
    check(79, (csr_read(mip) & BIT(SSI)) == 0);
    delegate(0, lower);
    csr_set(sip, lower);
    check(80, (csr_read(mip) & lower) == BIT(SSI));
    csr_set(mip, lower);
    csr_clear(sip, lower);
    check(81, (csr_read(mip) & lower) == (BIT(SEI) | BIT(STI)));
    quiet();
    on_trap = 0;
}

// --- mip
static void external_and_software(void) {
    quiet();
    csr_write(mip, ~0ul);
    check(85, (csr_read(mip) & (BIT(MEI) | BIT(MSI) | BIT(MTI))) == 0);
    check(86, (csr_read(mip) & (BIT(SEI) | BIT(SSI) | BIT(STI))) == (BIT(SEI) | BIT(SSI) | BIT(STI)));
    csr_write(mip, 0);
    // SEIP reads as the OR of the software bit and the PLIC's line, but only the software bit is modified.
    write32(PRIORITY(UART_IRQ), 1);
    enable(SUPERVISOR, 1u << UART_IRQ);
    uart_line(true);
    check(87, pending(BIT(SEI)));
    csr_set(mip, BIT(SSI));  // reads 1 for SEIP, and must not write it back
    enable(SUPERVISOR, 0);
    check_unless(ORACLE_SPIKE, 88, not_pending(BIT(SEI)));
    csr_set(mip, BIT(SEI));
    check(89, (csr_read(mip) & BIT(SEI)) != 0);
    enable(SUPERVISOR, 1u << UART_IRQ);
    csr_clear(mip, BIT(SEI));
    check(90, pending(BIT(SEI)));  // the line is still up
    enable(SUPERVISOR, 0);
    check(91, not_pending(BIT(SEI)));
    csr_write(mip, 0);
    // mie holds what exists and nothing else.
    csr_write(mie, ~0ul);
    const u64 standard = BIT(MEI) | BIT(MSI) | BIT(MTI) | BIT(SEI) | BIT(SSI) | BIT(STI);
    check(92, (csr_read(mie) & standard) == standard && (csr_read(mie) & (1 | BIT(4) | BIT(8))) == 0);
    quiet();
}

// --- WFI goes on for what is pending and enabled in mie, whatever the global enables
static u64 wait(u64 value) {
    asm volatile("wfi" : : : "memory");
    return value + 1;
}
static void waiting(void) {
    quiet();
    write32(MSIP(0), 1);
    pending(BIT(MSI));
    csr_write(mie, BIT(MSI));
    check(95, wait(1) == 2);  // no trap: MIE is clear
    write32(MSIP(0), 0);
    not_pending(BIT(MSI));
    // A timer to come. WFI may end early, but not never.
    const u64 start = mtime();
    write64(MTIMECMP(0), start + 2000);
    csr_write(mie, BIT(MTI));
    u64 rounds = 0;
    while ((csr_read(mip) & BIT(MTI)) == 0) {
        wait(0);
        ++rounds;
    }
    check(96, mtime() >= start + 2000);
    // With MIE set it is taken after the WFI.
    on_trap = take;
    u64 here;
    taken_count = 0;
    write64(MTIMECMP(0), -1ul);
    not_pending(BIT(MTI));
    csr_set(mstatus, MSTATUS_MIE);
    write64(MTIMECMP(0), mtime() + 2000);
    while (taken_count == 0) asm volatile("wfi\n1: la %0, 1b" : "=r"(here) : : "memory");
    check(97, taken[0] == MTI);
    csr_clear(mstatus, MSTATUS_MIE);
    write64(MTIMECMP(0), -1ul);
    // A delegated one wakes S with SIE clear, and M too.
    delegate(0, BIT(SSI));
    csr_write(mie, BIT(SSI));
    csr_set(mip, BIT(SSI));
    check(98, run_in(S, wait, 5) == 6 && s_trap.count == 0);
    check(99, wait(7) == 8);
    quiet();
    on_trap = 0;
}

int main(void) {
    plic_registers();
    plic_claim(MACHINE);
    plic_claim(SUPERVISOR);
    plic_claim_below_threshold();
    plic_order();
    software_interrupts();
    simultaneous();
    delegated();
    external_and_software();
    waiting();
    return 0;
}
