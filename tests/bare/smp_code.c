// Several harts that execute code which others change all the time: much of it, so that translations of it
// give way to others, and some without any order but a fence.i of the hart that executes it.
//
// oracle: QEMU 7.2 (-smp 4)
#include "runtime.h"

#define FUNCTIONS 4096ul
#define FUNCTION_WORDS 16ul
#define PASSES 9
#define VERSIONS 400
#define HOT 16ul
#define HOT_STRIDE 4092ul  // some go on in the next page, before or behind what is changed
#define NOP 0x13u
#define RET 0x8067u

static u32 many[FUNCTIONS][FUNCTION_WORDS] __attribute__((aligned(4096)));
static u32 hot[10 * 1024] __attribute__((aligned(4096)));
static volatile u64 begun[MAX_HARTS], published[MAX_HARTS];  // versions of a hart's hot functions

static u32 li_a0(u64 value) { return (u32)(value << 20 | 0x513); }
static u64 call(const u32* at) { return ((u64(*)(void))(u64)at)(); }

// --- a third of it changed by one hart at a time, and executed by all
static u64 value_in(u64 function, u64 pass) { return (function * 7 + pass * 13) % 2000; }
static u64 pass_of(u64 function, u64 pass) {  // in which it was changed last
    while ((function + pass) % 3 != 0) --pass;
    return pass;
}
static void write_many(u64 pass) {
    for (u64 k = 0; k < FUNCTIONS; ++k) {
        if (pass > 3 && (k + pass) % 3 != 0) continue;
        many[k][0] = li_a0(value_in(k, pass_of(k, pass)));
        for (u64 i = 1; i < FUNCTION_WORDS - 1; ++i) many[k][i] = 0x00050513;  // addi a0, a0, 0
        many[k][FUNCTION_WORDS - 1] = RET;
    }
}
static void many_functions(void) {
    for (u64 pass = 3; pass < 3 + PASSES; ++pass) {
        if (self() == pass % harts) write_many(pass);
        barrier();
        fence_i();
        for (u64 i = 0; i < FUNCTIONS; ++i) {
            const u64 k = (i + self() * 1000) % FUNCTIONS;
            expect(10, call(many[k]) == value_in(k, pass_of(k, pass)));
        }
        settle(11);
    }
}

// --- every hart changes its own functions and executes all, at once
static u32* hot_at(u64 k) { return hot + (k % 8 * HOT_STRIDE + k / 8 * 1024) / 4; }
static u64 owner_of(u64 k) { return (k + k / 8) % harts; }
static void execute_hot(u64 times) {
    u64 least[MAX_HARTS];
    for (u64 i = 0; i < harts; ++i) least[i] = published[i];
    fence();
    fence_i();
    for (u64 n = 0; n < times; ++n) {
        for (u64 k = 0; k < HOT; ++k) {
            const u64 got = call(hot_at(k));
            fence();
            expect(20, got >= least[owner_of(k)]);
            expect(21, got <= begun[owner_of(k)]);
        }
    }
}
static void hot_functions(void) {
    if (self() == 0)
        for (u64 k = 0; k < HOT; ++k) {
            const u32 code[4] = {NOP, li_a0(0), NOP, RET};
            for (u64 i = 0; i < 4; ++i) ((volatile u32*)hot_at(k))[i] = code[i];
        }
    barrier();
    for (u64 version = 1; version <= VERSIONS; ++version) {
        begun[self()] = version;
        fence();
        for (u64 k = 0; k < HOT; ++k)
            if (owner_of(k) == self()) ((volatile u32*)hot_at(k))[1] = li_a0(version);
        fence();
        published[self()] = version;
        execute_hot(1 + version % 8);
    }
    settle(22);
    execute_hot(1);
    for (u64 i = 0; i < harts; ++i) expect(23, published[i] == VERSIONS);
    settle(23);
}

static void all(void) {
    barrier();
    many_functions();
    hot_functions();
    many_functions();
}

void secondary(void) {
    announce();
    while (harts == 0) relax();
    all();
}

int main(void) {
    gather();
    all();
    return 0;
}
