// Compress text with a hash of the last place of each four bytes, and expand it again.
#include "bench.h"

enum { kText = 1 << 18, kHashBits = 13, kShortest = 4, kWindow = 65535 };

// A block: how many bytes follow as they are (2 bytes), these, a match's length and its distance (2 bytes
// each).
static uint8_t* block_put(uint8_t* out, const uint8_t* plain, size_t count, size_t length, size_t distance) {
    const uint16_t head = (uint16_t)count, tail[2] = {(uint16_t)length, (uint16_t)distance};
    memcpy(out, &head, sizeof head);
    memcpy(out + 2, plain, count);
    memcpy(out + 2 + count, tail, sizeof tail);
    return out + 6 + count;
}

static uint32_t four(const uint8_t* at) {
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static size_t match_length(const uint8_t* a, const uint8_t* b, const uint8_t* end) {
    size_t length = 0;
    while (b + length < end && length < 60000 && a[length] == b[length]) ++length;
    return length;
}

static size_t compress(const uint8_t* in, size_t size, uint8_t* out) {
    static uint32_t last[1 << kHashBits];
    const uint8_t *plain = in, *at = in, *const end = in + size;
    uint8_t* const start = out;
    memset(last, 0, sizeof last);
    while (at + kShortest <= end) {
        uint32_t* slot = &last[four(at) * 2654435761u >> (32 - kHashBits)];
        const uint8_t* before = in + *slot;
        *slot = (uint32_t)(at - in);
        if (before < at && at - before <= kWindow && four(before) == four(at)) {
            const size_t length = match_length(before, at, end);
            out = block_put(out, plain, (size_t)(at - plain), length, (size_t)(at - before));
            plain = at += length;
        } else if (++at - plain == kWindow) {
            out = block_put(out, plain, kWindow, 0, 0);
            plain = at;
        }
    }
    return (size_t)(block_put(out, plain, (size_t)(end - plain), 0, 0) - start);
}

static size_t expand(const uint8_t* in, size_t size, uint8_t* out) {
    uint8_t* const start = out;
    for (const uint8_t* const end = in + size; in < end;) {
        uint16_t count, tail[2];
        memcpy(&count, in, sizeof count);
        memcpy(out, in + 2, count);
        memcpy(tail, in + 2 + count, sizeof tail);
        in += 6 + count;
        out += count;
        for (const uint8_t* from = out - tail[1]; tail[0]; --tail[0]) *out++ = *from++;
    }
    return (size_t)(out - start);
}

// Words that are drawn with a preference for the first ones: about as repetitive as a log.
static void write_text(uint8_t* text) {
    static const char* const kWords[] = {"the ",    "of ",     "page ",     "a ",      "and ",   "is ",
                                         "address", " in ",    "table",     ".\n",     "kernel", " trap ",
                                         "to ",     "memory ", "register ", "with ",   "0x",     "fault ",
                                         "process", ", ",      "interrupt", " every ", "write ", "7"};
    uint64_t seed = 3;
    for (size_t at = 0; at < kText;) {
        const uint64_t random = bench_random(&seed);
        const char* word = kWords[(random >> 8) % (random & 1 ? 24 : 8)];
        for (; *word && at < kText; ++word) text[at++] = (uint8_t)*word;
        if (random >> 60 == 0 && at < kText) text[at++] = (uint8_t)('a' + (random >> 32) % 26);
    }
}

int main(int argc, char** argv) {
    static uint8_t text[kText], packed[kText * 2], back[kText];
    struct bench b = bench_open(argc, argv, "lz", "KiB", 192.0 * kText / 1024);
    uint64_t sum = 0;
    write_text(text);
    bench_start(&b);
    for (uint64_t done = 0; done < b.count; done += kText / 1024) {
        const size_t size = compress(text, kText, packed);
        if (expand(packed, size, back) != kText || memcmp(text, back, kText)) bench_fail("lz: not the same");
        sum = bench_mix(sum, size);
        text[done % kText] ^= 1;
    }
    return bench_finish(&b, sum);
}
