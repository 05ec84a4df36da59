// Physical memory protection: matching, priority, permissions, locks, and its word on page-table walks.
//
// oracle: QEMU 7.2, Spike
#include "runtime.h"

enum { R = 1, W = 2, X = 4, TOR = 1 << 3, NA4 = 2 << 3, NAPOT = 3 << 3, L = 0x80 };
#define RWX (R | W | X)
// Memory under test: nothing of the program is there. Entries 0 to 7 are the tests', 14 lets S and U run the
// program.
#define AREA 0x80800000ul
#define ENTRIES 16

static u64 cfg_of(u64 entry) {
    const u64 low = csr_read(pmpcfg0), high = csr_read(pmpcfg2);
    return (entry < 8 ? low : high) >> 8 * (entry % 8) & 0xff;
}
static void set_cfg(u64 entry, u64 cfg) {
    const u64 shift = 8 * (entry % 8);
    if (entry < 8)
        csr_write(pmpcfg0, (csr_read(pmpcfg0) & ~(0xfful << shift)) | cfg << shift);
    else
        csr_write(pmpcfg2, (csr_read(pmpcfg2) & ~(0xfful << shift)) | cfg << shift);
}
static void set_addr(u64 entry, u64 value) {
    switch (entry) {
        case 0: csr_write(pmpaddr0, value); break;
        case 1: csr_write(pmpaddr1, value); break;
        case 2: csr_write(pmpaddr2, value); break;
        case 3: csr_write(pmpaddr3, value); break;
        case 4: csr_write(pmpaddr4, value); break;
        case 5: csr_write(pmpaddr5, value); break;
        case 6: csr_write(pmpaddr6, value); break;
        case 7: csr_write(pmpaddr7, value); break;
        case 14: csr_write(pmpaddr14, value); break;
        default: csr_write(pmpaddr15, value); break;
    }
}
static u64 napot(u64 base, u64 bytes) { return base >> 2 | ((bytes >> 3) - 1); }
static void rule(u64 entry, u64 cfg, u64 addr) {
    set_cfg(entry, 0);
    set_addr(entry, addr);
    set_cfg(entry, cfg);
    sfence();
}
static void clear(void) {
    for (u64 i = 0; i < 8; ++i) rule(i, 0, 0);
}

enum { LOAD, STORE, FETCH };
static const u64 fault_of[] = {LOAD_ACCESS, STORE_ACCESS, FETCH_ACCESS};
static u64 access(u64 mode, u64 kind, u64 at, u64 bytes) {
    if (kind == FETCH) return attempt_in(mode, probe_jump, at);
    u64 (*const loads[])(u64) = {probe_lbu, probe_lhu, probe_lwu, probe_ld};
    u64 (*const stores[])(u64) = {probe_sb, probe_sh, probe_sw, probe_sd};
    const u64 which = trailing_zeros(bytes);
    return attempt_in(mode, (kind == LOAD ? loads : stores)[which], at);
}
static bool works(u64 mode, u64 kind, u64 at, u64 bytes) { return access(mode, kind, at, bytes) == NO_TRAP; }
static bool faults(u64 mode, u64 kind, u64 at, u64 bytes) {
    return access(mode, kind, at, bytes) == fault_of[kind] && last.tval == at;
}
static void put_returns(u64 at, u64 bytes) {
    for (u64 i = 0; i < bytes; i += 2) write16(at + i, 0x8082);
    fence_i();
}

static void registers(void) {
    check(1, cfg_of(0) == (NAPOT | RWX));  // as the runtime left it
    set_addr(14, napot(RAM, 4ul << 20));
    set_cfg(14, NAPOT | RWX);
    rule(0, 0, 0);
    check(2, attempt("csrr a0, 0x3a1", : : : "a0") == ILLEGAL);  // pmpcfg1 is RV32's
    check(3, attempt("csrw 0x3a3, zero") == ILLEGAL);
    set_addr(3, -1ul);
    check_unless(ORACLE_QEMU, 4, csr_read(pmpaddr3) >> 54 == 0);
    const u64 grain = trailing_zeros(csr_read(pmpaddr3));
    if (grain != 0) show("PMP grain", grain);
    check(5, grain == 0);
    set_addr(3, 0x123456789abcd);
    check(6, csr_read(pmpaddr3) == 0x123456789abcd);
    // Reserved bits of a configuration read zero; W without R is reserved.
    set_cfg(3, 0x60 | R);
    check_unless(ORACLE_QEMU, 7, cfg_of(3) == R);
    set_cfg(3, W);
    check_unless(ORACLE_QEMU, 8, (cfg_of(3) & (R | W)) != W);
    set_cfg(3, W | X);
    check_unless(ORACLE_QEMU, 9, (cfg_of(3) & (R | W)) != W);
    set_cfg(3, 0);
    for (u64 i = 0; i < ENTRIES; ++i) check(10, cfg_of(i) == (i == 14 ? (u64)NAPOT | RWX : 0));
    clear();
}

static void no_match(void) {
    for (u64 kind = LOAD; kind <= FETCH; ++kind) {
        put_returns(AREA, 64);
        check(15, works(M, kind, AREA, 4));
        put_returns(AREA, 64);
        check(16, faults(S, kind, AREA, 4));
        check(17, faults(U, kind, AREA, 4));
    }
}

// --- permissions and edges of NAPOT ranges
static void napot_ranges(void) {
    const u64 legal[] = {0, R, R | W, X, R | X, RWX};
    for (u64 bytes = 8; bytes <= 1ul << 20; bytes <<= (bytes < 64 ? 1 : 3)) {
        const u64 base = AREA + (2ul << 20);
        for (u64 p = 0; p < 6; ++p) {
            rule(1, NAPOT | legal[p], napot(base, bytes));
            put_returns(base - 16, bytes < 4096 ? bytes + 32 : 64);
            put_returns(base + bytes - 16, 32);
            for (u64 mode = U; mode <= S; ++mode) {
                const bool r = (legal[p] & R) != 0, w = (legal[p] & W) != 0, x = (legal[p] & X) != 0;
                check(20, r ? works(mode, LOAD, base, 8) : faults(mode, LOAD, base, 8));
                check(21,
                      r ? works(mode, LOAD, base + bytes - 1, 1) : faults(mode, LOAD, base + bytes - 1, 1));
                check(22, x ? works(mode, FETCH, base, 4) : faults(mode, FETCH, base, 4));
                check(23,
                      x ? works(mode, FETCH, base + bytes - 2, 2) : faults(mode, FETCH, base + bytes - 2, 2));
                check(24, w ? works(mode, STORE, base + 4, 4) : faults(mode, STORE, base + 4, 4));
                check(25, faults(mode, LOAD, base - 1, 1) && faults(mode, LOAD, base - 8, 8));
                check(26, faults(mode, LOAD, base + bytes, 1) && faults(mode, STORE, base + bytes, 8));
                check(27, faults(mode, FETCH, base - 2, 2) && faults(mode, FETCH, base + bytes, 2));
                put_returns(base, 8);
            }
            check(28, works(M, LOAD, base, 8) && works(M, FETCH, base, 4) &&
                          works(M, STORE, base + bytes - 8, 8));
        }
    }
    // All of memory.
    rule(15, NAPOT | R, -1ul);
    check(29, works(S, LOAD, AREA, 8) && faults(S, STORE, AREA, 8) && works(S, LOAD, RAM_END - 8, 8));
    rule(15, 0, 0);
    clear();
}

static void four_bytes(void) {
    rule(1, NA4 | R | W, (AREA + 8) >> 2);
    for (u64 at = AREA; at < AREA + 24; at += 4) {
        const bool inside = at == AREA + 8;
        check(30, inside ? works(S, LOAD, at, 4) : faults(S, LOAD, at, 4));
        check(31, inside ? works(S, STORE, at, 4) : faults(S, STORE, at, 4));
    }
    check(32, works(S, LOAD, AREA + 11, 1) && faults(S, LOAD, AREA + 12, 1) && works(S, STORE, AREA + 10, 2));
    clear();
}

static void top_of_range(void) {
    rule(0, 0, (AREA + 0x10) >> 2);
    rule(1, TOR | R | W, (AREA + 0x2004) >> 2);
    check(35, faults(S, LOAD, AREA + 0xc, 4) && works(S, LOAD, AREA + 0x10, 4));
    check(36, works(S, STORE, AREA + 0x2000, 4) && faults(S, LOAD, AREA + 0x2004, 4));
    check(37, works(S, LOAD, AREA + 0x1000, 8) && works(S, LOAD, AREA + 0x1ff8, 8));
    // The bottom counts whatever its entry's own mode is.
    rule(0, NA4 | R, (AREA + 0x10) >> 2);
    check(38, works(S, LOAD, AREA + 0x10, 4) && faults(S, STORE, AREA + 0x10, 4) &&
                  works(S, STORE, AREA + 0x14, 4));
    // An empty range matches nothing, and a negative one neither.
    rule(0, 0, (AREA + 0x2004) >> 2);
    check(39, faults(S, LOAD, AREA + 0x2000, 4) && faults(S, LOAD, AREA + 0x2004, 4));
    rule(0, 0, (AREA + 0x3000) >> 2);
    check(40, faults(S, LOAD, AREA + 0x2000, 4) && faults(S, LOAD, AREA + 0x2804, 4));
    clear();
    // Entry 0 begins at address 0.
    rule(0, TOR | RWX, (AREA + 0x100) >> 2);
    check(41, works(S, LOAD, RAM, 8) && works(S, LOAD, AREA + 0xf8, 8) && faults(S, LOAD, AREA + 0x100, 8));
    clear();
}

// --- the lowest-numbered match decides
static void priority(void) {
    rule(0, NAPOT, napot(AREA + 0x40, 0x20));
    rule(1, NAPOT | R | W, napot(AREA, 0x1000));
    check(45, works(S, LOAD, AREA + 0x38, 8) && faults(S, LOAD, AREA + 0x40, 8));
    check(46, faults(S, STORE, AREA + 0x5f, 1) && works(S, STORE, AREA + 0x60, 1));
    rule(2, NAPOT | R, napot(AREA, 0x2000));
    check(47, works(S, STORE, AREA + 0x80, 8) && faults(S, STORE, AREA + 0x1000, 8));
    rule(0, NAPOT | RWX, napot(AREA, 0x10000));
    check(48, works(S, LOAD, AREA + 0x40, 8) && works(S, STORE, AREA + 0x1000, 8));
    // Through a page that was good for all a moment ago.
    rule(0, NAPOT, napot(AREA + 0x40, 0x20));
    check(49, works(S, STORE, AREA + 0x80, 8) && faults(S, LOAD, AREA + 0x40, 8));
    clear();
}

// --- a match of a part fails, whatever the permissions, in all modes
static void partial(void) {
    for (u64 half = 0; half < 2; ++half) {
        rule(1, NAPOT | RWX, napot(AREA, 0x1000));
        rule(0, NA4 | RWX, (AREA + 0x80 + 4 * half) >> 2);
        check(50, faults(S, LOAD, AREA + 0x80, 8) && faults(S, STORE, AREA + 0x80, 8));
        check(51, works(S, LOAD, AREA + 0x80, 4) && works(S, LOAD, AREA + 0x84, 4));
        check(52, works(S, LOAD, AREA + 0x78, 8) && works(S, LOAD, AREA + 0x88, 8));
        check(53, faults(M, LOAD, AREA + 0x80, 8) && faults(M, STORE, AREA + 0x80, 8));
        check(54, attempt_in(M, probe_amo, AREA + 0x80) == STORE_ACCESS || ORACLE_QEMU);
    }
    clear();
    // Nor does another entry complete it.
    rule(0, NA4 | RWX, AREA >> 2);
    rule(1, NA4 | RWX, (AREA + 4) >> 2);
    check(55, faults(S, LOAD, AREA, 8) && works(S, LOAD, AREA, 4) && works(S, LOAD, AREA + 4, 4));
    clear();
    // An instruction of which the second half is not executable: the fault is of one of its parts.
    put_returns(AREA, 64);
    write32(AREA + 6, 0x00000513);  // li a0, 0
    fence_i();
    rule(1, NAPOT | RWX, napot(AREA, 8));
    check_unless(ORACLE_QEMU, 56, access(S, FETCH, AREA + 6, 4) == FETCH_ACCESS && last.epc == AREA + 6);
    check_unless(ORACLE_QEMU, 57, last.tval == AREA + 6 || last.tval == AREA + 8);
    rule(1, NAPOT | RWX, napot(AREA, 16));
    check(58, works(S, FETCH, AREA + 6, 4));
    clear();
}

// --- MPRV uses the rules of MPP
static u64 mprv_load(u64 mode, u64 at) {
    csr_field(mstatus, MSTATUS_MPP, MSTATUS_MPP_(mode));
    arm();
    asm volatile(".option push\n.option norvc\ncsrs mstatus, %1\nld t0, 0(%0)\ncsrc mstatus, %1\n.option pop"
                 :
                 : "r"(at), "r"(MSTATUS_MPRV)
                 : "t0", "memory");
    return disarm();
}
static void modify_privilege(void) {
    check(60, mprv_load(M, AREA) == NO_TRAP);
    check(61, mprv_load(S, AREA) == LOAD_ACCESS && last.tval == AREA);
    check(62, mprv_load(U, AREA) == LOAD_ACCESS);
    rule(0, NAPOT | R, napot(AREA, 0x1000));
    check(63, mprv_load(S, AREA) == NO_TRAP && mprv_load(U, AREA) == NO_TRAP);
    clear();
}

// --- page-table walks are accesses of S-mode
static u64 tables[3][512] __attribute__((aligned(4096)));
static void walks(void) {
    enum { V = 1, A = 64, D = 128 };
    const u64 va = 0x40000000;
    u64* const moved = (u64*)(AREA + 0x4000);  // the last table, outside of what S may read
    memset(moved, 0, 4096);
    tables[0][2] = RAM >> 2 | V | RWX << 1 | A | D;
    tables[0][1] = (u64)tables[1] >> 2 | V;
    tables[1][0] = (u64)moved >> 2 | V;
    moved[0] = (AREA + 0x8000) >> 2 | V | RWX << 1 | A | D;
    put_returns(AREA + 0x8000, 64);
    csr_write(satp, 8ul << 60 | (u64)tables[0] >> 12);
    sfence();
    rule(0, NAPOT | RWX, napot(AREA + 0x8000, 0x1000));
    for (u64 kind = LOAD; kind <= FETCH; ++kind) check(65, faults(S, kind, va, 8));
    check(66, mprv_load(S, va) == LOAD_ACCESS && last.tval == va);
    rule(1, NAPOT | R, napot((u64)moved, 0x1000));
    check(67, works(S, FETCH, va, 4) && works(S, LOAD, va + 16, 8) && works(S, STORE, va + 8, 8));
    // Only the entry itself need be readable.
    rule(1, NAPOT | R, napot((u64)moved, 8));
    check(68, works(S, LOAD, va, 8));
    // The page is not: the walk is fine, the access is not.
    rule(0, NAPOT | R, napot(AREA + 0x8000, 0x1000));
    check(69, faults(S, STORE, va, 8) && faults(S, FETCH, va, 8) && works(S, LOAD, va, 8));
    rule(0, NAPOT, napot(AREA + 0x8000, 8));
    rule(2, NAPOT | R, napot(AREA + 0x8000, 0x1000));
    check(70, faults(S, LOAD, va, 8) && works(S, LOAD, va + 8, 8));
    // An update of A needs the entry to be writable.
    csr_set(menvcfg, BIT(61));
    if (ORACLE_QEMU || (csr_read(menvcfg) & BIT(61)) != 0) {
        rule(0, NAPOT | RWX, napot(AREA + 0x8000, 0x1000));
        moved[0] &= ~(u64)(A | D);
        sfence();
        check_unless(ORACLE_QEMU, 71,
                     faults(S, LOAD, va, 8) && faults(S, STORE, va, 8) && faults(S, FETCH, va, 8));
        check_unless(ORACLE_QEMU, 72, (moved[0] & (A | D)) == 0);
        rule(1, NAPOT | R | W, napot((u64)moved, 0x1000));
        check(73, works(S, STORE, va, 8) && (moved[0] & (A | D)) == (A | D));
    }
    csr_write(satp, 0);
    sfence();
    clear();
}

// --- without a fence: in Bare, a change counts at once
static u64 without_fence(void) {
    u64 before = attempt_in(S, probe_ld, AREA);
    set_addr(0, napot(AREA, 0x1000));
    set_cfg(0, NAPOT | R);
    const u64 with = attempt_in(S, probe_ld, AREA);
    set_cfg(0, 0);
    return before == LOAD_ACCESS && with == NO_TRAP && attempt_in(S, probe_ld, AREA) == LOAD_ACCESS;
}

// --- locks last until reset: the last test
static void locked(void) {
    rule(4, NAPOT | R | L, napot(AREA + 0x1000, 0x1000));
    check(80, works(M, LOAD, AREA + 0x1000, 8) && faults(M, STORE, AREA + 0x1ff8, 8) &&
                  faults(M, FETCH, AREA + 0x1000, 4));
    check(81, works(S, LOAD, AREA + 0x1000, 8) && faults(S, STORE, AREA + 0x1000, 8));
    check(82, works(M, STORE, AREA + 0x2000, 8) && works(M, STORE, AREA + 0xff8, 8));
    const u64 addr = csr_read(pmpaddr4);
    set_addr(4, 0);
    set_cfg(4, 0);
    check(83, csr_read(pmpaddr4) == addr && cfg_of(4) == (NAPOT | R | L));
    set_cfg(4, NAPOT | RWX | L);
    check(84, cfg_of(4) == (NAPOT | R | L));
    // Its neighbours in the same register are free.
    set_cfg(5, R);
    set_addr(3, 0x1234);
    check(85, cfg_of(5) == R && csr_read(pmpaddr3) == 0x1234);
    // A lower entry still comes first.
    rule(1, NAPOT | RWX, napot(AREA + 0x1000, 0x1000));
    check(86, works(M, STORE, AREA + 0x1000, 8) && works(S, STORE, AREA + 0x1000, 8));
    rule(1, 0, 0);
    // A locked TOR locks the address of its bottom.
    rule(6, 0, (AREA + 0x3000) >> 2);
    rule(7, TOR | R | L, (AREA + 0x4000) >> 2);
    set_addr(6, 0);
    check(87, csr_read(pmpaddr6) == (AREA + 0x3000) >> 2);
    set_cfg(6, R);
    check(88, cfg_of(6) == R);  // its configuration is free
    check(89, faults(M, STORE, AREA + 0x3000, 8) && works(M, STORE, AREA + 0x2ff8, 8) &&
                  works(M, STORE, AREA + 0x4000, 8));
    // A locked entry that is off locks itself all the same.
    set_addr(2, 0x777);
    set_cfg(2, L);
    set_addr(2, 0x888);
    set_cfg(2, 0);
    check(90, csr_read(pmpaddr2) == 0x777 && cfg_of(2) == L);
}

int main(void) {
    registers();
    no_match();
    napot_ranges();
    four_bytes();
    top_of_range();
    priority();
    partial();
    modify_privilege();
    walks();
    check(75, without_fence());
    locked();
    return 0;
}
