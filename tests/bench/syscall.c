// The cheapest system call: into the kernel and back.
#include <sys/syscall.h>

#include "bench.h"

int main(int argc, char** argv) {
    struct bench b = bench_open(argc, argv, "syscall", "calls", 1e6);
    uint64_t sum = 0;
    bench_start(&b);
    for (uint64_t i = 0; i < b.count; ++i) sum += (uint64_t)(syscall(SYS_getpid) > 0);
    return bench_finish(&b, sum);
}
