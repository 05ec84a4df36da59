// The C library's memcpy, from 32 bytes to 64 KiB, aligned and not.
#include "bench.h"

enum { kBuffer = 1 << 20 };

int main(int argc, char** argv) {
    static uint8_t from[kBuffer], to[kBuffer];
    static const size_t kSizes[] = {32, 100, 512, 4096, 65536};
    struct bench b = bench_open(argc, argv, "copy", "KiB", 6e6);
    for (int i = 0; i < kBuffer; ++i) from[i] = (uint8_t)(i * 7 + (i >> 9));
    bench_start(&b);
    size_t at = 0;
    for (uint64_t bytes = 0, i = 0; bytes < b.count * 1024; ++i) {
        const size_t size = kSizes[i % 5] * (i % 5 < 2 ? 16 : 1);
        const size_t shift = i % 8 == 7;  // one in eight is not aligned
        for (size_t piece = 0; piece < size; piece += kSizes[i % 5])
            memcpy(to + at + piece, from + at + piece + shift, kSizes[i % 5]);
        bytes += size;
        at = (at + size) % (kBuffer - 2 * 65536) & ~(size_t)63;
    }
    uint64_t sum = 0;
    for (int i = 0; i < kBuffer; i += 97) sum = bench_mix(sum, to[i]);
    return bench_finish(&b, sum);
}
