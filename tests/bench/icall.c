// Calls through a table of eight functions, in an order that follows from the data: indirect jumps.
#include "bench.h"

typedef uint64_t (*function)(uint64_t);

static uint64_t twice(uint64_t x) { return x * 2 + 1; }
static uint64_t shift(uint64_t x) { return x ^ x >> 11; }
static uint64_t spread(uint64_t x) { return x * 0x9e3779b97f4a7c15u; }
static uint64_t flip(uint64_t x) { return ~x; }
static uint64_t fold(uint64_t x) { return (x << 32 | x >> 32) + 7; }
static uint64_t less(uint64_t x) { return x - (x >> 5); }
static uint64_t turn(uint64_t x) { return x << 13 | x >> 51; }
static uint64_t step(uint64_t x) { return x + 0x632be59bd9b4e019u; }

static const function kFunctions[] = {twice, shift, spread, flip, fold, less, turn, step};

int main(int argc, char** argv) {
    struct bench b = bench_open(argc, argv, "icall", "calls", 48e6);
    uint64_t value = 1, seed = 17;
    bench_start(&b);
    for (uint64_t i = 0; i < b.count; ++i) value = kFunctions[bench_random(&seed) >> 40 & 7](value);
    return bench_finish(&b, value);
}
