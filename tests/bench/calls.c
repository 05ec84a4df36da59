// Deep recursion, and calls through a table of functions: returns and indirect jumps.
#include "bench.h"

typedef uint64_t (*function)(uint64_t);

__attribute__((noinline)) static uint64_t takeuchi(int x, int y, int z, uint64_t* calls) {
    ++*calls;
    if (y >= x) return (uint64_t)z;
    return takeuchi((int)takeuchi(x - 1, y, z, calls), (int)takeuchi(y - 1, z, x, calls),
                    (int)takeuchi(z - 1, x, y, calls), calls);
}

static uint64_t twice(uint64_t x) { return x * 2 + 1; }
static uint64_t shift(uint64_t x) { return x ^ x >> 11; }
static uint64_t spread(uint64_t x) { return x * 0x9e3779b97f4a7c15u; }
static uint64_t flip(uint64_t x) { return ~x; }

static const function kFunctions[] = {twice, shift, spread, flip};

int main(int argc, char** argv) {
    struct bench b = bench_open(argc, argv, "calls", "rounds", 400);
    uint64_t calls = 0, value = 1;
    bench_start(&b);
    for (uint64_t round = 0; round < b.count; ++round) {
        value += takeuchi(15, 10, 5, &calls);
        for (int i = 0; i < 200000; ++i) value = kFunctions[value >> 7 & 3](value);
    }
    return bench_finish(&b, bench_mix(value, calls));
}
