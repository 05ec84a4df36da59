// a = b + s * c over three arrays of 2 MiB: the memory's bandwidth as double arithmetic sees it.
#include "bench.h"

enum { kElements = 262144 };

int main(int argc, char** argv) {
    static double x[kElements], y[kElements], z[kElements];
    struct bench b = bench_open(argc, argv, "triad", "elements", 160.0 * kElements);
    for (int i = 0; i < kElements; ++i) {
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
