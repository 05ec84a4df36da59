// Several harts: starting by MSIP, locks and counters that must come out exact, IPIs, ordering, code and
// page tables that another hart changes.
//
// oracle: QEMU 7.2 (-smp 4), Spike (-p4)
#include "runtime.h"

#define ROUNDS 2000
static volatile u64 started;
static volatile u64 plain, locked_total, lr_total;
static volatile u32 words;
static volatile u32 lock;
static volatile u64 interrupts[MAX_HARTS];

static void add64(volatile u64* to, u64 value) {
    asm volatile("amoadd.d.aqrl x0, %0, (%1)" : : "r"(value), "r"(to) : "memory");
}
static void acquire(void) {
    asm volatile(
        "1: lr.w.aq t0, (%0)\nbnez t0, 2f\nli t0, 1\nsc.w t1, t0, (%0)\nbeqz t1, 3f\n"
        "2: .word 0x0100000f\nj 1b\n3:"
        :
        : "r"(&lock)
        : "t0", "t1", "memory");
}
static void release(void) { asm volatile("amoswap.w.rl x0, x0, (%0)" : : "r"(&lock) : "memory"); }

static void raise_ipi(u64 hart) {
    fence();
    write32(MSIP(hart), 1);
}
static void wait_for_ipi(void) {
    csr_write(mie, BIT(MSI));
    while ((csr_read(mip) & BIT(MSI)) == 0) asm volatile("wfi" : : : "memory");
    write32(MSIP(self()), 0);
    while ((csr_read(mip) & BIT(MSI)) != 0) relax();
    csr_write(mie, 0);
    fence();
}

// --- counters
static void counting(void) {
    barrier();
    for (u64 i = 0; i < ROUNDS; ++i) {
        acquire();
        plain = plain + 1;
        locked_total += plain & 1;
        release();
    }
    barrier();
    if (self() == 0) check(10, plain == harts * ROUNDS && locked_total == harts * ROUNDS / 2);
    for (u64 i = 0; i < ROUNDS; ++i) {
        asm volatile("amoadd.w x0, %0, (%1)" : : "r"(3ul), "r"(&words) : "memory");
        asm volatile("1: lr.d t0, (%0)\naddi t0, t0, 1\nsc.d t1, t0, (%0)\nbnez t1, 1b"
                     :
                     : "r"(&lr_total)
                     : "t0", "t1", "memory");
    }
    barrier();
    if (self() == 0) check(11, words == harts * ROUNDS * 3);
    if (self() == 0) check(12, lr_total == harts * ROUNDS);
    // The other operations: each hart has its bit or its number.
    static volatile u64 bits, all_ones, largest;
    if (self() == 0) all_ones = -1ul;
    barrier();
    for (u64 i = 0; i < 1000; ++i) {
        const u64 mine = BIT(self());
        asm volatile("amoor.d x0, %0, (%1)" : : "r"(mine), "r"(&bits) : "memory");
        asm volatile("amoxor.d x0, %0, (%1)" : : "r"(mine << 8), "r"(&bits) : "memory");
        asm volatile("amoand.d x0, %0, (%1)" : : "r"(~mine), "r"(&all_ones) : "memory");
        asm volatile("amomaxu.d x0, %0, (%1)" : : "r"(i * (self() + 1)), "r"(&largest) : "memory");
    }
    barrier();
    if (self() == 0)
        check(13, bits == BIT(harts) - 1 && ~all_ones == BIT(harts) - 1 && largest == 999 * harts);
    // A swap is a token: it is never lost nor doubled.
    static volatile u64 token, held[MAX_HARTS];
    if (self() == 0) token = 1;
    barrier();
    u64 mine = 0;
    for (u64 i = 0; i < 1000; ++i)
        asm volatile("amoswap.d.aqrl %0, %0, (%1)" : "+r"(mine) : "r"(&token) : "memory");
    held[self()] = mine;
    barrier();
    if (self() == 0) {
        u64 total = token;
        for (u64 i = 0; i < harts; ++i) total += held[i];
        check(14, total == 1);
    }
    barrier();
}

// --- an SC must fail when another hart has stored between
static volatile u64 contested, request, answer;
static void store_between(void) {
    barrier();
    if (self() == 0) {
        for (u64 i = 1; i <= 20; ++i) {
            u64 failed, loaded;
            contested = 100;
            fence();
            asm volatile(
                "lr.d.aq %0, (%2)\nsd %3, 0(%4)\n1: ld t0, 0(%5)\nbne t0, %3, 1b\nfence\nsc.d %1, %3, (%2)"
                : "=&r"(loaded), "=&r"(failed)
                : "r"(&contested), "r"(i), "r"(&request), "r"(&answer)
                : "t0", "memory");
            check(20, failed == 1 && contested == 100 + i);
        }
        // The same value again: it must fail, too. Who compares values is told that, and no more.
        u64 failed, loaded;
        contested = 77;
        fence();
        asm volatile(
            "lr.d.aq %0, (%2)\nsd %3, 0(%4)\n1: ld t0, 0(%5)\nbne t0, %3, 1b\nfence\nsc.d %1, %3, (%2)"
            : "=&r"(loaded), "=&r"(failed)
            : "r"(&contested), "r"(21ul), "r"(&request), "r"(&answer)
            : "t0", "memory");
        if (failed == 0) note("SC succeeds when another hart has stored the same value");
        request = 0;
    } else if (self() == 1) {
        for (u64 i = 1; i <= 21; ++i) {
            while (request != i) relax();
            fence();
            contested = i == 21 ? 77 : 100 + i;
            fence();
            answer = i;
        }
    }
    barrier();
}

// --- IPIs
static void ping_pong(void) {
    for (u64 other = 1; other < harts; ++other) {
        barrier();
        static volatile u64 ball;
        if (self() == 0) {
            ball = 0;
            for (u64 i = 0; i < 200; ++i) {
                ball = ball + 1;
                raise_ipi(other);
                wait_for_ipi();
                check(25, ball == 2 * i + 2);
            }
        } else if (self() == other) {
            for (u64 i = 0; i < 200; ++i) {
                wait_for_ipi();
                expect(26, ball == 2 * i + 1);
                ball = ball + 1;
                raise_ipi(0);
            }
        }
        settle(26);
    }
}
static bool count_ipi(struct frame* frame) {
    if (frame->cause != (INTERRUPT | MSI)) return false;
    const u64 hart = csr_read(mhartid);
    write32(MSIP(hart), 0);
    fence();
    ++interrupts[hart];
    return true;
}
// Each hart interrupts its neighbour; all are taken, none is lost: the sender waits for the count.
static void ring(void) {
    if (self() == 0) on_trap = count_ipi;
    barrier();
    csr_write(mie, BIT(MSI));
    csr_set(mstatus, MSTATUS_MIE);
    const u64 next = (self() + 1) % harts;
    for (u64 i = 1; i <= 200; ++i) {
        raise_ipi(next);
        while (interrupts[next] < i) relax();
    }
    barrier();
    csr_clear(mstatus, MSTATUS_MIE);
    csr_write(mie, 0);
    expect(30, interrupts[self()] == 200);
    settle(30);
    if (self() == 0) on_trap = 0;
    barrier();
}

// --- order of memory accesses
static volatile u64 data __attribute__((aligned(128))), flag __attribute__((aligned(128))), taken;
static void message_passing(void) {
    barrier();
    if (self() == 0) {
        for (u64 i = 1; i <= 2000; ++i) {
            data = i * 3;
            asm volatile("fence w, w" : : : "memory");
            flag = i;
            while (taken != i) relax();
        }
    } else if (self() == 1) {
        for (u64 i = 1; i <= 2000; ++i) {
            while (flag != i) relax();
            asm volatile("fence r, r" : : : "memory");
            expect(35, data == i * 3);
            fence();
            taken = i;
        }
    }
    settle(35);
}
static volatile u64 left __attribute__((aligned(128))), right __attribute__((aligned(128))), seen[2];
static void store_buffering(void) {
    for (u64 i = 0; i < 300; ++i) {
        if (self() == 0) left = right = 0;
        barrier();
        if (self() == 0) {
            left = 1;
            fence();
            seen[0] = right;
        } else if (self() == 1) {
            right = 1;
            fence();
            seen[1] = left;
        }
        barrier();
        if (self() == 0) check(36, seen[0] == 1 || seen[1] == 1);
    }
}
// The same with an AMO in the place of store and fence: what follows an acquire comes later.
static void amo_buffering(void) {
    for (u64 i = 0; i < 300; ++i) {
        if (self() == 0) left = right = 0;
        barrier();
        if (self() < 2) {
            volatile u64* const mine = self() == 0 ? &left : &right;
            volatile u64* const other = self() == 0 ? &right : &left;
            asm volatile("amoswap.d.aqrl x0, %1, (%2)\nld %0, 0(%3)"
                         : "=&r"(seen[self()])
                         : "r"(1ul), "r"(mine), "r"(other)
                         : "memory");
        }
        barrier();
        if (self() == 0) check(37, seen[0] == 1 || seen[1] == 1);
    }
}
// Independent reads of independent writes: two readers agree on which of two growing numbers grew first.
#define PAIRS 200
static volatile u64 read_by[2][PAIRS][2], written;  // by reader: the first and the second that it read
static void grow(volatile u64* number) {
    for (u64 i = 1; i <= 20000; ++i) *number = i;
    add64(&written, 1);
}
static void read_both(volatile u64 pairs[PAIRS][2], volatile u64* first, volatile u64* second) {
    for (u64 n = 0, last = -1ul; n < PAIRS;) {
        const u64 a = *first;
        asm volatile("fence r, r" : : : "memory");
        const u64 b = *second;
        if (a == last && written != 2) continue;
        pairs[n][0] = last = a;
        pairs[n++][1] = b;
    }
}
static void independent_reads(void) {
    if (harts < 4) return;
    if (self() == 0) left = right = written = 0;
    barrier();
    switch (self()) {
        case 0: grow(&left); break;
        case 1: grow(&right); break;
        case 2: read_both(read_by[0], &left, &right); break;
        case 3: read_both(read_by[1], &right, &left); break;
    }
    barrier();
    if (self() != 0) return;
    for (u64 i = 0; i < PAIRS; ++i)
        for (u64 k = 0; k < PAIRS; ++k) {
            const volatile u64 *const one = read_by[0][i], *const two = read_by[1][k];
            if (one[1] < two[0] && two[1] < one[0]) check(38, false);
        }
}

// --- code that another hart has changed
static u32 code[2] __attribute__((aligned(64)));
static void remote_code(void) {
    for (u32 i = 0; i < 50; ++i) {
        if (self() == 0) {
            code[0] = i << 20 | 0x513;  // li a0, i
            code[1] = 0x8067;
            fence();
        }
        barrier();
        fence_i();
        expect(40, ((u64(*)(void))(u64)code)() == i);
        settle(40);
    }
}
// The same where it is hot and lies beside data that all write; all take turns to change it, and tell by
// IPIs.
#define CALLS 200
static struct {
    u32 code[8][4];
    volatile u64 calls[MAX_HARTS];
} page __attribute__((aligned(4096)));
static void put_adder(u64 place, u32 amount) {
    page.code[place][0] = amount << 20 | 0x50513;  // addi a0, a0, amount
    page.code[place][1] = 0x8067;
}
static void hot_remote_code(void) {
    u64 sum = 0;
    if (self() == 0)
        for (u64 k = 0; k < 8; ++k) put_adder(k, 0);
    for (u64 i = 1; i <= 64; ++i) {
        barrier();
        if (self() == i % harts) {
            sum += i - (i > 8 ? i - 8 : 0);
            put_adder(i % 8, (u32)i);
            for (u64 other = 0; other < harts; ++other)
                if (other != self()) raise_ipi(other);
        } else {
            wait_for_ipi();
            sum += i - (i > 8 ? i - 8 : 0);
        }
        fence_i();
        u64 got = 0;
        for (u64 n = 0; n < CALLS; ++n) {
            for (u64 k = 0; k < 8; ++k) got = ((u64(*)(u64))(u64)page.code[k])(got);
            page.calls[self()] = page.calls[self()] + 1;
        }
        expect(41, got == CALLS * sum);
    }
    expect(42, page.calls[self()] == 64 * CALLS);
    settle(41);
}

// --- page tables that another hart has changed, seen after an IPI and a fence
static u64 tables[3][512] __attribute__((aligned(4096)));
static u64 frames[4][512] __attribute__((aligned(4096)));
static u64 translated_load(u64 va) {
    u64 value;
    csr_field(mstatus, MSTATUS_MPP, MSTATUS_MPP_(S));
    asm volatile("csrs mstatus, %2\nld %0, 0(%1)\ncsrc mstatus, %2"
                 : "=&r"(value)
                 : "r"(va), "r"(MSTATUS_MPRV)
                 : "memory");
    return value;
}
static void remote_tables(void) {
    enum { V = 1, R = 2, W = 4, A = 64, D = 128 };
    const u64 va = 0x40000000;
    if (self() == 0) {
        for (u64 i = 0; i < 4; ++i) frames[i][0] = i + 1000;
        tables[0][1] = (u64)tables[1] >> 2 | V;
        tables[1][0] = (u64)tables[2] >> 2 | V;
        tables[2][0] = (u64)frames[0] >> 2 | V | R | W | A | D;
    }
    barrier();
    csr_write(satp, 8ul << 60 | (u64)tables[0] >> 12);
    sfence();
    for (u64 i = 0; i < 40; ++i) {
        expect(45, translated_load(va) == 1000 + i % 4);
        barrier();
        if (self() == 0) {
            tables[2][0] = (u64)frames[(i + 1) % 4] >> 2 | V | R | W | A | D;
            for (u64 other = 1; other < harts; ++other) raise_ipi(other);
        } else {
            wait_for_ipi();
        }
        sfence();
        settle(45);
    }
    csr_write(satp, 0);
    sfence();
}

// --- timers of their own
static void timers(void) {
    barrier();
    const u64 when = mtime() + 200 * (self() + 1);
    write64(MTIMECMP(self()), when);
    csr_write(mie, BIT(MTI));
    while ((csr_read(mip) & BIT(MTI)) == 0) asm volatile("wfi" : : : "memory");
    expect(50, mtime() >= when);
    csr_write(mie, 0);
    write64(MTIMECMP(self()), -1ul);
    settle(50);
}

static void all(void) {
    counting();
    store_between();
    ping_pong();
    ring();
    message_passing();
    store_buffering();
    amo_buffering();
    independent_reads();
    remote_code();
    hot_remote_code();
    remote_tables();
    timers();
}

// Each announces itself, sleeps, and is started by an IPI.
void secondary(void) {
    announce();
    wait_for_ipi();
    add64(&started, 1);
    all();
}

int main(void) {
    gather();
    check(3, started == 0);
    for (u64 i = 1; i < harts; ++i) {
        raise_ipi(i);
        for (u64 j = 0; j < 10000000 && started != i; ++j) relax();
        check(4, started == i && read32(MSIP(i)) == 0);
    }
    // An IPI to a hart that is not there goes nowhere.
    write32(MSIP(MAX_HARTS + 100), 1);
    all();
    return 0;
}
