// Write to every page of 16 MiB that a process shares with its parent since fork: each is copied.
#include <sys/mman.h>
#include <sys/wait.h>

#include "bench.h"

enum { kPages = 4096, kPage = 4096 };

static uint8_t write_all(uint8_t* area) {
    uint8_t sum = 0;
    for (int i = 0; i < kPages; ++i) sum = (uint8_t)(sum * 3 + ++area[(size_t)i * kPage]);
    return sum;
}

int main(int argc, char** argv) {
    struct bench b = bench_open(argc, argv, "cow", "pages", 16.0 * kPages);
    uint64_t sum = 0;
    const size_t size = (size_t)kPages * kPage;
    uint8_t* area = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (area == MAP_FAILED) bench_fail("cow: mmap");
    madvise(area, size, MADV_NOHUGEPAGE);  // a copy a page, whatever the kernel prefers
    for (int i = 0; i < kPages; ++i) area[(size_t)i * kPage] = (uint8_t)(i * 5);
    bench_start(&b);
    for (uint64_t done = 0; done < b.count; done += kPages) {
        const pid_t child = fork();
        if (child < 0) bench_fail("cow: fork");
        if (child == 0) _exit(write_all(area));
        int status = 0;
        if (waitpid(child, &status, 0) != child) bench_fail("cow: wait");
        area[done % size] ^= 1;
        sum = bench_mix(sum, (uint64_t)WEXITSTATUS(status));
    }
    return bench_finish(&b, sum);
}
