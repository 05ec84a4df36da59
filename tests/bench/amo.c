// Atomic additions, exchanges and compare-and-swap that nobody else contends for.
#include "bench.h"

int main(int argc, char** argv) {
    static uint64_t total, top;
    static uint32_t ticket, lock;
    struct bench b = bench_open(argc, argv, "amo", "operations", 240e6);
    uint64_t sum = 0;
    bench_start(&b);
    for (uint64_t i = 0; i < b.count; i += 5) {
        while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE)) {}
        sum += __atomic_fetch_add(&total, i, __ATOMIC_RELAXED);
        sum ^= __atomic_fetch_add(&ticket, 3, __ATOMIC_ACQ_REL);
        uint64_t seen = __atomic_load_n(&top, __ATOMIC_RELAXED);
        __atomic_compare_exchange_n(&top, &seen, seen + sum, 0, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
        sum += __atomic_exchange_n(&lock, 0, __ATOMIC_ACQ_REL);
    }
    return bench_finish(&b, bench_mix(sum, total ^ top ^ ticket));
}
