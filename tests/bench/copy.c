// The C library's memcpy between buffers of 32 MiB, 512 bytes to 1 MiB at a time.
#include "bench.h"

// The buffers are an odd number of pages apart, so that they do not share the entries of a small TLB.
enum { kBuffer = 32 << 20, kGap = 13 * 4096 };

int main(int argc, char** argv) {
    static uint8_t area[2 * kBuffer + kGap];
    static const size_t kSizes[] = {512, 4096, 16384, 65536, 1 << 20};
    uint8_t *const from = area, *const to = area + kBuffer + kGap;
    struct bench b = bench_open(argc, argv, "copy", "KiB", 3e6);
    for (int i = 0; i < kBuffer; ++i) from[i] = (uint8_t)(i * 7 + (i >> 9));
    memset(to, 1, kBuffer);
    bench_start(&b);
    size_t at = 0;
    for (uint64_t bytes = 0, i = 0; bytes < b.count * 1024; ++i) {
        const size_t size = kSizes[i % 5], shift = i % 16 == 7;  // one in 16 is not aligned
        memcpy(to + at, from + at + shift, size);
        bytes += size;
        at = (at + size) % (kBuffer - 2 * kSizes[4]) & ~(size_t)63;
    }
    uint64_t sum = 0;
    for (int i = 0; i < kBuffer; i += 1021) sum = bench_mix(sum, to[i]);
    return bench_finish(&b, sum);
}
