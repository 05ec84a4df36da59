// The TLB: contexts live side by side, and fences drop exactly what they name.
#include <catch2/catch.hpp>
#include <map>
#include <memory>
#include <random>

#include "mmu/tlb.hpp"

using namespace hartline;

namespace {
Regime user(u64 asid, u64 root) {
    return {.satp = u64{8} << 60 | asid << 44 | root, .privilege = Privilege::User};
}
struct Fixture {
    std::unique_ptr<Tlb> tlb = std::make_unique<Tlb>();
    u8 page[kFrameBytes] = {};

    void fill(Access access, u64 vaddr, const Regime& regime, bool global = false,
              unsigned shift = kFrameShift) {
        tlb->fill(access, vaddr, tlb->context(regime),
                  {.paddr = 0x8000'0000 + (vaddr & 0xff000),
                   .page_shift = static_cast<u8>(shift),
                   .global = global},
                  page);
    }
    bool holds(Access access, u64 vaddr, const Regime& regime, u64 bytes = 8) {
        const u64 context = tlb->context(regime);
        return tlb->tag(access, vaddr) == Tlb::key(vaddr, bytes, context);
    }
};
constexpr u64 kA = 0x12'3456'7000, kB = 0x12'3460'8000;
}  // namespace

TEST_CASE("tlb: an entry serves its own access kind, context and alignment only") {
    Fixture f;
    const Regime a = user(1, 100), b = user(2, 200);
    f.fill(Access::Load, kA, a);
    CHECK(f.holds(Access::Load, kA + 8, a));
    CHECK_FALSE(f.holds(Access::Load, kA + 4, a, 8));
    CHECK(f.holds(Access::Load, kA + 4, a, 4));
    CHECK_FALSE(f.holds(Access::Store, kA, a));
    CHECK_FALSE(f.holds(Access::Fetch, kA, a));
    CHECK_FALSE(f.holds(Access::Load, kA, b));
    Regime supervisor = a;
    supervisor.privilege = Privilege::Supervisor;
    CHECK_FALSE(f.holds(Access::Load, kA, supervisor));
    Regime with_sum = supervisor;
    with_sum.sum = true;
    f.fill(Access::Load, kA, with_sum);
    CHECK_FALSE(f.holds(Access::Load, kA, supervisor));
}

TEST_CASE("tlb: a switch of address space drops nothing") {
    Fixture f;
    for (u64 asid = 1; asid <= 20; ++asid) f.fill(Access::Load, kA + asid * kFrameBytes, user(asid, asid));
    for (u64 asid = 1; asid <= 20; ++asid)
        CHECK(f.holds(Access::Load, kA + asid * kFrameBytes, user(asid, asid)));
}

TEST_CASE("tlb: an address space that took over the place of another finds nothing of it") {
    Fixture f;
    f.fill(Access::Load, kA, user(1, 1));
    for (u64 asid = 2; asid < 80; ++asid) CHECK_FALSE(f.holds(Access::Load, kA, user(asid, asid)));
    CHECK_FALSE(f.holds(Access::Load, kA, user(1, 1)));
}

TEST_CASE("tlb: a fence by ASID keeps other address spaces and global mappings") {
    Fixture f;
    f.fill(Access::Load, kA, user(1, 1));
    f.fill(Access::Load, kB, user(1, 1), true);
    f.fill(Access::Store, kA, user(2, 2));
    f.tlb->flush_asid(1);
    CHECK_FALSE(f.holds(Access::Load, kA, user(1, 1)));
    CHECK(f.holds(Access::Load, kB, user(1, 1)));
    CHECK(f.holds(Access::Store, kA, user(2, 2)));
}

TEST_CASE("tlb: a fence by address drops that page in every space and kind, global or not") {
    Fixture f;
    f.fill(Access::Load, kA, user(1, 1));
    f.fill(Access::Store, kA, user(2, 2));
    f.fill(Access::Fetch, kA, user(1, 1), true);
    f.fill(Access::Load, kB, user(1, 1));
    f.tlb->flush_address(kA + 0x123);
    CHECK_FALSE(f.holds(Access::Load, kA, user(1, 1)));
    CHECK_FALSE(f.holds(Access::Store, kA, user(2, 2)));
    CHECK_FALSE(f.holds(Access::Fetch, kA, user(1, 1)));
    CHECK(f.holds(Access::Load, kB, user(1, 1)));
}

TEST_CASE("tlb: a fence by address and ASID spares other ASIDs and global mappings") {
    Fixture f;
    f.fill(Access::Load, kA, user(1, 1));
    f.fill(Access::Store, kA, user(2, 2));
    f.fill(Access::Fetch, kA, user(1, 1), true);
    f.tlb->flush_address_asid(kA, 1);
    CHECK_FALSE(f.holds(Access::Load, kA, user(1, 1)));
    CHECK(f.holds(Access::Store, kA, user(2, 2)));
    CHECK(f.holds(Access::Fetch, kA, user(1, 1)));
}

TEST_CASE("tlb: a fence by any address of a superpage drops all its pieces") {
    for (const unsigned shift : {16u, 21u, 30u, 39u}) {
        Fixture f;
        const u64 base = 0x12'4000'0000, piece = base + 0x5000;
        f.fill(Access::Load, piece, user(1, 1), false, shift);
        f.fill(Access::Load, kB, user(1, 1));
        f.tlb->flush_address(base + 0xf000);
        CHECK_FALSE(f.holds(Access::Load, piece, user(1, 1)));
        CHECK(f.holds(Access::Load, kB, user(1, 1)));
        f.fill(Access::Load, piece, user(1, 1), false, shift);
        f.tlb->flush_address_asid(base + 0xf000, 2);
        CHECK(f.holds(Access::Load, piece, user(1, 1)));
        f.tlb->flush_address_asid(base + 0xf000, 1);
        CHECK_FALSE(f.holds(Access::Load, piece, user(1, 1)));
    }
}

TEST_CASE("tlb: a frame that changed is dropped wherever it is mapped") {
    Fixture f;
    f.fill(Access::Load, kA, user(1, 1));
    f.fill(Access::Store, kA + 0x100'0000, user(2, 2));  // the same frame by another address
    f.fill(Access::Load, kB, user(1, 1));
    f.tlb->flush_frame(0x8000'0000 + (kA & 0xff000));
    CHECK_FALSE(f.holds(Access::Load, kA, user(1, 1)));
    CHECK_FALSE(f.holds(Access::Store, kA + 0x100'0000, user(2, 2)));
    CHECK(f.holds(Access::Load, kB, user(1, 1)));
}

TEST_CASE("tlb: of a frame whose stores must be seen the other entries stay") {
    Fixture f;
    for (const Access access : {Access::Load, Access::Store, Access::Fetch}) f.fill(access, kA, user(1, 1));
    f.tlb->flush_stores(0x8000'0000 + (kA & 0xff000));
    CHECK(f.holds(Access::Load, kA, user(1, 1)));
    CHECK(f.holds(Access::Fetch, kA, user(1, 1)));
    CHECK_FALSE(f.holds(Access::Store, kA, user(1, 1)));
}

// Frames that are alike in their lowest bits, and pages that take each other's entries.
TEST_CASE("tlb: of a frame that changed all entries are dropped and no other, at random") {
    Fixture f;
    const u64 context = f.tlb->context(user(1, 1));
    std::mt19937_64 random(7);
    std::map<u64, std::pair<u64, u64>> held;  // by index: page, frame
    for (int step = 0; step < 100'000; ++step) {
        const u64 frame = 0x8'0000 + random() % 8 * 4096 + random() % 3;
        if (random() % 8 == 0) {
            f.tlb->flush_frame(frame << kFrameShift);
            std::erase_if(held, [&](const auto& entry) { return entry.second.second == frame; });
            for (u64 index = 0; index < 64; ++index) {
                const auto entry = held.find(index);
                const u64 tag = f.tlb->tag(Access::Load, index << kFrameShift);
                REQUIRE(tag == (entry == held.end() ? Tlb::kInvalid : entry->second.first | context));
            }
        } else {
            const u64 index = random() % 64, page = (random() % 4 * Tlb::kEntries + index) << kFrameShift;
            f.tlb->fill(Access::Load, page, context, {.paddr = frame << kFrameShift}, f.page);
            held[index] = {page, frame};
        }
    }
}

TEST_CASE("tlb: no address matches an empty entry") {
    Fixture f;
    for (const u64 vaddr : {u64{0}, ~u64{0}, ~u64{0} - 7, u64{0xfff}, kA})
        for (const u64 bytes : {1, 2, 4, 8})
            CHECK(f.tlb->tag(Access::Load, vaddr) != Tlb::key(vaddr, bytes, 0xff0));
}

// What translated code compares: the page of an access's last byte, so that misaligned accesses hit too.
TEST_CASE("tlb: tables hold page and context alone, so that an access that straddles pages cannot match") {
    Fixture f;
    const Regime a = user(1, 100);
    f.fill(Access::Store, kA, a);
    f.fill(Access::Store, kA + kFrameBytes, a);
    const auto matches = [&](u64 vaddr, u64 bytes) {
        const u64 wanted = ((vaddr + bytes - 1) & ~(kFrameBytes - 1)) | f.tlb->context(a);
        return f.tlb->tags(Access::Store)[Tlb::index(vaddr)] == wanted;
    };
    for (const u64 bytes : {1, 2, 4, 8}) {
        CHECK(matches(kA + 1, bytes));
        CHECK(matches(kA + kFrameBytes - bytes, bytes));
        CHECK(matches(kA + kFrameBytes - bytes + 1, bytes) == (bytes == 1));
        CHECK_FALSE(matches(~u64{0}, bytes));
    }
    const u64 host = kA + f.tlb->addends(Access::Store)[Tlb::index(kA)];
    CHECK(reinterpret_cast<const u8*>(host) == f.page);
}

// Address spaces whose pages change, with the fences that this asks for; an engine that remembers jumps.
namespace {
struct Changing {
    static constexpr unsigned kSpaces = 40, kPages = 24;
    // Users' pages, and the kernel's, at addresses that share entries.
    static u64 address(unsigned page) {
        const u64 high = page < kPages / 2 ? 0 : ~u64{0} << 38;
        return high + page % 4 * kFrameBytes + page / 4 * Tlb::kEntries * kFrameBytes;
    }
    u64& frame_of(unsigned page) { return page < kPages / 2 ? own[space][page] : common[page]; }

    void fetch(unsigned page) {
        const bool global = page >= kPages / 2;
        const u64 vaddr = address(page), frame = frame_of(page);
        if (tlb.tag(Access::Fetch, vaddr) != Tlb::key(vaddr, 1, context))
            tlb.fill(Access::Fetch, vaddr, context, {.paddr = frame << kFrameShift, .global = global},
                     nullptr);
        CHECK(tlb.frame(Access::Fetch, vaddr) == frame);
        jumps[{context, page}] = frame;
    }
    void change(unsigned page, unsigned fence) {
        frame_of(page) = ++frames;
        if (page >= kPages / 2) fence %= 2;
        switch (fence) {
            case 0: return tlb.flush_all();
            case 1: return tlb.flush_address(address(page));
            case 2: return tlb.flush_asid(space);
            default: return tlb.flush_address_asid(address(page), space);
        }
    }
    Tlb tlb;
    u64 own[kSpaces][kPages] = {}, common[kPages] = {}, frames = 0, context = 0;
    unsigned space = 0;
    std::map<std::pair<u64, unsigned>, u64> jumps;
};
}  // namespace

TEST_CASE("tlb: no remembered jump outlives its translation, and few are void for nothing") {
    const auto made = std::make_unique<Changing>();
    Changing& c = *made;
    std::mt19937_64 random(7);
    const auto below = [&](unsigned end) { return static_cast<unsigned>(random() % end); };
    int voids = 0;
    for (int step = 0; step < 200'000; ++step) {
        if (below(4) == 0) c.space = below(Changing::kSpaces);
        const bool in_user = below(2) != 0;
        if (below(8) == 0) c.change(below(Changing::kPages), below(40) == 0 ? 0 : 1 + below(3));
        Regime regime = user(c.space, 1);
        if (!in_user) regime.privilege = Privilege::Supervisor;
        c.context = c.tlb.context(regime);
        if (c.tlb.take_fetches_void()) {
            c.jumps.clear();
            ++voids;
        }
        for (unsigned page = 0; page < Changing::kPages; ++page)
            if (const auto jump = c.jumps.find({c.context, page}); jump != c.jumps.end())
                REQUIRE(jump->second == c.frame_of(page));
        c.fetch((in_user ? 0 : Changing::kPages / 2) + below(Changing::kPages / 2));
    }
    CHECK(voids < 20'000);
}

TEST_CASE("tlb: a walk's last table is known per space until a fence names its address or none") {
    Fixture f;
    const u64 one = user(1, 1).satp, two = user(2, 2).satp;
    TableCache& tables = f.tlb->tables();
    const auto knows = [&](u64 satp, u64 vaddr) { return tables.find(satp, vaddr).level == 0; };
    const auto refill = [&] {
        tables.keep(one, kA, {.paddr = 0x8000'1000, .level = 0, .global = true});
        tables.keep(two, kB, {.paddr = 0x8000'2000, .level = 0, .global = false});
    };
    CHECK_FALSE(knows(0, 0));
    refill();
    CHECK(tables.find(one, kA + 0x1000).paddr == 0x8000'1000);
    CHECK(tables.find(one, kA).global);
    CHECK_FALSE(tables.find(two, kB).global);
    CHECK_FALSE(knows(two, kA));
    CHECK(tables.find(two, kA).paddr == 2 << kFrameShift);
    CHECK_FALSE(knows(one, kA + 0x20'0000));
    tables.keep(one, kA + 0x20'0000, {.paddr = 0x8000'3000, .level = 1, .global = false});
    CHECK_FALSE(knows(one, kA + 0x20'0000));
    f.tlb->flush_address(kA);
    CHECK_FALSE(knows(one, kA));
    CHECK(knows(two, kB));
    f.tlb->flush_address_asid(kB, 2);
    CHECK_FALSE(knows(two, kB));
    refill();
    f.tlb->flush_asid(1);
    CHECK_FALSE(knows(one, kA));
    refill();
    f.tlb->flush_all();
    CHECK_FALSE(knows(one, kA));
    CHECK_FALSE(knows(two, kB));
}
