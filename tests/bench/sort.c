// The C library's qsort over 64 Ki numbers: an indirect call for every comparison.
#include "bench.h"

enum { kNumbers = 65536 };

static int compare(const void* a, const void* b) {
    const uint32_t x = *(const uint32_t*)a, y = *(const uint32_t*)b;
    return (x > y) - (x < y);
}

int main(int argc, char** argv) {
    static uint32_t numbers[kNumbers];
    struct bench b = bench_open(argc, argv, "sort", "numbers", 48.0 * kNumbers);
    uint64_t seed = 7, sum = 0;
    bench_start(&b);
    for (uint64_t done = 0; done < b.count; done += kNumbers) {
        for (int i = 0; i < kNumbers; ++i) numbers[i] = (uint32_t)bench_random(&seed);
        qsort(numbers, kNumbers, sizeof numbers[0], compare);
        for (int i = 0; i < kNumbers; i += 64) sum = bench_mix(sum, numbers[i]);
    }
    return bench_finish(&b, sum);
}
