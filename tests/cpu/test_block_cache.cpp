// The cache of decoded blocks: finding, and what stores drop.
#include <catch2/catch.hpp>

#include <map>
#include <random>

#include "cpu/interpreter/block.hpp"

using namespace hartline;

namespace {
constexpr u64 kFrame = 0x8000'0000;
Exit nowhere(Context&, const Insn*) { return Exit::Look; }

BlockCache::Dropped store(BlockCache& cache, u64 paddr, u64 bytes = 8) {
    return cache.drop(paddr, bytes, nowhere);
}
// A frame that stores come back to: they have granted it some.
void be_written(BlockCache& cache, u64 frame) {
    cache.add(frame, 1, 4);
    CHECK(store(cache, frame).all);
}
}  // namespace

TEST_CASE("block cache: the first store to a frame drops all of it, and later ones what they overlap") {
    BlockCache cache;
    Block* const first = cache.add(kFrame + 0x100, 2, 8);
    Block* const other_frame = cache.add(kFrame + 0x1000, 2, 8);
    const auto before = store(cache, kFrame + 0x800);
    CHECK((before.some && before.all));
    CHECK(first->paddr == Block::kDropped);
    CHECK(first->entry == nowhere);
    CHECK(cache.find(kFrame + 0x100) == nullptr);
    CHECK(cache.find(kFrame + 0x1000) == other_frame);

    Block* const one = cache.add(kFrame + 0x100, 2, 8);
    Block* const two = cache.add(kFrame + 0x108, 2, 6);
    const auto beside = store(cache, kFrame + 0x10e, 4);
    CHECK((!beside.some && !beside.all));
    const auto last_byte = store(cache, kFrame + 0x10d, 1);
    CHECK((last_byte.some && !last_byte.all));
    CHECK(two->paddr == Block::kDropped);
    CHECK(cache.find(kFrame + 0x100) == one);
    const auto over_both = store(cache, kFrame + 0xfc, 8);
    CHECK((over_both.some && over_both.all));
    CHECK(store(cache, kFrame + 0x100).all);
}

TEST_CASE("block cache: a frame takes more stores each time that they come back to code") {
    BlockCache cache;
    u64 taken_before = 0;
    for (unsigned round = 0; round < 5; ++round) {
        be_written(cache, kFrame + 0x1000);
        cache.add(kFrame, 2, 8);
        u64 taken = 0;
        while (!store(cache, kFrame + 0x800).all) ++taken;
        CHECK(taken >= taken_before);
        CHECK((round == 0 || taken > taken_before));
        taken_before = taken;
    }
}

TEST_CASE("block cache: what is there is found and nothing else, whatever was dropped between") {
    BlockCache cache;
    std::mt19937_64 random(1);
    std::map<u64, Block*> there;
    for (unsigned frame = 0; frame < 40; ++frame) be_written(cache, kFrame + frame * kFrameBytes);
    for (unsigned step = 0; step < 60'000; ++step) {
        const u64 paddr = kFrame + random() % (40 * kFrameBytes) / 2 * 2;
        if (random() % 2 == 0 && paddr % kFrameBytes < kFrameBytes - 8) {
            if (cache.find(paddr) == nullptr) there[paddr] = cache.add(paddr, 1, 4);
        } else {
            const bool all = store(cache, paddr / 8 * 8).all;
            const u64 frame = paddr & ~(kFrameBytes - 1);
            const auto gone = [&](const auto& entry) {
                const bool overlaps = entry.first < paddr / 8 * 8 + 8 && paddr / 8 * 8 < entry.first + 4;
                return overlaps || (all && (entry.first & ~(kFrameBytes - 1)) == frame);
            };
            std::erase_if(there, gone);
        }
        if (step % 100 != 0) continue;
        for (const auto& [at, block] : there) REQUIRE(cache.find(at) == block);
        REQUIRE(cache.find(paddr) == (there.contains(paddr) ? there[paddr] : nullptr));
    }
}
