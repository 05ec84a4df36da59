// Map 16 MiB, touch every page, unmap: page faults, page tables, TLB flushes.
#include <sys/mman.h>

#include "bench.h"

enum { kPages = 4096, kPage = 4096 };

int main(int argc, char** argv) {
    struct bench b = bench_open(argc, argv, "mmap", "pages", 24.0 * kPages);
    uint64_t sum = 0;
    bench_start(&b);
    for (uint64_t done = 0; done < b.count; done += kPages) {
        uint8_t* area =
            mmap(NULL, (size_t)kPages * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (area == MAP_FAILED) bench_fail("mmap");
        madvise(area, (size_t)kPages * kPage,
                MADV_NOHUGEPAGE);  // a fault a page, whatever the kernel prefers
        for (int i = 0; i < kPages; ++i) area[(size_t)i * kPage] = (uint8_t)i;
        for (int i = 0; i < kPages; ++i) sum = bench_mix(sum, area[(size_t)i * kPage]);
        munmap(area, (size_t)kPages * kPage);
    }
    return bench_finish(&b, sum);
}
