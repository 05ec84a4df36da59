// Patch two constants in a function, tell the processor, and call it, as just-in-time compilers do.
#include <sys/mman.h>

#include "bench.h"

typedef uint64_t (*function)(uint64_t);

// f(x) = (x + add) ^ flip, for constants below 1024.
#if defined __riscv
static void patch(uint8_t* code, uint32_t add, uint32_t flip) {
    const uint32_t words[] = {add << 20 | 0x00050513,   // addi a0, a0, add
                              flip << 20 | 0x00054513,  // xori a0, a0, flip
                              0x00008067};              // ret
    memcpy(code, words, sizeof words);
}
#elif defined __x86_64__
static void patch(uint8_t* code, uint32_t add, uint32_t flip) {
    static const uint8_t kFrame[] = {0x48, 0x8d, 0x87, 0, 0, 0, 0,  // lea add(%rdi), %rax
                                     0x48, 0x35, 0,    0, 0, 0,     // xor $flip, %rax
                                     0xc3};                         // ret
    memcpy(code, kFrame, sizeof kFrame);
    memcpy(code + 3, &add, sizeof add);
    memcpy(code + 9, &flip, sizeof flip);
}
#else
#error "smc: write patch() for this architecture"
#endif

int main(int argc, char** argv) {
    enum { kFunctions = 16, kSlot = 64 };
    struct bench b = bench_open(argc, argv, "smc", "patches", 50000);
    uint8_t* area = mmap(NULL, kFunctions * kSlot, PROT_READ | PROT_WRITE | PROT_EXEC,
                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (area == MAP_FAILED) bench_fail("smc: mmap");
    uint64_t value = 1, seed = 23;
    bench_start(&b);
    for (uint64_t i = 0; i < b.count; ++i) {
        const uint32_t random = (uint32_t)bench_random(&seed);
        uint8_t* code = area + i % kFunctions * kSlot;
        patch(code, random & 1023, random >> 10 & 1023);
        __builtin___clear_cache((char*)code, (char*)code + 16);
        value = bench_mix(value, ((function)(uintptr_t)code)(value));
    }
    return bench_finish(&b, value);
}
