// A loop of eight instructions across the end of a page: between two instructions, and in the middle of one.
#include "bench.h"

#if defined __riscv
#define LOOP                                                                                              \
    "add a1, a1, a0\n xor a2, a2, a1\n add a1, a1, a2\n xor a2, a2, a0\n sub a1, a1, a2\n xor a2, a2, a1" \
    "\n addi a0, a0, -1\n bnez a0, 1b\n add a0, a1, a2\n ret\n"
#define OPTIONS ".option push\n.option norvc\n.option norelax\n"
#define RESTORE ".option pop\n"
#define BETWEEN "16"  // bytes of the first four instructions
#define INSIDE "14"
#elif defined __x86_64__
#define LOOP                                                                                          \
    "add %rdi, %rsi\n xor %rsi, %rdx\n add %rdx, %rsi\n xor %rdi, %rdx\n sub %rdx, %rsi\n xor %rsi, " \
    "%rdx\n sub $1, %rdi\n jnz 1b\n lea (%rsi, %rdx), %rax\n ret\n"
#define OPTIONS
#define RESTORE
#define BETWEEN "12"
#define INSIDE "10"
#else
#error "xpage: write the loop for this architecture, with its fourth instruction at the end of a page"
#endif

// The function `name` starts so many bytes before the end of a page.
#define STRADDLE(name, before)                                                                    \
    __asm__(OPTIONS ".section .text.xpage, \"ax\", @progbits\n.balign 4096\n.skip 4096 - " before \
                    "\n"                                                                          \
                    ".type " #name ", @function\n" #name ":\n1: " LOOP ".previous\n" RESTORE);    \
    uint64_t name(uint64_t count, uint64_t a, uint64_t b)

STRADDLE(straddle_between, BETWEEN);
STRADDLE(straddle_inside, INSIDE);

int main(int argc, char** argv) {
    struct bench b = bench_open(argc, argv, "xpage", "loops", 60e6);
    const uint64_t half = b.count / 2 + 1;
    bench_start(&b);
    const uint64_t one = straddle_between(half, 3, 5), two = straddle_inside(half, one, 7);
    return bench_finish(&b, bench_mix(one, two));
}
