// a = b + s * c over three arrays of 8 MiB. Arguments: SCALE GAP.
//
// GAP is how many pages the arrays are apart beyond their size. With 0, elements at the same index share an
// entry of any TLB that has a power of two of them.
#include "bench.h"

enum { kElements = 1 << 20, kPage = 4096 / sizeof(double), kMostGap = 64 };

int main(int argc, char** argv) {
    const size_t gap = argc > 2 ? strtoull(argv[2], NULL, 0) : 13;
    struct bench b =
        bench_open(argc, argv, gap ? "triad" : "triad-alias", "elements", (gap ? 120.0 : 40.0) * kElements);
    static double area[3 * kElements + 2 * kMostGap * kPage];
    if (gap > kMostGap) return 2;
    double *const x = area, *const y = x + kElements + gap * kPage, *const z = y + kElements + gap * kPage;
    for (int i = 0; i < kElements; ++i) {
        x[i] = 0;
        y[i] = i;
        z[i] = kElements - i;
    }
    bench_start(&b);
    for (uint64_t done = 0; done < b.count; done += kElements) {
        for (int i = 0; i < kElements; ++i) x[i] = y[i] + 0.5 * z[i];
        y[done / kElements % kElements] += x[kElements / 2];
    }
    uint64_t sum = 0;
    for (int i = 0; i < kElements; i += 61) sum = bench_mix(sum, bench_bits(x[i]));
    return bench_finish(&b, sum);
}
