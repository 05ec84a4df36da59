// The spectral norm of a matrix that is computed on the fly: conversions, divisions and sums of doubles.
#include <math.h>

#include "bench.h"

enum { kSide = 200 };

static double element(int i, int j) { return 1.0 / ((i + j) * (i + j + 1) / 2 + i + 1); }

static void multiply(const double* v, double* out) {
    for (int i = 0; i < kSide; ++i) {
        double sum = 0;
        for (int j = 0; j < kSide; ++j) sum += element(i, j) * v[j];
        out[i] = sum;
    }
}

static void multiply_transposed(const double* v, double* out) {
    for (int i = 0; i < kSide; ++i) {
        double sum = 0;
        for (int j = 0; j < kSide; ++j) sum += element(j, i) * v[j];
        out[i] = sum;
    }
}

int main(int argc, char** argv) {
    double u[kSide], v[kSide], between[kSide];
    struct bench b = bench_open(argc, argv, "spectral", "products", 600);
    for (int i = 0; i < kSide; ++i) u[i] = 1 + i % 7 * 0.125;
    bench_start(&b);
    for (uint64_t i = 0; i < b.count; ++i) {
        multiply(u, between);
        multiply_transposed(between, v);
        multiply(v, between);
        multiply_transposed(between, u);
        const double size = sqrt(u[0] * u[0] + v[0] * v[0]);
        for (int k = 0; k < kSide; ++k) u[k] /= size;
    }
    uint64_t sum = 0;
    for (int i = 0; i < kSide; ++i) sum = bench_mix(sum, bench_bits(u[i]));
    return bench_finish(&b, sum);
}
