// Read the clock, which the C library does without a system call where the kernel offers it.
#include "bench.h"

int main(int argc, char** argv) {
    struct bench b = bench_open(argc, argv, "clock", "readings", 12e6);
    uint64_t backwards = 0;
    struct timespec last = {0}, now;
    bench_start(&b);
    for (uint64_t i = 0; i < b.count; ++i) {
        if (clock_gettime(CLOCK_MONOTONIC, &now)) bench_fail("clock");
        backwards += now.tv_sec < last.tv_sec || (now.tv_sec == last.tv_sec && now.tv_nsec < last.tv_nsec);
        last = now;
    }
    return bench_finish(&b, backwards);
}
