// A byte to and fro between two processes: context switches and address-space switches.
#include <sys/wait.h>

#include "bench.h"

static uint8_t receive(int fd) {
    uint8_t byte;
    if (read(fd, &byte, 1) != 1) bench_fail("pipe: read");
    return byte;
}

static void transmit(int fd, uint8_t byte) {
    if (write(fd, &byte, 1) != 1) bench_fail("pipe: write");
}

int main(int argc, char** argv) {
    struct bench b = bench_open(argc, argv, "pipe", "rounds", 15000);
    int there[2], back[2];
    if (pipe(there) || pipe(back)) bench_fail("pipe");
    const pid_t child = fork();
    if (child < 0) bench_fail("pipe: fork");
    if (child == 0) {
        for (uint64_t i = 0; i < b.count; ++i) transmit(back[1], (uint8_t)(receive(there[0]) * 5 + 1));
        _exit(0);
    }
    uint64_t sum = 0;
    bench_start(&b);
    for (uint64_t i = 0; i < b.count; ++i) {
        transmit(there[1], (uint8_t)i);
        sum = bench_mix(sum, receive(back[0]));
    }
    if (waitpid(child, NULL, 0) != child) bench_fail("pipe: wait");
    return bench_finish(&b, sum);
}
