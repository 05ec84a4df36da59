// Deep recursion with four arguments (Takeuchi's function): calls, returns and the stack.
#include "bench.h"

__attribute__((noinline)) static uint64_t takeuchi(int x, int y, int z, uint64_t* calls) {
    ++*calls;
    if (y >= x) return (uint64_t)z;
    return takeuchi((int)takeuchi(x - 1, y, z, calls), (int)takeuchi(y - 1, z, x, calls),
                    (int)takeuchi(z - 1, x, y, calls), calls);
}

int main(int argc, char** argv) {
    struct bench b = bench_open(argc, argv, "calls", "rounds", 8000);
    uint64_t calls = 0, value = 1;
    bench_start(&b);
    for (uint64_t round = 0; round < b.count; ++round) value += takeuchi(15, 10, 5, &calls);
    return bench_finish(&b, bench_mix(value, calls));
}
