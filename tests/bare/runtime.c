// The part of the runtime that is C: console, checks, the trap handler.
#include "runtime.h"

volatile struct trap last;
volatile struct s_trap s_trap;
bool (*volatile on_trap)(struct frame* frame);
u64 lower_result, user_offset;
static volatile bool armed;
static u64 checks, differences;
static u8 known[256];

u64 enter_lower(u64 mode, u64 function, u64 argument, u64 stack, u64 ra);
__attribute__((noreturn)) void leave_lower(u64 result);
void lower_return(void);
extern u8 lower_stack_end[];

void* memset(void* to, int byte, u64 bytes) {
    for (volatile u8* at = to; bytes != 0; --bytes) *at++ = (u8)byte;
    return to;
}
void* memcpy(void* to, const void* from, u64 bytes) {
    const u8* source = from;
    for (volatile u8* at = to; bytes != 0; --bytes) *at++ = *source++;
    return to;
}

u64 trailing_zeros(u64 value) {
    u64 count = 0;
    for (; (value & 1) == 0; value >>= 1) ++count;
    return count;
}

static void put(char c) {
    for (u32 i = 0; i < 100000 && (read8(UART + 5) & 0x20) == 0; ++i) {}
    write8(UART, (u8)c);
}
void put_text(const char* text) {
    for (; *text != 0; ++text) put(*text);
}
void put_hex(u64 value) {
    put_text("0x");
    for (int shift = 60; shift >= 0; shift -= 4)
        if (shift == 0 || value >> shift != 0) put("0123456789abcdef"[value >> shift & 15]);
}
void put_number(u64 value) {
    if (value >= 10) put_number(value / 10);
    put((char)('0' + value % 10));
}
void note(const char* text) {
    put_text(PROGRAM ": ");
    put_text(text);
    put('\n');
}

#if ORACLE_SPIKE
__attribute__((section(".tohost"), aligned(4096))) volatile u64 tohost;
__attribute__((section(".tohost"), aligned(64))) volatile u64 fromhost;
#endif

void finish(u64 code) {
#if ORACLE_SPIKE
    for (;;) tohost = code << 1 | 1;
#endif
    write32(FINISHER, code == 0 ? 0x5555 : (u32)(code << 16 | 0x3333));
    for (;;) {}
}
void pass(void) {
    put_text("PASS " PROGRAM ": ");
    put_number(checks);
    put_text(" checks\n");
    if (differences != 0) {
        put_number(differences);
        put_text(" known differences\n");
    }
    finish(0);
}

static void fail(u64 number) {
    write8(UART + 4, 0);  // the test may have left the UART in loopback
    put_text("FAIL " PROGRAM ": check ");
    put_number(number);
}
void show(const char* name, u64 value) {
    put_text("  ");
    put_text(name);
    put_text(" = ");
    put_hex(value);
    put('\n');
}
static void show_last(void) {
    show("traps", last.count);
    if (last.count == 0) return;
    show("cause", last.cause);
    show("epc", last.epc);
    show("tval", last.tval);
    show("status", last.status);
}
void check_at(u64 number, bool holds, u64 line, const char* text) {
    ++checks;
    if (holds) return;
    fail(number);
    put_text(", line ");
    put_number(line);
    put_text(": ");
    put_text(text);
    put('\n');
    show_last();
    finish(number);
}
void known_difference(u64 number, const char* text) {
    if (known[number & 255]++ != 0) return;
    ++differences;
    put_text("DIFFERS " PROGRAM ": check ");
    put_number(number);
    put_text(": ");
    put_text(text);
    put('\n');
}
bool present(u64 number, const char* extension, bool there) {
    if (there) return true;
    put_text(ORACLE_QEMU || ORACLE_SPIKE ? "SKIP " PROGRAM ": no " : "FAIL " PROGRAM ": no ");
    put_text(extension);
    put('\n');
    if (!ORACLE_QEMU && !ORACLE_SPIKE) finish(number);
    return false;
}

void arm(void) {
    last.count = 0;
    last.cause = NO_TRAP;
    last.epc = last.tval = last.status = 0;
    armed = true;
    asm volatile("" : : : "memory");
}
u64 disarm(void) {
    asm volatile("" : : : "memory");
    armed = false;
    return last.cause;
}

static void unexpected(const struct frame* frame) {
    fail(254);
    put_text(": unexpected trap\n");
    show("cause", frame->cause);
    show("epc", frame->epc);
    show("tval", frame->tval);
    show("status", frame->status);
    show("ra", frame->x[1]);
    finish(254);
}
static bool from_below(const struct frame* frame) { return (frame->status & MSTATUS_MPP) != MSTATUS_MPP; }

void trap_handler(struct frame* frame) {
    const bool ecall = frame->cause == ECALL_U || frame->cause == ECALL_S;
    if (ecall && frame->x[17] == RETURN_MAGIC && from_below(frame)) leave_lower(frame->x[10]);
    if (on_trap != 0 && on_trap(frame)) return;
    if (!armed || (frame->cause & INTERRUPT) != 0) unexpected(frame);
    if (last.count == 0) {
        last.cause = frame->cause;
        last.epc = frame->epc;
        last.tval = frame->tval;
        last.status = frame->status;
    }
    ++last.count;
    if (last.count > 100) unexpected(frame);
    // A jump to where nothing can be fetched ends as if what is there had returned.
    const bool fetch = frame->cause == FETCH_ACCESS || frame->cause == FETCH_PAGE;
    frame->epc = fetch ? frame->x[1] : frame->epc + 4;
}

void delegate(u64 exceptions, u64 interrupts) {
    memset((void*)&s_trap, 0, sizeof s_trap);
    csr_write(stvec, (u64)s_trap_entry);
    csr_write(sscratch, (u64)&s_trap);
    csr_write(medeleg, exceptions);
    csr_write(mideleg, interrupts);
}

u64 run_in(u64 mode, u64 (*function)(u64), u64 argument) {
    if (mode == M) return lower_result = function(argument);
    const u64 offset = mode == U ? user_offset : 0;
    lower_result = enter_lower(mode, (u64)function + offset, argument, (u64)lower_stack_end + offset,
                               (u64)lower_return + offset);
    return lower_result;
}
u64 attempt_in(u64 mode, u64 (*function)(u64), u64 argument) {
    arm();
    run_in(mode, function, argument);
    return disarm();
}

// Devicetree Specification, "Flattened Devicetree (DTB) Format": counts the nodes that are named cpu@….
static u32 big_endian(u64 at) {
    return read8(at) << 24 | read8(at + 1) << 16 | read8(at + 2) << 8 | read8(at + 3);
}
static u64 harts_in_tree(void) {
    enum { BEGIN_NODE = 1, END_NODE, PROPERTY, NOTHING };
    if (boot_tree == 0 || big_endian(boot_tree) != 0xd00dfeed) return 0;
    u64 at = boot_tree + big_endian(boot_tree + 8), count = 0;
    for (const u64 end = at + big_endian(boot_tree + 36); at < end;) {
        const u32 token = big_endian(at);
        at += 4;
        if (token == BEGIN_NODE) {
            if (read8(at) == 'c' && read8(at + 1) == 'p' && read8(at + 2) == 'u' && read8(at + 3) == '@')
                ++count;
            while (read8(at) != 0) ++at;
            at = (at + 4) & ~3ul;
        } else if (token == PROPERTY) {
            at += (8 + big_endian(at) + 3) & ~3u;
        } else if (token != END_NODE && token != NOTHING) {
            break;
        }
    }
    return count;
}

__attribute__((weak)) void secondary(void) {}

volatile u64 harts, failed_check;
static volatile u64 online, arrived, phase;

void announce(void) {
    asm volatile("amoor.d.aqrl x0, %0, (%1)" : : "r"(BIT(self())), "r"(&online) : "memory");
}
void gather(void) {
    const u64 expected = harts_in_tree();
    check(1, self() == 0 && expected >= 2 && expected <= MAX_HARTS);
    announce();
    for (u64 i = 0; i < 10000000 && online != BIT(expected) - 1; ++i) relax();
    check(2, online == BIT(expected) - 1);
    harts = expected;
}
void barrier(void) {
    const u64 now = phase;
    u64 before;
    fence();
    asm volatile("amoadd.d.aqrl %0, %1, (%2)" : "=r"(before) : "r"(1ul), "r"(&arrived) : "memory");
    if (before == harts - 1) {
        arrived = 0;
        fence();
        phase = now + 1;
    }
    while (phase == now) relax();
    fence();
}
void settle(u64 number) {
    barrier();
    if (self() == 0) check(failed_check != 0 ? failed_check : number, failed_check == 0);
    barrier();
}
