// Write to a protected page, and open it in the handler of the signal, as garbage collectors do.
#include <signal.h>
#include <sys/mman.h>

#include "bench.h"

enum { kPages = 64, kPage = 4096 };

static volatile uint64_t handled;

static void handler(int number, siginfo_t* info, void* context) {
    (void)number;
    (void)context;
    uint8_t* page = (uint8_t*)((uintptr_t)info->si_addr & ~(uintptr_t)(kPage - 1));
    if (mprotect(page, kPage, PROT_READ | PROT_WRITE)) _exit(4);
    ++handled;
}

int main(int argc, char** argv) {
    struct bench b = bench_open(argc, argv, "segv", "faults", 15000);
    const struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    if (sigaction(SIGSEGV, &action, NULL)) bench_fail("segv: sigaction");
    volatile uint8_t* area =
        mmap(NULL, kPages * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (area == MAP_FAILED) bench_fail("segv: mmap");
    bench_start(&b);
    for (uint64_t done = 0; done < b.count; done += kPages) {
        if (mprotect((void*)area, kPages * kPage, PROT_READ)) bench_fail("segv: mprotect");
        for (int i = 0; i < kPages; ++i) ++area[i * kPage];
    }
    uint64_t sum = handled;
    for (int i = 0; i < kPages; ++i) sum = bench_mix(sum, area[i * kPage]);
    return bench_finish(&b, sum);
}
