// Code that changes: patched functions, code and data on a page, the very next instruction, aliases.
//
// oracle: QEMU 7.2, Spike
#include "runtime.h"

static u8 area[4 * 4096] __attribute__((aligned(4096)));
#define AREA ((u64)area)
#define RET 0x00008067u
static u32 li_a0(u32 value) { return value << 20 | 0x513; }

static u64 call(u64 at) { return ((u64(*)(void))at)(); }
static void put_function(u64 at, u32 value) {
    write32(at, li_a0(value));
    write32(at + 4, RET);
    fence_i();
}

static void patched(void) {
    for (u32 i = 0; i < 200; ++i) {
        put_function(AREA, i);
        check(1, call(AREA) == i);
    }
    // By stores of every width.
    put_function(AREA, 0x55);
    for (u32 i = 0; i < 4; ++i) write8(AREA + i, (u8)(li_a0(77) >> 8 * i));
    fence_i();
    check(2, call(AREA) == 77);
    write16(AREA + 2, (u16)(li_a0(78) >> 16));
    fence_i();
    check(3, call(AREA) == 78);
    write64(AREA, (u64)RET << 32 | li_a0(79));
    fence_i();
    check(4, call(AREA) == 79);
    // By atomics.
    asm volatile("amoswap.w x0, %0, (%1)" : : "r"(li_a0(80)), "r"(AREA) : "memory");
    fence_i();
    check(5, call(AREA) == 80);
    asm volatile("1: lr.w t0, (%1)\nsc.w t0, %0, (%1)\nbnez t0, 1b"
                 :
                 : "r"(li_a0(81)), "r"(AREA)
                 : "t0", "memory");
    fence_i();
    check(6, call(AREA) == 81);
    // By a misaligned store over two instructions.
    write32(AREA, li_a0(1));
    write32(AREA + 4, li_a0(2));
    write32(AREA + 8, RET);
    fence_i();
    check(7, call(AREA) == 2);
    asm volatile("sw %0, 2(%1)" : : "r"((u32)(li_a0(1) >> 16 | li_a0(3) << 16)), "r"(AREA) : "memory");
    write16(AREA + 6, (u16)(li_a0(3) >> 16));
    fence_i();
    check(8, call(AREA) == 3);
    // Across a page.
    const u64 end = AREA + 4096;
    for (u32 i = 0; i < 10; ++i) {
        write16(end - 2, (u16)li_a0(100 + i));
        write16(end, (u16)(li_a0(100 + i) >> 16));
        write16(end + 2, 0x8082);
        fence_i();
        check(9, call(end - 2) == 100 + i);
        write16(end, (u16)(li_a0(200 + i) >> 16));  // only the second page
        fence_i();
        check(10, call(end - 2) == 200 + i);
    }
}

// A hot function that goes on in the next page, changed there after that page was written as data; and data
// beside hot code, written much more often than the code.
static void over_a_page(void) {
    const u64 end = AREA + 4096, data = end + 2048, near = end + 128;
    for (u32 i = 1; i <= 60; ++i) {
        for (u32 k = 0; k < 8; ++k) write32(end - 16 + 4 * k, 0x00050513 | i << 20);  // addi a0, a0, i
        write32(end - 16, li_a0(0));
        write32(end + 16, RET);
        fence_i();
        for (u32 n = 0; n < 100; ++n) check(11, call(end - 16) == 7 * i);
        write64(data, i);
        write64(near, i);
        for (u32 n = 0; n < 100; ++n) check(12, call(end - 16) == 7 * i);
        write32(end + 12, 0x00050513 | (i + 1) << 20);
        fence_i();
        for (u32 n = 0; n < 100; ++n) check(13, call(end - 16) == 7 * i + 1);
        for (u32 n = 0; n < 500 * (i % 4); ++n) write32(n % 2 != 0 ? near : data, n);
        write32(end + 4, 0x00050513 | (i + 2) << 20);
        fence_i();
        for (u32 n = 0; n < 100; ++n) check(14, call(end - 16) == 7 * i + 3);
    }
}

// Instructions of another length in the same place.
static void lengths(void) {
    for (u32 i = 0; i < 20; ++i) {
        write32(AREA, li_a0(500));
        write32(AREA + 4, RET);
        fence_i();
        check(15, call(AREA) == 500);
        write16(AREA, 0x4509);      // c.li a0, 2
        write16(AREA + 2, 0x0505);  // c.addi a0, 1
        write32(AREA + 4, 0x8082);
        fence_i();
        check(16, call(AREA) == 3);
        // A jump into the middle of a long instruction: its second half is one of its own.
        write32(AREA, 0x05050537);  // lui a0, 0x5050
        fence_i();
        check(17, call(AREA) == 0x05050000);
        register u64 a0 asm("a0") = 6;
        asm volatile("jalr ra, 2(%1)" : "+r"(a0) : "r"(AREA) : "ra", "memory");
        check(18, a0 == 7);
    }
}

// Data beside code: stores there must neither be lost nor hurt.
static void neighbours(void) {
    put_function(AREA + 0x100, 1);
    for (u32 i = 0; i < 500; ++i) {
        write64(AREA + 0x200, i);
        check(20, call(AREA + 0x100) == 1 && read64(AREA + 0x200) == i);
    }
    // A function that counts in its own page.
    write32(AREA, 0x00000517);       // auipc a0, 0
    write32(AREA + 4, 0x04052283);   // lw t0, 64(a0)
    write32(AREA + 8, 0x00128293);   // addi t0, t0, 1
    write32(AREA + 12, 0x04552023);  // sw t0, 64(a0)
    write32(AREA + 16, 0x00028513);  // mv a0, t0
    write32(AREA + 20, RET);
    write32(AREA + 64, 0);
    fence_i();
    for (u32 i = 1; i < 500; ++i) check(21, call(AREA) == i);
}

// A store into the very next instruction, then fence.i: what follows is new.
static void next_instruction(void) {
    for (u32 i = 0; i < 50; ++i) {
        register u64 a0 asm("a0");
        asm volatile(
            ".option push\n.option norvc\n"
            "la t1, 1f\nsw %1, 0(t1)\nfence.i\n"
            "1: li a0, 0\n"
            ".option pop"
            : "=r"(a0)
            : "r"(li_a0(i + 1))
            : "t1", "memory");
        check(25, a0 == i + 1);
    }
    // In a loop that rewrites its own body; a trace of it may not be kept.
    u64 sum = 0;
    asm volatile(
        ".option push\n.option norvc\n"
        "li t0, 1\nli t2, 101\nla t1, 2f\n"
        "1: slli t3, t0, 20\n"
        "li t4, 0x00000e13\nor t3, t3, t4\nsw t3, 0(t1)\nfence.i\n"  // li t3, t0
        "2: li t3, 0\nadd %0, %0, t3\naddi t0, t0, 1\nbne t0, t2, 1b\n"
        ".option pop"
        : "+r"(sum)
        :
        : "t0", "t1", "t2", "t3", "t4", "memory");
    check(26, sum == 5050);
}

// --- two virtual pages of one frame: written through one, run through the other
enum { V = 1, R = 2, W = 4, X = 8, UU = 16, A = 64, DD = 128 };
static u64 tables[3][512] __attribute__((aligned(4096)));
#define WRITE_AT 0x40000000ul
#define RUN_AT 0x40200000ul
static u64 patch(u64 value) {
    write32(WRITE_AT + 16, li_a0((u32)value));
    write32(WRITE_AT + 20, RET);
    fence_i();
    return call(RUN_AT + 16);
}
static void aliases(void) {
    tables[0][2] = RAM >> 2 | V | R | W | X | A | DD;
    tables[0][1] = (u64)tables[1] >> 2 | V;
    tables[1][0] = (u64)tables[2] >> 2 | V;
    tables[1][1] = (u64)tables[2] >> 2 | V;  // the same last table for both
    tables[2][0] = AREA >> 2 | V | R | W | X | A | DD;
    csr_write(satp, 8ul << 60 | (u64)tables[0] >> 12);
    sfence();
    for (u64 i = 0; i < 100; ++i) check(30, run_in(S, patch, i) == i);
    // From M, by the physical address.
    for (u32 i = 0; i < 100; ++i) {
        put_function(AREA + 16, i);
        check(31, run_in(S, (u64(*)(u64))(RUN_AT + 16), 0) == i);
    }
    // The page table changes instead: other code at the same address.
    put_function(AREA + 16, 1);
    put_function(AREA + 4096 + 16, 2);
    for (u32 i = 0; i < 20; ++i) {
        tables[2][0] = (AREA + (i & 1) * 4096) >> 2 | V | R | W | X | A | DD;
        sfence();
        check(32, run_in(S, (u64(*)(u64))(RUN_AT + 16), 0) == 1 + (i & 1));
    }
    // A change of satp alone, with different tables.
    static u64 other[3][512] __attribute__((aligned(4096)));
    tables[2][0] = AREA >> 2 | V | R | W | X | A | DD;
    other[0][2] = tables[0][2];
    other[0][1] = (u64)other[1] >> 2 | V;
    other[1][1] = (u64)other[2] >> 2 | V;
    other[2][0] = (AREA + 4096) >> 2 | V | R | W | X | A | DD;
    sfence();
    for (u64 i = 0; i < 20; ++i) {
        csr_write(satp, 8ul << 60 | (i & 1) << 44 | (u64)(i & 1 ? other : tables)[0] >> 12);
        check(33, run_in(S, (u64(*)(u64))(RUN_AT + 16), 0) == 1 + (i & 1));
    }
    // Code that loses its permission.
    csr_write(satp, 8ul << 60 | (u64)tables[0] >> 12);
    check(34, run_in(S, (u64(*)(u64))(RUN_AT + 16), 0) == 1);
    tables[2][0] &= ~(u64)X;
    sfence();
    check(35, attempt_in(S, probe_jump, RUN_AT + 16) == FETCH_PAGE && last.epc == RUN_AT + 16);
    // The same address, as M sees it, in Bare, is something else again.
    csr_write(satp, 0);
    sfence();
    check(36, call(AREA + 16) == 1);
}

int main(void) {
    patched();
    over_a_page();
    lengths();
    neighbours();
    next_instruction();
    aliases();
    return 0;
}
