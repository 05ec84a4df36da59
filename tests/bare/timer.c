// The machine timer by mtime and mtimecmp, and the supervisor's by stimecmp (Sstc).
//
// oracle: QEMU 7.2, Spike
#include "runtime.h"

#define STCE BIT(63)
#define TM BIT(1)
#define MTIME (CLINT + 0xbff8)

static bool becomes(u64 bit, bool set) {
    for (u32 i = 0; i < 100000; ++i)
        if (((csr_read(mip) & bit) != 0) == set) return true;
    return false;
}

static void machine_time(void) {
    u64 before = mtime(), start = before;
    for (u32 i = 0; i < 1000; ++i) {
        const u64 now = mtime();
        check(1, now >= before);
        before = now;
    }
    for (u32 i = 0; i < 10000000 && mtime() == before; ++i) {}
    check(2, mtime() > start);
    // The time CSR is the same clock.
    for (u32 i = 0; i < 100; ++i) {
        const u64 low = mtime(), time = csr_read(time), high = mtime();
        check(3, low <= time && time <= high);
    }
    // Halves.
    const u64 whole = mtime(), high = read32(MTIME + 4), low = read32(MTIME);
    check(4, (high << 32 | low) - whole < 1000000);
}

static void compare(void) {
    write64(MTIMECMP(0), -1ul);
    check(10, read64(MTIMECMP(0)) == -1ul && becomes(BIT(MTI), false));
    write64(MTIMECMP(0), 0);
    check(11, becomes(BIT(MTI), true));
    csr_clear(mip, BIT(MTI));  // read-only there
    check(12, becomes(BIT(MTI), true));
    write64(MTIMECMP(0), -1ul);
    check(13, becomes(BIT(MTI), false));
    // Unsigned.
    write64(MTIMECMP(0), 1ul << 63);
    check(14, becomes(BIT(MTI), false));
    // Not before its time; then within bounds.
    for (u64 ahead = 1; ahead <= 3000; ahead *= 5) {
        const u64 when = mtime() + ahead;
        write64(MTIMECMP(0), when);
        u64 seen_at = 0;
        for (u32 i = 0; i < 10000000; ++i) {
            if ((csr_read(mip) & BIT(MTI)) != 0) {
                seen_at = mtime();
                break;
            }
        }
        check(15, seen_at >= when);
        write64(MTIMECMP(0), mtime() + 100000000);
        check(16, becomes(BIT(MTI), false));
    }
    // Each half by itself.
    write64(MTIMECMP(0), -1ul);
    write32(MTIMECMP(0), 0x12345678);
    check(17, read64(MTIMECMP(0)) == 0xffffffff12345678);
    write32(MTIMECMP(0) + 4, 0x7fffffff);
    check(18, read64(MTIMECMP(0)) == 0x7fffffff12345678);
    check(19, read32(MTIMECMP(0)) == 0x12345678 && read32(MTIMECMP(0) + 4) == 0x7fffffff);
    write32(MTIMECMP(0), 0);
    write32(MTIMECMP(0) + 4, 0);
    check(20, becomes(BIT(MTI), true));
    write32(MTIMECMP(0) + 4, 1u << 31);
    check(21, becomes(BIT(MTI), false));
    write64(MTIMECMP(0), -1ul);
}

// mtime can be set, and the timer follows.
static void set_time(void) {
    write64(MTIMECMP(0), 0x5000000000);
    check(25, becomes(BIT(MTI), false));
    write64(MTIME, 0x5000000001);
    check(26, becomes(BIT(MTI), true) && mtime() >= 0x5000000001 && mtime() < 0x5100000000);
    write64(MTIME, 0x4000000000);
    check(27, becomes(BIT(MTI), false));
    const u64 time = csr_read(time);
    check(28, time >= 0x4000000000 && time < 0x4100000000);
    write32(MTIME + 4, 0x20);
    check(29, mtime() >> 32 == 0x20);
    write64(MTIMECMP(0), -1ul);
}

// --- as an interrupt
static volatile u64 interrupts, late;
static bool tick(struct frame* frame) {
    if (frame->cause != (INTERRUPT | MTI)) return false;
    ++interrupts;
    const u64 when = read64(MTIMECMP(0)), now = mtime();
    if (now < when) late = 1;
    write64(MTIMECMP(0), interrupts < 20 ? when + 50 : -1ul);
    return true;
}
static void periodic(void) {
    on_trap = tick;
    write64(MTIMECMP(0), mtime() + 50);
    csr_write(mie, BIT(MTI));
    csr_set(mstatus, MSTATUS_MIE);
    for (u64 i = 0; i < 100000000 && interrupts < 20; ++i) asm volatile("");
    csr_clear(mstatus, MSTATUS_MIE);
    csr_write(mie, 0);
    on_trap = 0;
    check(30, interrupts == 20 && late == 0);
}

// --- Sstc
static u64 read_compare(u64 unused) { return unused + csr_read(stimecmp); }
static u64 write_compare(u64 value) {
    csr_write(stimecmp, value);
    return 0;
}
static u64 read_time(u64 unused) { return unused + csr_read(time); }
// Waits for a timer interrupt in S, `ahead` from now; gives how late it came.
static u64 wait_for_timer(u64 ahead) {
    const u64 when = csr_read(time) + ahead;
    csr_write(stimecmp, when);
    csr_write(sie, BIT(STI));
    csr_set(sstatus, MSTATUS_SIE);
    for (u64 i = 0; i < 100000000 && s_trap.count == 0; ++i) asm volatile("" : : : "memory");
    csr_clear(sstatus, MSTATUS_SIE);
    const u64 now = csr_read(time);
    csr_write(stimecmp, -1ul);
    return now - when;
}
static void supervisor_timer(void) {
    csr_set(menvcfg, STCE);
    if (!present(40, "Sstc", (csr_read(menvcfg) & STCE) != 0)) return;
    // Without STCE or TM, S may not touch it; M always may.
    csr_clear(menvcfg, STCE);
    csr_set(mcounteren, TM);
    check(41, attempt_in(S, read_compare, 0) == ILLEGAL && attempt_in(S, write_compare, 0) == ILLEGAL);
    check(42, attempt("csrr a0, 0x14d", : : : "a0") == NO_TRAP);
    // STIP is software's then.
    csr_set(mip, BIT(STI));
    check(43, (csr_read(mip) & BIT(STI)) != 0);
    csr_clear(mip, BIT(STI));
    check(44, (csr_read(mip) & BIT(STI)) == 0);
    csr_set(menvcfg, STCE);
    csr_clear(mcounteren, TM);
    check(45, attempt_in(S, read_compare, 0) == ILLEGAL && attempt_in(S, write_compare, 0) == ILLEGAL);
    check(46, attempt_in(S, read_time, 0) == ILLEGAL);
    csr_set(mcounteren, TM);
    check(47, attempt_in(S, write_compare, 0x123456789abcdef0) == NO_TRAP);
    check(48, attempt_in(S, read_compare, 0) == NO_TRAP && lower_result == 0x123456789abcdef0);
    check(49, attempt_in(U, read_compare, 0) == ILLEGAL);
    // STIP follows the comparison, and nothing else.
    csr_write(stimecmp, -1ul);
    check(50, becomes(BIT(STI), false));
    csr_set(mip, BIT(STI));
    check(51, (csr_read(mip) & BIT(STI)) == 0);
    csr_write(stimecmp, 0);
    check(52, becomes(BIT(STI), true));
    csr_clear(mip, BIT(STI));
    check(53, (csr_read(mip) & BIT(STI)) != 0);
    csr_write(stimecmp, -1ul);
    check(54, becomes(BIT(STI), false));
    for (u64 ahead = 10; ahead <= 2000; ahead *= 14) {
        delegate(0, BIT(STI));
        const u64 late_by = run_in(S, wait_for_timer, ahead);
        check(55, s_trap.count == 1 && s_trap.cause == (INTERRUPT | STI));
        check(56, late_by < 100000000);
        check(57, becomes(BIT(STI), false));
    }
    // Both timers side by side.
    write64(MTIMECMP(0), 0);
    csr_write(stimecmp, 0);
    check(58, becomes(BIT(MTI), true) && becomes(BIT(STI), true));
    write64(MTIMECMP(0), -1ul);
    check(59, becomes(BIT(MTI), false) && becomes(BIT(STI), true));
    csr_write(stimecmp, -1ul);
    check(60, becomes(BIT(STI), false));
    // WFI ends with it, though SIE is clear.
    csr_write(mie, BIT(STI));
    const u64 when = csr_read(time) + 1000;
    csr_write(stimecmp, when);
    while ((csr_read(mip) & BIT(STI)) == 0) asm volatile("wfi");
    check(61, csr_read(time) >= when);
    csr_write(mie, 0);
    csr_write(stimecmp, -1ul);
    delegate(0, 0);
}

int main(void) {
    machine_time();
    compare();
    periodic();
    supervisor_timer();
    set_time();
    return 0;
}
