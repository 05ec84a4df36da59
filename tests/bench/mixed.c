// A mix as small processors are judged by: a linked list, integer matrices, a state machine over text, a CRC.
#include "bench.h"

enum { kItems = 20, kSide = 12, kText = 256 };

struct item {
    struct item* next;
    int16_t key;
    uint16_t weight;
};

// Not inlined: short calls are part of the mix.
#define APART __attribute__((noinline))

// The polynomial is x^16 + x^15 + x^2 + 1.
APART static uint16_t crc16(uint16_t crc, uint32_t value, int bytes) {
    for (int bit = 0; bit < 8 * bytes; ++bit, value >>= 1) {
        const uint16_t carry = (crc ^ value) & 1;
        crc = (uint16_t)(crc >> 1 ^ (carry ? 0xa001 : 0));
    }
    return crc;
}

static struct item* list_make(struct item* pool, uint16_t seed) {
    struct item* head = NULL;
    for (int i = 0; i < kItems; ++i) {
        seed = (uint16_t)(seed * 25173 + 13849);
        pool[i] = (struct item){head, (int16_t)seed, (uint16_t)i};
        head = &pool[i];
    }
    return head;
}

typedef int (*order)(const struct item*, const struct item*);

APART static int by_key(const struct item* a, const struct item* b) { return a->key - b->key; }
APART static int by_weight(const struct item* a, const struct item* b) { return a->weight - b->weight; }

APART static struct item* list_insert(struct item* sorted, struct item* one, order compare) {
    struct item** at = &sorted;
    while (*at && compare(*at, one) < 0) at = &(*at)->next;
    one->next = *at;
    *at = one;
    return sorted;
}

APART static const struct item* list_find(const struct item* list, uint16_t weight) {
    while (list && list->weight != weight) list = list->next;
    return list;
}

static uint16_t list_work(uint16_t crc, uint16_t seed) {
    struct item pool[kItems];
    struct item *list = list_make(pool, seed), *sorted = NULL;
    uint32_t sum = 0;
    for (uint16_t i = 0; i < kItems; i = (uint16_t)(i + 4))
        sum += (uint32_t)list_find(list, i)->key >> (i & 7);
    while (list) {
        struct item* next = list->next;
        sorted = list_insert(sorted, list, seed & 3 ? by_key : by_weight);
        list = next;
    }
    for (; sorted; sorted = sorted->next) sum = sum * 31 + sorted->weight;
    return crc16(crc, sum, 4);
}

static uint16_t matrix_work(uint16_t crc, int16_t seed) {
    int16_t a[kSide][kSide], b[kSide][kSide];
    int32_t product[kSide][kSide];
    for (int i = 0; i < kSide; ++i)
        for (int j = 0; j < kSide; ++j) {
            a[i][j] = (int16_t)(seed + i * 7 - j);
            b[i][j] = (int16_t)((seed ^ j * 31) + i);
        }
    for (int i = 0; i < kSide; ++i)
        for (int j = 0; j < kSide; ++j) {
            int32_t sum = 0;
            for (int k = 0; k < kSide; ++k) sum += a[i][k] * b[k][j] >> 2 & 0x7fff;
            product[i][j] = sum;
        }
    int32_t clipped = 0;
    for (int i = 0; i < kSide; ++i)
        for (int j = 0; j < kSide; ++j) clipped += product[i][j] > 50000 ? 50000 : product[i][j] / 3;
    return crc16(crc, (uint32_t)clipped, 4);
}

enum state { kBetween, kSign, kInteger, kFraction, kExponent, kWord, kWrong, kStates };

APART static enum state state_next(enum state now, char c) {
    const int digit = c >= '0' && c <= '9';
    if (c == ' ') return kBetween;
    switch (now) {
        case kBetween:
            if (c == '+' || c == '-') return kSign;
            return digit ? kInteger : c == '.' ? kFraction : kWord;
        case kSign: return digit ? kInteger : c == '.' ? kFraction : kWrong;
        case kInteger:
            if (c == '.') return kFraction;
            return digit ? kInteger : c == 'e' ? kExponent : kWrong;
        case kFraction: return digit ? kFraction : c == 'e' ? kExponent : kWrong;
        case kExponent: return digit || c == '-' ? kExponent : kWrong;
        case kWord: return digit ? kWrong : kWord;
        default: return kWrong;
    }
}

static uint16_t state_work(uint16_t crc, char* text, uint32_t seed) {
    uint32_t entered[kStates] = {0};
    enum state now = kBetween;
    for (int i = 0; i < kText; ++i) {
        const enum state next = state_next(now, text[i]);
        entered[next] += next != now;
        now = next;
    }
    text[seed % kText] = "0123456789+-.e x"[seed >> 8 & 15];  // the next pass reads another text
    for (int i = 0; i < kStates; ++i) crc = crc16(crc, entered[i], 1);
    return crc;
}

int main(int argc, char** argv) {
    static const char kPattern[] = "12 -7.5e3 word +.25 1e-9 99x 3.14159 -- state 0 42. e7 ";
    char text[kText];
    struct bench b = bench_open(argc, argv, "mixed", "passes", 120000);
    for (int i = 0; i < kText; ++i) text[i] = kPattern[i % (sizeof kPattern - 1)];
    uint64_t sum = 0, seed = 5;
    bench_start(&b);
    for (uint64_t pass = 0; pass < b.count; ++pass) {
        const uint32_t random = (uint32_t)bench_random(&seed);
        uint16_t crc = list_work(0, (uint16_t)random);
        crc = matrix_work(crc, (int16_t)(random >> 16));
        sum = bench_mix(sum, state_work(crc, text, random));
    }
    return bench_finish(&b, sum);
}
