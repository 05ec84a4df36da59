// The decoder: an index built from the table at compile time, then mask and match.
#include "cpu/decode.hpp"

#include <algorithm>

namespace hartline {
namespace {
static_assert(unambiguous(kIsa), "two rows match the same encoding, and none is a special case of the other");
static_assert(unambiguous(kCompressed), "two compressed rows match the same halfword");
static_assert(
    [] {
        for (const TodoRow& todo : kTodo)
            for (const Row& row : kIsa)
                if (!compatible(todo, row)) return false;
        return true;
    }(),
    "a row to be done matches an encoding of one that is done");

struct Candidate {
    u32 mask = 0, match = 0;
    u16 row = 0;
};

// A bucket for each value of some bits of the word. Candidates are ordered from special to general.
template <std::size_t kBuckets, std::size_t kCandidates>
struct Index {
    std::array<u16, kBuckets + 1> begin{};
    std::array<Candidate, kCandidates> candidates{};
};

template <class Rows>
consteval auto special_first(const Rows& rows) {
    std::array<u16, std::tuple_size_v<Rows>> order{};
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<u16>(i);
    std::sort(order.begin(), order.end(), [&](u16 a, u16 b) {
        const int difference = std::popcount(rows[a].mask) - std::popcount(rows[b].mask);
        return difference != 0 ? difference > 0 : a < b;
    });
    return order;
}

// Calls visit(b) for the buckets whose words may match; `mask` and `match` are those of the bucket's bits.
template <class Visit>
constexpr void for_buckets(u32 mask, u32 match, u32 all, Visit visit) {
    const u32 open = all & ~mask;
    u32 subset = 0;
    do {
        visit(match | subset);
        subset = (subset - open) & open;
    } while (subset != 0);
}

template <auto kBucketOf, std::size_t kBuckets, class Rows>
consteval std::size_t count_candidates(const Rows& rows) {
    std::size_t n = 0;
    for (const auto& row : rows) n += std::size_t{1} << std::popcount((kBuckets - 1) & ~kBucketOf(row.mask));
    return n;
}

template <auto kBucketOf, std::size_t kBuckets, const auto& kTable>
consteval auto build_index() {
    Index<kBuckets, count_candidates<kBucketOf, kBuckets>(kTable)> index;
    const auto order = special_first(kTable);
    std::array<u16, kBuckets> fill{};
    const auto each = [&](auto visit) {
        for (const u16 i : order)
            for_buckets(kBucketOf(kTable[i].mask), kBucketOf(kTable[i].match), kBuckets - 1,
                        [&](u32 bucket) { visit(i, bucket); });
    };
    each([&](u16, u32 bucket) { ++fill[bucket]; });
    for (std::size_t b = 0; b < kBuckets; ++b) {
        index.begin[b + 1] = static_cast<u16>(index.begin[b] + fill[b]);
        fill[b] = index.begin[b];
    }
    each([&](u16 i, u32 bucket) { index.candidates[fill[bucket]++] = {kTable[i].mask, kTable[i].match, i}; });
    return index;
}

// opcode, funct3, and the top five bits, which tell most of what shares them apart
constexpr u32 bucket_of(u32 w) { return field(w, 31, 27) << 8 | field(w, 6, 2) << 3 | field(w, 14, 12); }
constexpr u32 compressed_bucket_of(u32 h) { return field(h, 15, 13) << 2 | field(h, 1, 0); }

constexpr auto kIndex = build_index<bucket_of, 8192, kIsa>();
constexpr auto kCompressedIndex = build_index<compressed_bucket_of, 32, kCompressed>();

// Takes the operands of the base row from a halfword; false: a reserved encoding.
using Expand = bool (*)(Halfword, Operands&);
constexpr std::array<Expand, kCompressed.size()> kExpand{{
#define C_INSN(id, extension, pattern, mnemonic, operands, target, legal, ...) \
    [](Halfword h [[maybe_unused]], Operands& o) -> bool {                     \
        o = Operands{__VA_ARGS__};                                             \
        return legal;                                                          \
    },
#include "cpu/isa/all.def"
}};

// The row, and its operands; kCompressed.size() if there is none.
std::size_t find(u16 halfword, Operands& operands) {
    const u32 bucket = compressed_bucket_of(halfword);
    for (u32 i = kCompressedIndex.begin[bucket]; i < kCompressedIndex.begin[bucket + 1]; ++i) {
        const Candidate& c = kCompressedIndex.candidates[i];
        if ((halfword & c.mask) != c.match) continue;
        return kExpand[c.row](Halfword{halfword}, operands) ? c.row : kCompressed.size();
    }
    return kCompressed.size();
}
}  // namespace

Decoded decode(u32 word) {
    Decoded decoded{.length = length_of(word)};
    if (decoded.length == 2) {
        Operands operands;
        const std::size_t found = find(static_cast<u16>(word), operands);
        if (found < kCompressed.size()) decoded = {kCompressed[found].target, operands, 2};
        return decoded;
    }
    const u32 bucket = bucket_of(word);
    for (u32 i = kIndex.begin[bucket]; i < kIndex.begin[bucket + 1]; ++i) {
        const Candidate& c = kIndex.candidates[i];
        if ((word & c.mask) != c.match) continue;
        const Row& row = kIsa[c.row];
        return {row.op, extract(row.format, word), 4};
    }
    return decoded;
}

const CompressedRow* find_compressed(u16 halfword) {
    Operands operands;
    const std::size_t found = find(halfword, operands);
    return found < kCompressed.size() ? &kCompressed[found] : nullptr;
}

const TodoRow* find_todo(u32 word) {
    for (const TodoRow& row : kTodo)
        if ((word & row.mask) == row.match) return &row;
    return nullptr;
}
}  // namespace hartline
