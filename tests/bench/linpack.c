// Solve linear equations by LU decomposition with pivots: multiply and add along rows of doubles.
#include <math.h>

#include "bench.h"

enum { kSide = 200 };

struct system {
    double a[kSide][kSide], x[kSide];
};

static void make(struct system* s, uint64_t* seed) {
    for (int i = 0; i < kSide; ++i) {
        for (int j = 0; j < kSide; ++j) s->a[i][j] = (double)(int32_t)bench_random(seed) / 65536.0;
        s->x[i] = (double)(i + 1);
    }
}

static void swap_rows(struct system* s, int i, int k) {
    for (int j = 0; j < kSide; ++j) {
        const double keep = s->a[i][j];
        s->a[i][j] = s->a[k][j];
        s->a[k][j] = keep;
    }
    const double keep = s->x[i];
    s->x[i] = s->x[k];
    s->x[k] = keep;
}

static void eliminate(struct system* s, int column) {
    int pivot = column;
    for (int i = column + 1; i < kSide; ++i)
        if (fabs(s->a[i][column]) > fabs(s->a[pivot][column])) pivot = i;
    if (pivot != column) swap_rows(s, pivot, column);
    for (int i = column + 1; i < kSide; ++i) {
        const double factor = s->a[i][column] / s->a[column][column];
        for (int j = column; j < kSide; ++j) s->a[i][j] -= factor * s->a[column][j];
        s->x[i] -= factor * s->x[column];
    }
}

static void substitute(struct system* s) {
    for (int i = kSide - 1; i >= 0; --i) {
        for (int j = i + 1; j < kSide; ++j) s->x[i] -= s->a[i][j] * s->x[j];
        s->x[i] /= s->a[i][i];
    }
}

int main(int argc, char** argv) {
    static struct system s;
    struct bench b = bench_open(argc, argv, "linpack", "systems", 60);
    uint64_t sum = 0, seed = 11;
    bench_start(&b);
    for (uint64_t i = 0; i < b.count; ++i) {
        make(&s, &seed);
        for (int column = 0; column < kSide; ++column) eliminate(&s, column);
        substitute(&s);
        for (int k = 0; k < kSide; ++k) sum = bench_mix(sum, bench_bits(s.x[k]));
    }
    return bench_finish(&b, sum);
}
