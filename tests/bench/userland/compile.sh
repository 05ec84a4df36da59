# Compiler: small C programs preprocessed, compiled with -O2, assembled, linked and run.
# unit: programs 3
for ((i = 0; i < COUNT; i++)); do
    cat > "program$i.c" <<C
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <math.h>
struct node { struct node *left, *right; char key[16]; long count; };
static struct node* insert(struct node* n, const char* key) {
    if (!n) {
        n = calloc(1, sizeof *n);
        strncpy(n->key, key, sizeof n->key - 1);
    }
    const int order = strcmp(key, n->key);
    if (order < 0) n->left = insert(n->left, key);
    else if (order > 0) n->right = insert(n->right, key);
    else n->count++;
    return n;
}
static void print(const struct node* n, int depth) {
    if (!n) return;
    print(n->left, depth + 1);
    if (depth < 4) printf("%s %ld\n", n->key, n->count);
    print(n->right, depth + 1);
}
static int by_value(const void* a, const void* b) {
    const double x = *(const double*)a, y = *(const double*)b;
    return (x > y) - (x < y);
}
int main(void) {
    struct node* root = 0;
    double values[500];
    unsigned long state = $i + 1;
    for (int k = 0; k < 5000; ++k) {
        char key[16];
        state = state * 6364136223846793005ul + 1442695040888963407ul;
        snprintf(key, sizeof key, "k%lu", (state >> 33) % 700);
        root = insert(root, key);
        values[k % 500] = sqrt((double)(state >> 40));
    }
    qsort(values, 500, sizeof values[0], by_value);
    print(root, 0);
    printf("%.6f %.6f\n", values[0], values[499]);
    return 0;
}
C
    gcc -O2 -Wall -o "program$i" "program$i.c" -lm
    "./program$i"
    objdump -d "program$i" | md5sum
done
