// The Mandelbrot set, row by row: double multiply and add with a comparison in every step.
#include "bench.h"

static int escape(double cx, double cy) {
    double x = 0, y = 0;
    int i = 0;
    for (; i < 200 && x * x + y * y < 4; ++i) {
        const double next = x * x - y * y + cx;
        y = 2 * x * y + cy;
        x = next;
    }
    return i;
}

int main(int argc, char** argv) {
    struct bench b = bench_open(argc, argv, "mandelbrot", "rows", 2400);
    uint64_t sum = 0;
    bench_start(&b);
    for (uint64_t row = 0; row < b.count; ++row)
        for (int column = 0; column < 400; ++column)
            sum = bench_mix(sum, (uint64_t)escape(column / 160.0 - 2.0, (double)(row % 400) / 160.0 - 1.25));
    return bench_finish(&b, sum);
}
