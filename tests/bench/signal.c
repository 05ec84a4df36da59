// Send oneself a signal and return from its handler: the kernel builds and removes a frame.
#include <signal.h>

#include "bench.h"

static volatile sig_atomic_t handled;

static void handler(int number) {
    (void)number;
    ++handled;
}

int main(int argc, char** argv) {
    struct bench b = bench_open(argc, argv, "signal", "signals", 20000);
    struct sigaction action = {.sa_handler = handler};
    if (sigaction(SIGUSR1, &action, NULL)) bench_fail("signal: sigaction");
    bench_start(&b);
    for (uint64_t i = 0; i < b.count; ++i) raise(SIGUSR1);
    return bench_finish(&b, (uint64_t)handled);
}
