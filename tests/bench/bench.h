// What every benchmark shares: the scale, the clock, the markers that run.py times, and the result line.
#pragma once
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

struct bench {
    const char* name;
    const char* unit;
    uint64_t count;
    double started;
    double cpu_started;
};

static inline double bench_clock(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

// CPU time of this process and of the children it waited for.
static inline double bench_cpu(void) {
    struct rusage r;
    getrusage(RUSAGE_CHILDREN, &r);
    return bench_clock(CLOCK_PROCESS_CPUTIME_ID) + (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
           (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) * 1e-6;
}

// One write, straight to the console: stdio's buffer would delay what the host times.
static inline void bench_mark(const char* what, const char* name) {
    char line[64];
    const int length = snprintf(line, sizeof line, "BENCH %s %s\n", what, name);
    if (write(STDOUT_FILENO, line, (size_t)length) != length) _exit(3);
}

// `count` units of work at scale 1; the first argument of a benchmark is its scale.
static inline struct bench bench_open(int argc, char** argv, const char* name, const char* unit,
                                      double count) {
    const double scaled = count * (argc > 1 ? atof(argv[1]) : 1.0);
    return (struct bench){name, unit, scaled < 1 ? 1 : (uint64_t)scaled, 0, 0};
}

static inline void bench_start(struct bench* b) {
    bench_mark("start", b->name);
    b->cpu_started = bench_cpu();
    b->started = bench_clock(CLOCK_MONOTONIC);
}

// Prints `name unit count seconds cpu checksum`; the checksum does not depend on the machine.
static inline int bench_finish(const struct bench* b, uint64_t checksum) {
    const double seconds = bench_clock(CLOCK_MONOTONIC) - b->started;
    const double cpu = bench_cpu() - b->cpu_started;
    bench_mark("end", b->name);
    printf("%s %s %llu %.6f %.6f %016llx\n", b->name, b->unit, (unsigned long long)b->count, seconds, cpu,
           (unsigned long long)checksum);
    return 0;
}

static inline void bench_fail(const char* what) {
    perror(what);
    exit(2);
}

static inline uint64_t bench_random(uint64_t* state) {  // xorshift64
    *state ^= *state << 13;
    *state ^= *state >> 7;
    return *state ^= *state << 17;
}

static inline uint64_t bench_mix(uint64_t hash, uint64_t value) {
    hash = (hash ^ value) * 0x9e3779b97f4a7c15u;
    return hash ^ hash >> 29;
}

static inline uint64_t bench_bits(double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}
