// Accesses to where nothing is: holes of the physical map, the edges of memory, addresses beyond the bus,
// code there.
//
// oracle: QEMU 7.2, Spike. Checks 19, 35, 38 and 39 are Hartline's own choices of physical memory attributes:
// no store in part at the end of memory; devices cannot be executed, know no atomics, are accessed aligned.
#include "runtime.h"

static u64 (*const loads[])(u64) = {probe_lbu, probe_lhu, probe_lwu, probe_ld};
static u64 (*const stores[])(u64) = {probe_sb, probe_sh, probe_sw, probe_sd};

static void all_fault(u64 number, u64 at) {
    for (u64 i = 0; i < 4; ++i) {
        check(number, attempt_in(M, loads[i], at) == LOAD_ACCESS && last.tval == at);
        check(number + 1, attempt_in(M, stores[i], at) == STORE_ACCESS && last.tval == at);
    }
}

static void holes(void) {
    const u64 where[] = {HOLE,          HOLE + 0x1000, RAM_END, RAM_END + 0x100000, 0x100000000ul - 0x40,
                         0x3ffffff00ul, BIT(40),       BIT(55), BIT(56) - 8};
    for (u64 i = 0; i < sizeof where / sizeof *where; ++i) {
        all_fault(1, where[i]);
        check(3, attempt_in(M, probe_jump, where[i]) == FETCH_ACCESS);
        check(4, last.tval == where[i] && last.epc == where[i]);
    }
    // Beyond a physical address of 56 bits, to the last byte.
    const u64 beyond[] = {BIT(56), BIT(57), BIT(63), BIT(63) | RAM, -8ul, -4096ul};
    for (u64 i = 0; i < sizeof beyond / sizeof *beyond; ++i) {
        check(5, attempt_in(M, probe_ld, beyond[i]) == LOAD_ACCESS && last.tval == beyond[i]);
        check(6, attempt_in(M, probe_sd, beyond[i]) == STORE_ACCESS && last.tval == beyond[i]);
        check(7, attempt_in(M, probe_jump, beyond[i]) == FETCH_ACCESS && last.tval == beyond[i]);
    }
    // An access that wraps around the address space.
    check(8, attempt_in(M, probe_ld, -4ul) == LOAD_ACCESS);
    check(9, attempt_in(M, probe_sd, -1ul) == STORE_ACCESS);
}

static void edges(void) {
    // The last bytes of memory are good; beyond them a part of an access is not, and nothing of it is stored.
    for (u64 i = 0; i < 4; ++i) {
        const u64 bytes = 1ul << i;
        check(15, attempt_in(M, loads[i], RAM_END - bytes) == NO_TRAP);
        check(16, attempt_in(M, stores[i], RAM_END - bytes) == NO_TRAP);
        for (u64 over = 1; over < bytes; ++over) {
            const u64 at = RAM_END - bytes + over;
            write64(RAM_END - 8, 0x1122334455667788);
            check(17,
                  attempt_in(M, loads[i], at) == LOAD_ACCESS && (last.tval == at || last.tval == RAM_END));
            check(18,
                  attempt_in(M, stores[i], at) == STORE_ACCESS && (last.tval == at || last.tval == RAM_END));
            check_unless(ORACLE_QEMU | ORACLE_SPIKE, 19, read64(RAM_END - 8) == 0x1122334455667788);
        }
    }
    check_unless(
        ORACLE_QEMU, 20,
        attempt_in(M, probe_ld, RAM - 4) == LOAD_ACCESS && (last.tval == RAM - 4 || last.tval == RAM));
    // Atomics at the edge.
    check(21,
          attempt_in(M, probe_lr, RAM_END) == LOAD_ACCESS && attempt_in(M, probe_lr, RAM_END - 8) == NO_TRAP);
    check(22, attempt_in(M, probe_amo, RAM_END - 8) == NO_TRAP);
    check_unless(ORACLE_QEMU, 23, attempt_in(M, probe_amo, RAM_END) == STORE_ACCESS && last.tval == RAM_END);
}

// An instruction of which the second half is beyond the end of memory, and running off it.
static void fetch_off_the_end(void) {
    if (ORACLE_QEMU) return;       // 7.2 dies of it: translator_access: Assertion `phys_page != -1' failed
    write16(RAM_END - 2, 0x0513);  // the first half of li a0, …
    fence_i();
    check(25, attempt_in(M, probe_jump, RAM_END - 2) == FETCH_ACCESS);
    check(26, last.epc == RAM_END - 2 && last.tval == RAM_END);
    write16(RAM_END - 2, 0x0001);  // c.nop
    fence_i();
    check(27, attempt_in(M, probe_jump, RAM_END - 2) == FETCH_ACCESS);
    check(28, last.epc == RAM_END && last.tval == RAM_END);
    write16(RAM_END - 2, 0x8082);
    fence_i();
    check(29, attempt_in(M, probe_jump, RAM_END - 2) == NO_TRAP);
}

// Devices are not memory: no code, no reservations, no access that is misaligned or too wide.
static void devices(void) {
    check_unless(ORACLE_QEMU | ORACLE_SPIKE, 35,
                 ORACLE_SPIKE == 0 && attempt_in(M, probe_jump, UART) == FETCH_ACCESS && last.tval == UART);
    check_unless(ORACLE_SPIKE, 36,
                 ORACLE_SPIKE == 0 && attempt_in(M, probe_jump, CLINT) == FETCH_ACCESS && last.tval == CLINT);
    check_unless(ORACLE_QEMU, 37, attempt_in(M, probe_lr, CLINT + 0x4000) == LOAD_ACCESS);
    check_unless(ORACLE_QEMU | ORACLE_SPIKE, 38, attempt_in(M, probe_amo, CLINT + 0x4000) == STORE_ACCESS);
    check_unless(ORACLE_QEMU | ORACLE_SPIKE, 39, attempt_in(M, probe_lwu, CLINT + 0xbff9) == LOAD_ACCESS);
    check_unless(ORACLE_SPIKE, 40, attempt_in(M, probe_sd, CLINT + 0x4004) == STORE_ACCESS);
    // Every access that a device could be asked for ends, well or with an access fault.
    const u64 where[] = {CLINT,
                         CLINT + 0x3ffc,
                         CLINT + 0x4000,
                         CLINT + 0xbff8,
                         CLINT + 0xfffc,
                         PLIC,
                         PLIC + 0x1000,
                         PLIC + 0x2000,
                         PLIC + 0x1ffffc,
                         PLIC + 0x200000,
                         PLIC + 0x3ffffc,
                         UART,
                         UART + 7,
                         UART + 8,
                         UART + 0xff,
                         VIRTIO,
                         VIRTIO + 0xff,
                         VIRTIO + 0x100,
                         VIRTIO + 0xfff,
                         VIRTIO + 0x7000,
                         RTC,
                         RTC + 0xffc,
                         0x1000,
                         0x1ff8,
                         0x0};
    for (u64 i = 0; i < sizeof where / sizeof *where; ++i) {
        for (u64 width = 0; width < 4; ++width) {
            for (u64 off = 0; off < 2; ++off) {
                const u64 at = where[i] + off;
                const u64 cause = attempt_in(M, loads[width], at);
                check(41, cause == NO_TRAP || cause == LOAD_ACCESS || cause == LOAD_MISALIGNED);
            }
        }
    }
    // And the way back to the console is open.
    check(42, (read8(UART + 5) & 0x60) == 0x60);
}

int main(void) {
    holes();
    edges();
    fetch_off_the_end();
    devices();
    return 0;
}
