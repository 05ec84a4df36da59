// Make a process that ends at once, and wait for it.
#include <sys/wait.h>

#include "bench.h"

int main(int argc, char** argv) {
    struct bench b = bench_open(argc, argv, "fork", "processes", 1500);
    uint64_t sum = 0;
    bench_start(&b);
    for (uint64_t i = 0; i < b.count; ++i) {
        const pid_t child = fork();
        if (child < 0) bench_fail("fork");
        if (child == 0) _exit((int)(i % 100));
        int status = 0;
        if (waitpid(child, &status, 0) != child) bench_fail("fork: wait");
        sum = bench_mix(sum, (uint64_t)WEXITSTATUS(status));
    }
    return bench_finish(&b, sum);
}
