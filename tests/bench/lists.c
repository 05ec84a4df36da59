// Linked lists: build, find, reverse, merge sort, unlink. Small data, many branches and loads.
#include "bench.h"

struct node {
    struct node* next;
    uint32_t key;
    uint32_t value;
};

enum { kNodes = 1000 };

static struct node* build(struct node* pool, uint64_t* seed) {
    struct node* head = NULL;
    for (int i = 0; i < kNodes; ++i) {
        pool[i] = (struct node){head, (uint32_t)bench_random(seed) % 4096, (uint32_t)i};
        head = &pool[i];
    }
    return head;
}

static struct node* reverse(struct node* list) {
    struct node* out = NULL;
    while (list) {
        struct node* next = list->next;
        list->next = out;
        out = list;
        list = next;
    }
    return out;
}

static struct node* merge(struct node* a, struct node* b) {
    struct node head = {0};
    struct node* tail = &head;
    while (a && b) {
        struct node** least = b->key < a->key ? &b : &a;
        tail = tail->next = *least;
        *least = (*least)->next;
    }
    tail->next = a ? a : b;
    return head.next;
}

static struct node* sort(struct node* list) {
    if (!list || !list->next) return list;
    struct node* middle = list;
    for (struct node* end = list->next; end && end->next; end = end->next->next) middle = middle->next;
    struct node* second = middle->next;
    middle->next = NULL;
    return merge(sort(list), sort(second));
}

static uint64_t find_all(const struct node* list) {
    uint64_t found = 0;
    for (uint32_t key = 0; key < 64; ++key) {
        const struct node* n = list;
        while (n && n->key != key * 61) n = n->next;
        found += n ? n->value + 1 : 0;
    }
    return found;
}

static struct node* unlink_odd(struct node* list) {
    for (struct node** at = &list; *at;) {
        if ((*at)->key & 1)
            *at = (*at)->next;
        else
            at = &(*at)->next;
    }
    return list;
}

int main(int argc, char** argv) {
    static struct node pool[kNodes];
    struct bench b = bench_open(argc, argv, "lists", "passes", 2500);
    uint64_t seed = 42, sum = 0;
    bench_start(&b);
    for (uint64_t pass = 0; pass < b.count; ++pass) {
        struct node* list = reverse(build(pool, &seed));
        sum = bench_mix(sum, find_all(list));
        for (const struct node* n = unlink_odd(sort(list)); n; n = n->next) sum = bench_mix(sum, n->value);
    }
    return bench_finish(&b, sum);
}
