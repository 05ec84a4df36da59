// Follow pointers through a random cycle: load latency, and the TLB's reach. Arguments: SCALE KIB.
#include "bench.h"

struct line {  // one cache line
    struct line* next;
    char rest[56];
};

int main(int argc, char** argv) {
    char name[32];
    const uint64_t kib = argc > 2 ? strtoull(argv[2], NULL, 0) : 16;
    snprintf(name, sizeof name, "chase-%lluk", (unsigned long long)kib);
    struct bench b = bench_open(argc, argv, name, "loads",
                                kib > 8192  ? 6000001
                                : kib > 512 ? 100000007
                                            : 300000007);
    const uint64_t lines = kib * 1024 / sizeof(struct line);
    struct line* line = aligned_alloc(64, lines * sizeof(struct line));
    uint32_t* order = malloc(lines * sizeof(uint32_t));
    if (!line || !order) bench_fail("chase: memory");
    uint64_t seed = 99;
    for (uint32_t i = 0; i < lines; ++i) order[i] = i;
    for (uint64_t i = lines - 1; i > 0; --i) {
        const uint64_t j = bench_random(&seed) % (i + 1);
        const uint32_t keep = order[i];
        order[i] = order[j];
        order[j] = keep;
    }
    for (uint64_t i = 0; i < lines; ++i) line[order[i]].next = &line[order[(i + 1) % lines]];
    bench_start(&b);
    const struct line* at = line;
    for (uint64_t i = 0; i < b.count; ++i) at = at->next;
    return bench_finish(&b, (uint64_t)(at - line));
}
