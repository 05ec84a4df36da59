// Address translation: one source for Sv39, Sv48 and Sv57 (-DSV=39, 48, 57).
//
// oracle: QEMU 7.2, Spike
#include "runtime.h"

#define LEVELS ((SV - 12) / 9)
#define SATP_MODE ((u64)(LEVELS + 5))
enum { V = 1, R = 2, W = 4, X = 8, UU = 16, G = 32, A = 64, D = 128 };
#define RWX (R | W | X)
#define PBMT(n) ((u64)(n) << 61)
#define N BIT(63)
#define ADUE BIT(61)
#define PBMTE BIT(62)
#define PAGE 0x1000ul
// S has the program where it is. U has it here.
#define USER_ALIAS (4ul << 30)
// Where tests map things: its own gigabyte, with no device of any machine at the same physical address.
#define TEST (0x25ul << 30)

static u64 pool[64][512] __attribute__((aligned(4096)));
static u64 next_table;
static u64 roots[2][512] __attribute__((aligned(4096)));
static u8 pages[8][4096] __attribute__((aligned(4096)));
static u8 napot[16 * 4096] __attribute__((aligned(65536)));
static bool hardware_ad;  // as things stand now

#define PA(i) ((u64)pages[i])
static u64 leaf(u64 pa, u64 flags) { return pa >> 12 << 10 | flags; }
static u64 page_bytes(u64 level) { return PAGE << 9 * level; }

// The entry for `va` at `level`, with tables made on the way.
static u64* entry_of(u64* root, u64 va, u64 level) {
    u64* table = root;
    for (u64 at = LEVELS - 1; at > level; --at) {
        u64* const entry = &table[va >> (12 + 9 * at) & 511];
        if ((*entry & V) == 0) *entry = leaf((u64)pool[next_table++], V);
        table = (u64*)(*entry >> 10 << 12);
    }
    return &table[va >> (12 + 9 * level) & 511];
}
static u64* map_at(u64* root, u64 va, u64 pa, u64 flags, u64 level) {
    u64* const entry = entry_of(root, va, level);
    *entry = leaf(pa, flags);
    sfence();
    return entry;
}
static u64* map(u64 va, u64 pa, u64 flags) { return map_at(roots[0], va, pa, flags, 0); }
static void map_program(u64* root) {
    map_at(root, RAM, RAM, V | RWX | A | D, 2);
    map_at(root, USER_ALIAS + RAM, RAM, V | RWX | UU | A | D, 2);
}
static u64 satp_of(const u64* root, u64 asid) { return SATP_MODE << 60 | asid << 44 | (u64)root >> 12; }

// One access as `mode` does it; gives the cause of its trap.
enum { LOAD, STORE, FETCH };
static const u64 page_fault[] = {LOAD_PAGE, STORE_PAGE, FETCH_PAGE};
static const u64 access_fault[] = {LOAD_ACCESS, STORE_ACCESS, FETCH_ACCESS};
static u64 access(u64 mode, u64 kind, u64 va) {
    return attempt_in(mode, kind == LOAD ? probe_ld : kind == STORE ? probe_sd : probe_jump, va);
}
// A fault tells where: the address, and for fetches that is also the instruction's.
static bool faults(u64 mode, u64 kind, u64 va) {
    return access(mode, kind, va) == page_fault[kind] && last.tval == va && (kind != FETCH || last.epc == va);
}
static bool works(u64 mode, u64 kind, u64 va) { return access(mode, kind, va) == NO_TRAP; }

static void put_returns(void) {  // each page begins with an instruction that returns
    for (u64 i = 0; i < 8; ++i) {
        write32(PA(i), 0x00008067);
        for (u64 at = 8; at < PAGE; at += 8) write64(PA(i) + at, i << 56 | at << 16 | 0x8067);
    }
    fence_i();
}

// --- satp
static void satp_register(void) {
    const u64 wanted = satp_of(roots[0], 0);
    csr_write(satp, wanted);
    check(1, csr_read(satp) == wanted);
    // A write with a mode that is not supported changes nothing at all.
    for (u64 mode = 1; mode < 16; ++mode) {
        if (mode >= 8 && mode <= 10) continue;
        csr_write(satp, mode << 60 | 0x12345);
        check(2, csr_read(satp) == wanted);
    }
    csr_write(satp, 0);
    check(3, csr_read(satp) == 0);
    csr_write(satp, wanted);
    user_offset = USER_ALIAS;
    check(4, works(S, FETCH, (u64)probe_ret) && works(U, FETCH, USER_ALIAS + (u64)probe_ret));
}

// --- pages of each size
static void sizes(void) {
    for (u64 level = 0; level < LEVELS; ++level) {
        // The largest need a physical address of 0 to be aligned; the page of `pages` is found from there.
        const u64 bytes = page_bytes(level), base = PA(1) & ~(bytes - 1);
        const u64 va = level < 3 ? TEST : bytes * 2;
        u64* const entry = map_at(roots[0], va, base, V | RWX | A | D, level);
        const u64 at = va + (PA(1) - base);
        check(10, works(S, FETCH, at));
        check(11, attempt_in(S, probe_ld, at + 16) == NO_TRAP && lower_result == read64(PA(1) + 16));
        check(12, works(S, STORE, at + 24) && read64(PA(1) + 24) == at + 24);
        check(13, faults(U, LOAD, at + 16) && faults(U, STORE, at + 16) && faults(U, FETCH, at));
        if (level > 0) {
            // A superpage whose physical address is not aligned to its size.
            const u64 good = *entry;
            for (u64 low = 1; low < bytes >> 12; low <<= 4) {
                *entry = good | low << 10;
                sfence();
                check(14, faults(S, LOAD, at) && faults(S, STORE, at) && faults(S, FETCH, at));
            }
            *entry = good;
        }
        *entry = 0;
        sfence();
        check(15, faults(S, LOAD, at));
        // A table is no leaf at the last level.
        if (level == 0) {
            *entry = leaf(PA(1), V);
            sfence();
            check(16, faults(S, LOAD, at) && faults(S, STORE, at) && faults(S, FETCH, at));
            *entry = 0;
        }
    }
}

// --- permissions: all of R, W, X, U by mode, SUM, MXR and kind
static bool allowed(u64 flags, u64 mode, bool sum, bool mxr, u64 kind) {
    if ((flags & RWX) == 0 || (flags & (R | W)) == W) return false;
    if (mode == U && (flags & UU) == 0) return false;
    if (mode == S && (flags & UU) != 0 && (kind == FETCH || !sum)) return false;
    if (kind == FETCH) return (flags & X) != 0;
    if (kind == STORE) return (flags & W) != 0;
    return (flags & R) != 0 || (mxr && (flags & X) != 0);
}
static void permissions(void) {
    u64* const entry = map(TEST, PA(2), 0);
    for (u64 bits = 0; bits < 16; ++bits) {
        const u64 flags = V | A | D | bits << 1;
        *entry = leaf(PA(2), flags);
        // A table without U, A, D would be a pointer: leave that to the last level's rule.
        sfence();
        for (u64 which = 0; which < 24; ++which) {
            const u64 mode = which & 1, kind = which >> 3;
            const bool sum = (which & 2) != 0, mxr = (which & 4) != 0;
            csr_field(sstatus, MSTATUS_SUM | MSTATUS_MXR, (sum ? MSTATUS_SUM : 0) | (mxr ? MSTATUS_MXR : 0));
            const bool ok = allowed(flags, mode, sum, mxr, kind);
            const bool as_told = ok ? works(mode, kind, TEST) : faults(mode, kind, TEST);
            if (!as_told) {
                show("flags", flags);
                show("mode", mode);
                show("sum", sum);
                show("mxr", mxr);
                show("kind", kind);
            }
            check(20, as_told);
            write32(PA(2), 0x00008067);
            fence_i();
        }
    }
    csr_clear(sstatus, MSTATUS_SUM | MSTATUS_MXR);
    // Atomics need both R and W, and fault as stores; LR as a load.
    *entry = leaf(PA(2), V | R | A | D);
    sfence();
    check(21, attempt_in(S, probe_amo, TEST) == STORE_PAGE && last.tval == TEST);
    check(22, attempt_in(S, probe_lr, TEST) == NO_TRAP);
    *entry = leaf(PA(2), V | X | A | D);
    sfence();
    check(23, attempt_in(S, probe_lr, TEST) == LOAD_PAGE && last.tval == TEST);
    *entry = 0;
    sfence();
    check_unless(ORACLE_QEMU, 24, attempt_in(S, probe_amo, TEST + 8) == STORE_PAGE && last.tval == TEST + 8);
}

// --- encodings that are reserved
static void reserved(void) {
    u64* const entry = map(TEST, PA(2), 0);
    const u64 good = leaf(PA(2), V | RWX | A | D);
    for (u64 bit = 54; bit <= 60; ++bit) {
        *entry = good | BIT(bit);
        sfence();
        check_unless(ORACLE_QEMU, 30,
                     faults(S, LOAD, TEST) && faults(S, STORE, TEST) && faults(S, FETCH, TEST));
    }
    *entry = good & ~(u64)V;
    sfence();
    check(31, faults(S, LOAD, TEST) && faults(S, STORE, TEST) && faults(S, FETCH, TEST));
    *entry = good;
    sfence();
    check(32, works(S, LOAD, TEST));
    // Pointers with D, A, U, PBMT or N, or a reserved bit.
    u64* const pointer = entry_of(roots[0], TEST, 1);
    const u64 table = *pointer;
    const u64 wrong[] = {D, A, UU, PBMT(1), PBMT(2), PBMT(3), N, BIT(54), BIT(60)};
    for (u64 i = 0; i < sizeof wrong / sizeof *wrong; ++i) {
        *pointer = table | wrong[i];
        sfence();
        check_unless(ORACLE_QEMU, 33,
                     faults(S, LOAD, TEST) && faults(S, STORE, TEST) && faults(S, FETCH, TEST));
    }
    *pointer = table | G;  // that one is fine
    sfence();
    check(34, works(S, LOAD, TEST));
    *pointer = table;
    sfence();
}

static void memory_types(void) {
    u64* const entry = map(TEST, PA(2), 0);
    const u64 good = leaf(PA(2), V | RWX | A | D);
    csr_clear(menvcfg, PBMTE);
    for (u64 type = 1; type <= 3; ++type) {
        *entry = good | PBMT(type);
        sfence();
        check_unless(ORACLE_QEMU, 40, faults(S, LOAD, TEST));
    }
    csr_set(menvcfg, PBMTE);
    if (!present(41, "Svpbmt", (csr_read(menvcfg) & PBMTE) != 0)) return;
    for (u64 type = 1; type <= 3; ++type) {
        *entry = good | PBMT(type);
        sfence();
        check_unless(ORACLE_QEMU, 42,
                     type == 3 ? faults(S, LOAD, TEST) : works(S, LOAD, TEST) && works(S, STORE, TEST + 8));
    }
    csr_clear(menvcfg, PBMTE);
}

static void contiguous_pages(void) {
    const u64 flags = V | RWX | A | D | N;
    for (u64 i = 0; i < 16; ++i) write64((u64)napot + i * PAGE, i + 500);
    map(TEST, (u64)napot + 8 * PAGE, flags);
    if (!present(45, "Svnapot", works(S, LOAD, TEST))) return;
    for (u64 i = 0; i < 16; ++i) map(TEST + i * PAGE, (u64)napot + 8 * PAGE, flags);
    for (u64 i = 0; i < 16; ++i) {
        check(46, works(S, LOAD, TEST + i * PAGE) && lower_result == i + 500);
        check(47, works(S, STORE, TEST + i * PAGE + 8) &&
                      read64((u64)napot + i * PAGE + 8) == TEST + i * PAGE + 8);
    }
    // Other sizes are reserved, and so is N on a superpage.
    for (u64 low = 0; low < 16; ++low) {
        map(TEST, (u64)napot + low * PAGE, flags);
        check(48, low == 8 ? works(S, LOAD, TEST) : faults(S, LOAD, TEST));
    }
    for (u64 i = 0; i < 16; ++i) map(TEST + i * PAGE, 0, 0);
    u64* const large = entry_of(roots[0], TEST + (2ul << 20), 1);
    *large = leaf(RAM, flags);
    sfence();
    check(49, faults(S, LOAD, TEST + (2ul << 20)));
    *large = 0;
    sfence();
}

// --- accessed and dirty
static void accessed_and_dirty_once(u64 number, bool hardware) {
    const u64 flags[] = {V | RWX, V | RWX | A, V | RWX | D, V | RWX | A | D};
    for (u64 i = 0; i < 4; ++i) {
        for (u64 kind = LOAD; kind <= FETCH; ++kind) {
            for (u64 level = 0; level < 2; ++level) {
                const u64 base = level == 0 ? PA(2) : PA(2) & ~0x1ffffful;
                const u64 va = TEST + (8ul << 20), at = va + (PA(2) - base);
                u64* const entry = map_at(roots[0], va, base, flags[i], level);
                const u64 before = *entry, wanted = before | A | (kind == STORE ? D : 0);
                if (wanted == before || hardware) {
                    check(number, works(S, kind, at) && *entry == wanted);
                } else {
                    check(number + 1, faults(S, kind, at) && *entry == before);
                }
                if (kind == STORE) write32(PA(2), 0x00008067);
                fence_i();
                *entry = 0;
                if (level == 0) *entry_of(roots[0], va, 1) = 0;
            }
        }
    }
    // What faults for another reason marks nothing.
    u64* const entry = map(TEST + (8ul << 20), PA(2), V | R);
    check(number + 2, faults(S, STORE, TEST + (8ul << 20)) && (*entry & (A | D)) == 0);
    check(number + 2, faults(U, LOAD, TEST + (8ul << 20)) && (*entry & (A | D)) == 0);
    *entry = 0;
    sfence();
}
static void accessed_and_dirty(void) {
    csr_set(menvcfg, ADUE);
    if ((csr_read(menvcfg) & ADUE) != 0) {
        accessed_and_dirty_once(50, true);
        csr_clear(menvcfg, ADUE);
        sfence();
        accessed_and_dirty_once(53, false);
    } else {
        present(56, "Svadu", false);
        u64* const entry = map(TEST, PA(2), V | RWX);
        hardware_ad = works(S, LOAD, TEST);
        *entry = 0;
        note(hardware_ad ? "hardware always updates A and D" : "A and D always fault");
        accessed_and_dirty_once(57, hardware_ad);
    }
}

// --- canonical addresses
static void canonical(void) {
    // The top page of the address space, and both sides of the hole.
    const u64 top = -PAGE, low_end = BIT(SV - 1) - PAGE, high_start = -BIT(SV - 1);
    const u64 good[] = {top, low_end, high_start};
    for (u64 i = 0; i < 3; ++i) {
        map(good[i], PA(3), V | RWX | A | D);
        check(60, works(S, FETCH, good[i]) && works(S, LOAD, good[i] + 8));
        check(61, works(S, STORE, good[i] + 16) && read64(PA(3) + 16) == good[i] + 16);
    }
    map(TEST, PA(3), V | RWX | A | D);
    const u64 wrong[] = {
        low_end + PAGE, high_start - PAGE, TEST | BIT(63),     TEST | BIT(SV), TEST | BIT(SV - 1) | BIT(SV),
        top & ~BIT(63), top & ~BIT(SV),    TEST | 0x7ful << 57};
    for (u64 i = 0; i < sizeof wrong / sizeof *wrong; ++i) {
        check(62, faults(S, LOAD, wrong[i]));
        check(63, faults(S, STORE, wrong[i]));
        check(64, faults(S, FETCH, wrong[i]));
    }
    // Across the edge: the second part is not canonical.
    check(65, attempt_in(S, probe_ld, low_end + PAGE - 4) == LOAD_PAGE && last.tval == low_end + PAGE);
}

// --- sfence.vma
#define FENCE_VA(va) asm volatile("sfence.vma %0" : : "r"(va) : "memory")
#define FENCE_ASID(asid) asm volatile("sfence.vma x0, %0" : : "r"(asid) : "memory")
#define FENCE_BOTH(va, asid) asm volatile("sfence.vma %0, %1" : : "r"(va), "r"(asid) : "memory")
// Svinval: sfence.w.inval, sinval.vma, sfence.inval.ir
static void invalidate(u64 va, u64 asid) {
    asm volatile(".word 0x18000073\n.insn r 0x73, 0, 0x0b, x0, %0, %1\n.word 0x18100073"
                 :
                 : "r"(va), "r"(asid)
                 : "memory");
}
static u64 seen(u64 va) {
    check(69, works(S, LOAD, va));
    return lower_result;
}
static void fences(void) {
    for (u64 i = 0; i < 8; ++i) write64(PA(i) + 8, i);
    u64* entry = map(TEST, PA(0), V | R | A | D);
    const u64 zero = 0;
    for (u64 round = 0; round < 6; ++round) {
        for (u64 i = 0; i < 8; ++i) {
            *entry = leaf(PA(i), V | R | A | D);
            if (round == 0) sfence();
            if (round == 1) FENCE_VA(TEST);
            if (round == 2) FENCE_ASID(zero);
            if (round == 3) FENCE_BOTH(TEST + 0x123, zero);
            if (round == 4) FENCE_VA(TEST + 0xfff);
            if (round == 5) invalidate(TEST, zero);
            check(70 + round, seen(TEST + 8) == i);
        }
    }
    // Less permission, then none.
    *entry = leaf(PA(1), V | R | W | A | D);
    FENCE_VA(TEST);
    check(68, works(S, STORE, TEST + 16));
    *entry = leaf(PA(1), V | R | A | D);
    FENCE_VA(TEST);
    check(76, faults(S, STORE, TEST + 16) && works(S, LOAD, TEST + 8));
    *entry = 0;
    FENCE_VA(TEST);
    check(77, faults(S, LOAD, TEST + 8));
    // An address in the middle of a superpage flushes all of it.
    const u64 va = TEST + (16ul << 20), base = PA(1) & ~0x1ffffful;
    entry = map_at(roots[0], va, base, V | R | A | D, 1);
    check(78, seen(va + (PA(1) - base) + 8) == 1 && works(S, LOAD, va) && works(S, LOAD, va + 0x1ff000));
    *entry = 0;
    FENCE_VA(va + 0x55000);
    check(79,
          faults(S, LOAD, va) && faults(S, LOAD, va + 0x1ff000) && faults(S, LOAD, va + (PA(1) - base) + 8));
    // A global page goes with its address, and with everything.
    entry = map(TEST, PA(1), V | R | G | A | D);
    check(80, seen(TEST + 8) == 1);
    *entry = leaf(PA(2), V | R | G | A | D);
    FENCE_VA(TEST);
    check(81, seen(TEST + 8) == 2);
    *entry = leaf(PA(3), V | R | G | A | D);
    sfence();
    check(82, seen(TEST + 8) == 3);
    *entry = 0;
    sfence();
}

static void address_spaces(void) {
    csr_write(satp, satp_of(roots[0], 0xffff));
    const u64 asids = csr_read(satp) >> 44 & 0xffff;
    csr_write(satp, satp_of(roots[0], 0));
    if (!present(85, "ASIDs", asids != 0)) return;
    check(86, (asids & (asids + 1)) == 0);
    map_at(roots[0], TEST, PA(1), V | R | A | D, 0);
    map_at(roots[1], TEST, PA(2), V | R | A | D, 0);
    map_at(roots[0], TEST + PAGE, PA(7), V | R | G | A | D, 0);
    map_at(roots[1], TEST + PAGE, PA(7), V | R | G | A | D, 0);
    sfence();
    // Switches need no fence, as each space has its number; each keeps what was seen before.
    for (u64 i = 0; i < 6; ++i) {
        csr_write(satp, satp_of(roots[i & 1], 1 + (i & 1)));
        check(87, seen(TEST + 8) == 1 + (i & 1) && seen(TEST + PAGE + 8) == 7);
    }
    // A fence for one space must work for that space.
    csr_write(satp, satp_of(roots[0], 1));
    *entry_of(roots[0], TEST, 0) = leaf(PA(3), V | R | A | D);
    FENCE_ASID(1ul);
    check(88, seen(TEST + 8) == 3);
    // From another space, by address and number; the upper bits of rs2 count for nothing.
    csr_write(satp, satp_of(roots[1], 2));
    check(89, seen(TEST + 8) == 2);
    *entry_of(roots[0], TEST, 0) = leaf(PA(4), V | R | A | D);
    FENCE_BOTH(TEST, 1ul);
    check(90, seen(TEST + 8) == 2);
    csr_write(satp, satp_of(roots[0], 1));
    check(91, seen(TEST + 8) == 4);
    // Bare is at once untranslated, and back.
    csr_write(satp, 0);
    check(92, works(S, LOAD, PA(5) + 8) && lower_result == 5);
    csr_write(satp, satp_of(roots[0], 1));
    check(93, seen(TEST + 8) == 4);
    csr_write(satp, satp_of(roots[0], 0));
    *entry_of(roots[0], TEST, 0) = 0;
    *entry_of(roots[0], TEST + PAGE, 0) = 0;
    sfence();
}

// --- misaligned, across two pages that are not neighbours in memory
// `over` bytes at `physical`, the rest in page 2. Gives what a load sees.
static u64 fill(u64 physical, u64 over, u64 bytes) {
    u64 expected = 0;
    for (u64 i = 0; i < bytes; ++i) {
        write8(i < over ? physical + i : PA(2) + i - over, (u8)(0xa0 + 13 * i));
        expected |= (u64)(u8)(0xa0 + 13 * i) << 8 * i;
    }
    return expected;
}
static void crossing(void) {
    const u64 first = TEST, second = TEST + PAGE, flags = V | R | W | A | D;
    struct {
        u64 (*load)(u64), (*store)(u64), bytes;
    } widths[] = {{probe_lhu, probe_sh, 2}, {probe_lwu, probe_sw, 4}, {probe_ld, probe_sd, 8}};
    for (u64 w = 0; w < 3; ++w) {
        for (u64 over = 1; over < widths[w].bytes; ++over) {
            const u64 at = second - over, physical = PA(5) + PAGE - over;
            map(first, PA(5), flags);
            u64* const next = map(second, PA(2), flags);
            const u64 expected = fill(physical, over, widths[w].bytes);
            check(100, attempt_in(S, widths[w].load, at) == NO_TRAP && lower_result == expected);
            // The second page is missing: it is named, and nothing is stored.
            *next = 0;
            sfence();
            check(101, attempt_in(S, widths[w].load, at) == LOAD_PAGE && last.tval == second);
            check(102, attempt_in(S, widths[w].store, at) == STORE_PAGE && last.tval == second);
            check(103, last.epc == (u64)widths[w].store);
            for (u64 i = 0; i < over; ++i)
                check_unless(ORACLE_SPIKE, 104, read8(physical + i) == (u8)(0xa0 + 13 * i));
            *next = leaf(PA(2), V | R | A | D);  // read-only
            sfence();
            check(105, attempt_in(S, widths[w].store, at) == STORE_PAGE && last.tval == second);
            check_unless(ORACLE_SPIKE, 106, read8(physical) == 0xa0);
            fill(physical, over, widths[w].bytes);
            check(107, attempt_in(S, widths[w].load, at) == NO_TRAP && lower_result == expected);
            // The first page is missing: the access's own address.
            *next = leaf(PA(2), flags);
            *entry_of(roots[0], first, 0) = 0;
            sfence();
            check(108, attempt_in(S, widths[w].load, at) == LOAD_PAGE && last.tval == at);
            check(109, attempt_in(S, widths[w].store, at) == STORE_PAGE && last.tval == at);
            // Both: the first is the one that counts, or the second may be named by who looks there first.
            *next = 0;
            sfence();
            check(110, attempt_in(S, widths[w].load, at) == LOAD_PAGE && last.tval == at);
            check(111, attempt_in(S, widths[w].store, at) == STORE_PAGE && last.tval == at);
            // And the store that works.
            map(first, PA(5), flags);
            *next = leaf(PA(2), flags);
            sfence();
            check(112, attempt_in(S, widths[w].store, at) == NO_TRAP);
            const u64 stored = widths[w].bytes == 8 ? at : 0;
            for (u64 i = 0; i < widths[w].bytes; ++i) {
                const u64 byte = i < over ? physical + i : PA(2) + i - over;
                check(113, read8(byte) == (u8)(stored >> 8 * i));
            }
        }
    }
}

// --- an instruction in two pages
static void straddling_fetch(void) {
    const u64 first = TEST, second = TEST + PAGE, flags = V | X | A | D;
    const u64 at = second - 2;
    map(first, PA(5), flags);
    u64* const next = map(second, PA(2), flags);
    const u32 instruction = 0x02a00513;  // li a0, 42
    write16(PA(5) + PAGE - 2, (u16)instruction);
    write16(PA(2), (u16)(instruction >> 16));
    write16(PA(2) + 2, 0x8082);  // ret
    fence_i();
    check(120, works(S, FETCH, at) && lower_result == 42);
    *next = 0;
    sfence();
    check(121, access(S, FETCH, at) == FETCH_PAGE && last.tval == second && last.epc == at);
    *next = leaf(PA(2), V | R | W | A | D);  // not executable
    sfence();
    check(122, access(S, FETCH, at) == FETCH_PAGE && last.tval == second && last.epc == at);
    *next = leaf(PA(2), flags | UU);  // not S-mode's
    sfence();
    check(123, access(S, FETCH, at) == FETCH_PAGE && last.tval == second && last.epc == at);
    *next = leaf(PA(2), flags);
    *entry_of(roots[0], first, 0) = 0;
    sfence();
    check(124, faults(S, FETCH, at));
    // A compressed instruction at the very end needs only its own page; what it falls into faults in order.
    map(first, PA(5), flags);
    write16(PA(5) + PAGE - 2, 0x8082);
    *next = 0;
    sfence();
    fence_i();
    check(125, works(S, FETCH, at));
    write16(PA(5) + PAGE - 2, 0x557d);  // c.li a0, -1
    fence_i();
    check(126, access(S, FETCH, at) == FETCH_PAGE && last.tval == second && last.epc == second);
    // Another second half, without a new first one.
    write16(PA(5) + PAGE - 2, (u16)instruction);
    for (u64 i = 0; i < 4; ++i) {
        const u64 page = 1 + i;
        write16(PA(page), (u16)((i * 16 + 0x02a0)));
        write16(PA(page) + 2, 0x8082);
        *next = leaf(PA(page), flags);
        sfence();
        fence_i();
        check(127, works(S, FETCH, at) && lower_result == 42 + i);
    }
    put_returns();
}

// --- MPRV
static u64 mprv_load(u64 mode, u64 va) {
    csr_field(mstatus, MSTATUS_MPP, MSTATUS_MPP_(mode));
    u64 value = 0;
    arm();
    asm volatile(".option push\n.option norvc\ncsrs mstatus, %2\nld %0, 0(%1)\ncsrc mstatus, %2\n.option pop"
                 : "+&r"(value)
                 : "r"(va), "r"(MSTATUS_MPRV)
                 : "memory");
    lower_result = value;
    return disarm();
}
// The trap handler runs with MPRV set, too: its accesses are M-mode's, as MPP is M there.
static void modify_privilege(void) {
    write64(PA(4) + 8, 44);
    map(TEST, PA(4), V | R | A | D);
    check(130, mprv_load(S, TEST + 8) == NO_TRAP && lower_result == 44);
    check(131, mprv_load(M, PA(4) + 8) == NO_TRAP && lower_result == 44);
    check(132, mprv_load(U, TEST + 8) == LOAD_PAGE && last.tval == TEST + 8);
    map(TEST, PA(4), V | R | UU | A | D);
    check(133, mprv_load(U, TEST + 8) == NO_TRAP && lower_result == 44);
    check(134, mprv_load(S, TEST + 8) == LOAD_PAGE);
    csr_set(mstatus, MSTATUS_SUM);
    check(135, mprv_load(S, TEST + 8) == NO_TRAP && lower_result == 44);
    csr_clear(mstatus, MSTATUS_SUM);
    map(TEST, PA(4), V | X | A | D);
    check(136, mprv_load(S, TEST + 8) == LOAD_PAGE);
    csr_set(mstatus, MSTATUS_MXR);
    check(137, mprv_load(S, TEST + 8) == NO_TRAP && lower_result == 44);
    csr_clear(mstatus, MSTATUS_MXR);
    // M-mode itself is not translated.
    check(138, read64(PA(4) + 8) == 44);
    check(139, attempt_in(M, probe_ld, TEST + 8) != NO_TRAP && last.cause == LOAD_ACCESS);
    map(TEST, 0, 0);
}

// --- tables that are not in memory
static void walk_faults(void) {
    u64* const pointer = entry_of(roots[0], TEST, 1);
    const u64 table = *pointer;
    *pointer = leaf(HOLE, V);
    sfence();
    for (u64 kind = LOAD; kind <= FETCH; ++kind)
        check_unless(ORACLE_QEMU, 140,
                     access(S, kind, TEST + 8) == access_fault[kind] && last.tval == TEST + 8);
    *pointer = leaf(1ul << 55, V);  // far beyond
    sfence();
    for (u64 kind = LOAD; kind <= FETCH; ++kind)
        check_unless(ORACLE_QEMU, 141,
                     access(S, kind, TEST + 8) == access_fault[kind] && last.tval == TEST + 8);
    *pointer = table;
    sfence();
    // A page that is not in memory.
    map(TEST, HOLE & ~0xffful, V | RWX | A | D);
    for (u64 kind = LOAD; kind <= FETCH; ++kind)
        check(142, access(S, kind, TEST + 8) == access_fault[kind] && last.tval == TEST + 8);
    map(TEST, 1ul << 55, V | RWX | A | D);
    for (u64 kind = LOAD; kind <= FETCH; ++kind)
        check(143, access(S, kind, TEST + 8) == access_fault[kind] && last.tval == TEST + 8);
    // The root itself.
    csr_write(satp, SATP_MODE << 60 | HOLE >> 12);
    check_unless(ORACLE_QEMU, 144, mprv_load(S, TEST + 8) == LOAD_ACCESS && last.tval == TEST + 8);
    csr_write(satp, satp_of(roots[0], 0));
    sfence();
    // A device through a page.
    map(TEST, CLINT + 0xb000, V | R | W | A | D);
    check(145, attempt_in(S, probe_ld, TEST + 0xff8) == NO_TRAP && mtime() - lower_result < 100000000);
    map(TEST, 0, 0);
}

int main(void) {
    map_program(roots[0]);
    map_program(roots[1]);
    put_returns();
    satp_register();
    sizes();
    put_returns();
    permissions();
    reserved();
    memory_types();
    contiguous_pages();
    put_returns();
    accessed_and_dirty();
    canonical();
    put_returns();
    fences();
    address_spaces();
    crossing();
    straddling_fetch();
    modify_privilege();
    walk_faults();
    check(150, next_table <= 64);
    return 0;
}
