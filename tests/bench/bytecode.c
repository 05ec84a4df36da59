// A stack machine with a switch in a loop, as script interpreters have: jumps that are hard to guess.
#include "bench.h"

enum op { kPush, kLoad, kStore, kAdd, kMultiply, kXor, kShift, kLess, kJumpIf, kDecrement, kHalt };

// local 0: rounds left, local 1: hash, local 2: counter
static const int32_t kProgram[] = {
    kPush,      0, kStore, 2,                                          //  0: counter = 0
    kLoad,      1, kLoad,  2,  kXor,    kPush,   16777619, kMultiply,  //  4: hash = (hash ^ counter) * prime
    kLoad,      1, kPush,  13, kShift,  kAdd,    kStore,   1,          // 12:        + (hash >> 13)
    kLoad,      2, kPush,  1,  kAdd,    kStore,  2,                    // 20: ++counter
    kLoad,      2, kPush,  50, kLess,   kJumpIf, 4,                    // 27: again while counter < 50
    kDecrement, 0, kLoad,  0,  kJumpIf, 0,                             // 34: again while --rounds
    kHalt};

static uint64_t execute(uint64_t local[3]) {
    uint64_t stack[8], steps = 0;
    uint64_t* top = stack;
    const int32_t* pc = kProgram;
    for (;; ++steps) {
        switch ((enum op) * pc++) {
            case kPush: *top++ = (uint64_t)*pc++; break;
            case kLoad: *top++ = local[*pc++]; break;
            case kStore: local[*pc++] = *--top; break;
            case kAdd:
                --top;
                top[-1] += *top;
                break;
            case kMultiply:
                --top;
                top[-1] *= *top;
                break;
            case kXor:
                --top;
                top[-1] ^= *top;
                break;
            case kShift:
                --top;
                top[-1] >>= *top;
                break;
            case kLess:
                --top;
                top[-1] = top[-1] < *top;
                break;
            case kJumpIf: pc = *--top ? kProgram + *pc : pc + 1; break;
            case kDecrement: --local[*pc++]; break;
            case kHalt: return steps;
        }
    }
}

int main(int argc, char** argv) {
    struct bench b = bench_open(argc, argv, "bytecode", "rounds", 120000);
    uint64_t local[3] = {b.count, 2166136261u, 0};
    bench_start(&b);
    const uint64_t steps = execute(local);
    return bench_finish(&b, bench_mix(local[1], steps));
}
