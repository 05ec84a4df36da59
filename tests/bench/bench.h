// What every benchmark shares: the scale, the clock, the markers that run.py times, and the result line.
#pragma once
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct bench {
    const char* name;
    const char* unit;
    uint64_t count;
    double started;
};

static inline double bench_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
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
    return (struct bench){name, unit, scaled < 1 ? 1 : (uint64_t)scaled, 0};
}

static inline void bench_start(struct bench* b) {
    bench_mark("start", b->name);
    b->started = bench_now();
}

// Prints `name unit count seconds rate checksum`; the checksum does not depend on the machine.
static inline int bench_finish(const struct bench* b, uint64_t checksum) {
    const double seconds = bench_now() - b->started;
    bench_mark("end", b->name);
    printf("%s %s %llu %.6f %.6g %016llx\n", b->name, b->unit, (unsigned long long)b->count, seconds,
           (double)b->count / seconds, (unsigned long long)checksum);
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
