// Records, strings and many small functions, as programs for business have: assign, compare, copy, call.
#include "bench.h"

enum colour { kRed, kGreen, kBlue };

struct record {
    struct record* next;
    enum colour colour;
    int number;
    char name[32];
};

struct shop {
    struct record* first;
    int table[50], grid[50][50], counter;
    char last;
};

// Not inlined: the calls are the point.
#define APART __attribute__((noinline))

APART static enum colour follow(enum colour c) { return c == kBlue ? kRed : (enum colour)(c + 1); }

APART static int same_letter(const char* a, const char* b, int at) { return a[at] == b[at + 1]; }

APART static int in_order(const char* a, const char* b) {
    int at = 2;
    while (at < 4 && !same_letter(a, b, at)) ++at;
    return at == 4 && strcmp(a, b) > 0;
}

APART static void advance(const struct shop* shop, struct record** at) {
    if (shop->first) *at = shop->first->next;
}

APART static void renew(struct shop* shop, struct record* record) {
    struct record* next = record->next;
    *next = *shop->first;
    next->number = record->number + 5;
    next->next = record->next;
    advance(shop, &next->next);
    if (next->colour == kRed) {
        next->number = 6 + shop->counter;
        next->colour = follow(record->colour);
        next->next = shop->first->next;
    } else {
        *record = *record->next;
    }
}

APART static void fill(struct shop* shop, int row, int value) {
    const int at = row % 40 + 5;
    shop->table[at] = value;
    shop->table[at + 1] = shop->table[at];
    for (int column = at; column <= at + 1; ++column) shop->grid[at][column] = at;
    ++shop->grid[at][at - 1];
    shop->grid[(at + 20) % 50][at] = shop->table[at];
    ++shop->counter;
}

APART static void letters(struct shop* shop) {
    const int found = shop->last == 'A';
    shop->counter = found ? shop->counter | 1 : shop->counter & 0xffff;
    shop->last = shop->last == 'Z' ? 'A' : (char)(shop->last + 1);
}

static uint64_t pass(struct shop* shop, uint64_t number) {
    char one[32] = "A STRING THAT NAMES RECORD ONE", two[32];
    int value = (int)(number & 7) + 2;
    letters(shop);
    strcpy(two, "A STRING THAT NAMES RECORD TWO");
    two[26] = (char)('A' + number % 26);
    value += in_order(one, two) ? 3 : 5;
    fill(shop, (int)(number % 37), value);
    shop->first->colour = (enum colour)(number % 3);
    renew(shop, shop->first);
    strcpy(shop->first->name, number & 1 ? one : two);
    for (char letter = 'A'; letter <= shop->last && letter < 'D'; ++letter) value = value * 7 / 3 - letter;
    return (uint64_t)(value + shop->first->number + shop->first->name[26]) + strlen(two);
}

int main(int argc, char** argv) {
    static struct shop shop;
    struct record second = {NULL, kBlue, 2, "THE SECOND RECORD"};
    struct record first = {&second, kRed, 1, "THE FIRST RECORD"};
    struct bench b = bench_open(argc, argv, "records", "passes", 4e6);
    uint64_t sum = 0;
    shop.first = &first;
    shop.last = 'A';
    bench_start(&b);
    for (uint64_t i = 0; i < b.count; ++i) {
        second.next = &first;  // a ring of two, whatever the last pass left
        first.next = &second;
        sum = bench_mix(sum, pass(&shop, i));
    }
    return bench_finish(&b, bench_mix(sum, (uint64_t)shop.grid[11][10]));
}
