// A locking test for guests of several harts: every way of synchronising must lose nothing. Prints what went
// wrong.
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { THREADS = 8 };

static long rounds;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turn_changed = PTHREAD_COND_INITIALIZER;
static long by_mutex, turn;
static atomic_long by_add, by_swap_loop, largest, bits;
static atomic_int by_half[2];
static atomic_flag spin = ATOMIC_FLAG_INIT;
static long by_spin;
static long failures;

static void add_by_compare(atomic_long* sum, long amount) {
    long seen = atomic_load_explicit(sum, memory_order_relaxed);
    while (!atomic_compare_exchange_weak(sum, &seen, seen + amount)) {}
}

static void* count(void* argument) {
    const long self = (long)argument;
    for (long i = 0; i < rounds; ++i) {
        pthread_mutex_lock(&mutex);
        ++by_mutex;
        pthread_mutex_unlock(&mutex);
        atomic_fetch_add(&by_add, 3);
        atomic_fetch_add(&by_half[i & 1], 1);
        add_by_compare(&by_swap_loop, self);
        atomic_fetch_or(&bits, 1l << self);
        long most = atomic_load(&largest);
        while (most < i && !atomic_compare_exchange_weak(&largest, &most, i)) {}
        while (atomic_flag_test_and_set_explicit(&spin, memory_order_acquire)) sched_yield();
        ++by_spin;
        atomic_flag_clear_explicit(&spin, memory_order_release);
    }
    return NULL;
}

// Each thread has its turn after the one before it.
static void* take_turns(void* argument) {
    const long self = (long)argument;
    for (long i = 0; i < rounds / 20; ++i) {
        pthread_mutex_lock(&mutex);
        while (turn % THREADS != self) pthread_cond_wait(&turn_changed, &mutex);
        ++turn;
        pthread_cond_broadcast(&turn_changed);
        pthread_mutex_unlock(&mutex);
    }
    return NULL;
}

// Message passing: data written before a flag is seen by who sees the flag.
static _Alignas(64) atomic_long flag;
static _Alignas(64) long data[8];
static void* send(void* unused) {
    for (long i = 1; i <= rounds * 4; ++i) {
        while (atomic_load_explicit(&flag, memory_order_acquire) != 0) sched_yield();
        for (int k = 0; k < 8; ++k) data[k] = i * (k + 1);
        atomic_store_explicit(&flag, i, memory_order_release);
    }
    return unused;
}
static void* receive(void* unused) {
    for (long i = 1; i <= rounds * 4; ++i) {
        while (atomic_load_explicit(&flag, memory_order_acquire) != i) sched_yield();
        for (int k = 0; k < 8; ++k) failures += data[k] != i * (k + 1);
        atomic_store_explicit(&flag, 0, memory_order_release);
    }
    return unused;
}

// Pages mapped, written, protected and unmapped while others do the same: remote TLB and instruction fences.
static void* remap(void* argument) {
    const long self = (long)argument;
    for (long i = 0; i < rounds / 10; ++i) {
        unsigned* page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        const unsigned value = (unsigned)(self * 100 + i) & 0x7ff;
        page[0] = 0x00000513u | value << 20;  // li a0, value
        page[1] = 0x00008067u;                // ret
        page[1024] = value;
        mprotect(page, 4096, PROT_READ | PROT_EXEC);
        __builtin___clear_cache((char*)page, (char*)page + 8);
        const int got = ((int (*)(void))page)();
        if ((unsigned)got != value) __atomic_fetch_add(&failures, 1, __ATOMIC_SEQ_CST);
        if (page[1024] != value) __atomic_fetch_add(&failures, 1, __ATOMIC_SEQ_CST);
        munmap(page, 8192);
    }
    return NULL;
}

static void in_threads(void* (*body)(void*)) {
    pthread_t threads[THREADS];
    for (long i = 0; i < THREADS; ++i) pthread_create(&threads[i], NULL, body, (void*)i);
    for (int i = 0; i < THREADS; ++i) pthread_join(threads[i], NULL);
}

static void expect(const char* what, long got, long wanted) {
    if (got == wanted) return;
    printf("locking: %s is %ld, not %ld\n", what, got, wanted);
    ++failures;
}

int main(int argc, char** argv) {
    rounds = argc > 1 ? atol(argv[1]) : 1000;
    in_threads(count);
    expect("the sum under the mutex", by_mutex, THREADS * rounds);
    expect("the sum by atomic add", by_add, 3 * THREADS * rounds);
    expect("the sum by compare and swap", by_swap_loop, rounds * (THREADS * (THREADS - 1) / 2));
    expect("the sum of the halves", by_half[0] + by_half[1], THREADS * rounds);
    expect("the sum under the spin lock", by_spin, THREADS * rounds);
    expect("the maximum", largest, rounds - 1);
    expect("the bits", bits, (1l << THREADS) - 1);
    in_threads(take_turns);
    expect("the turns", turn, rounds / 20 * THREADS);
    pthread_t sender, receiver;
    pthread_create(&sender, NULL, send, NULL);
    pthread_create(&receiver, NULL, receive, NULL);
    pthread_join(sender, NULL);
    pthread_join(receiver, NULL);
    in_threads(remap);
    expect("messages and pages gone wrong", failures, 0);
    puts(failures == 0 ? "locking: all sums right" : "locking: FAILED");
    return failures != 0;
}
