// Five bodies pulling at each other: double multiply, add, divide and square root in chains.
#include <math.h>

#include "bench.h"

struct body {
    double x[3], v[3], mass;
};

enum { kBodies = 5 };

static void attract(struct body* a, struct body* b, double step) {
    double d[3], square = 0;
    for (int i = 0; i < 3; ++i) {
        d[i] = a->x[i] - b->x[i];
        square += d[i] * d[i];
    }
    const double pull = step / (square * sqrt(square));
    for (int i = 0; i < 3; ++i) {
        a->v[i] -= d[i] * b->mass * pull;
        b->v[i] += d[i] * a->mass * pull;
    }
}

int main(int argc, char** argv) {
    struct body body[kBodies] = {{{0, 0, 0}, {0, 0, 0}, 40},
                                 {{5, -1, 0.1}, {0.6, 2.8, 0}, 0.04},
                                 {{8, 4, -0.4}, {-1, 1.9, 0.02}, 0.01},
                                 {{13, -15, -0.2}, {1.1, 0.9, -0.01}, 0.002},
                                 {{15, -26, 0.2}, {1, 0.6, -0.03}, 0.002}};
    struct bench b = bench_open(argc, argv, "nbody", "steps", 1000000);
    bench_start(&b);
    for (uint64_t step = 0; step < b.count; ++step) {
        for (int i = 0; i < kBodies; ++i)
            for (int j = i + 1; j < kBodies; ++j) attract(&body[i], &body[j], 0.001);
        for (int i = 0; i < kBodies; ++i)
            for (int k = 0; k < 3; ++k) body[i].x[k] += 0.001 * body[i].v[k];
    }
    uint64_t sum = 0;
    for (int i = 0; i < kBodies; ++i) sum = bench_mix(sum, bench_bits(body[i].x[0]));
    return bench_finish(&b, sum);
}
