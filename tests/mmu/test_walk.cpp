// The walker against a naive one that follows the specification's steps word for word, and its rules one by
// one.
#include <catch2/catch.hpp>

#include <map>
#include <random>
#include <set>

#include "mmu/walk.hpp"

using namespace hartline;

namespace {
constexpr u64 V = 1, R = 2, W = 4, X = 8, U = 16, G = 32, A = 64, D = 128, N = u64{1} << 63;
constexpr u64 kRoot = 0x8000'0000;
constexpr Access kAccesses[] = {Access::Load, Access::Store, Access::Fetch};
constexpr u64 pbmt(u64 type) { return type << 61; }
constexpr u64 to(u64 paddr) { return paddr >> 12 << 10; }

// Page tables in a map: absent entries are zero, some addresses cannot be reached.
struct Tables final : WalkMemory {
    bool load(u64 paddr, u64& pte) override {
        ++loads;
        if (no_load.contains(paddr & ~u64{0xfff})) return false;
        pte = words[paddr];
        return true;
    }
    bool compare_exchange(u64 paddr, u64 expected, u64 desired, bool& swapped) override {
        if (no_store.contains(paddr & ~u64{0xfff})) return false;
        if (meanwhile.contains(paddr)) {  // somebody else was faster
            words[paddr] = meanwhile[paddr];
            meanwhile.erase(paddr);
        }
        swapped = words[paddr] == expected;
        if (swapped) words[paddr] = desired;
        return true;
    }
    std::map<u64, u64> words, meanwhile;
    std::set<u64> no_load, no_store;  // pages
    int loads = 0;
};

Regime regime(u64 mode, Privilege privilege = Privilege::Supervisor) {
    return {.satp = mode << 60 | kRoot >> 12, .privilege = privilege};
}
// Sv39 tables that map one page at `vaddr` by `leaf` at `level`.
Tables mapped(u64 vaddr, u64 leaf, unsigned level = 0, u64 pointer_bits = V) {
    Tables t;
    u64 table = kRoot;
    for (unsigned at = 2; at > level; --at) {
        t.words[table + (vaddr >> (12 + 9 * at) & 511) * 8] = to(table + 0x1000) | pointer_bits;
        table += 0x1000;
    }
    t.words[table + (vaddr >> (12 + 9 * level) & 511) * 8] = leaf;
    return t;
}
Translation sv39(Tables t, Access access, Regime r = regime(8), u64 vaddr = 0x1234) {
    return walk(r, vaddr, access, t);
}
constexpr u64 kLeaf = to(0x9000'0000) | V | R | W | X | A | D;
bool faults(u64 leaf, Access access, Regime r = regime(8), unsigned level = 0) {
    return sv39(mapped(0x1234, leaf, level), access, r).fault == Fault::Page;
}

// --- The naive walker. "Virtual Address Translation Process", steps 1 to 10.
struct Naive {
    Fault fault = Fault::None;
    u64 paddr = 0, size = 0;
    bool global = false;
};
Naive naive(const Regime& r, u64 va, Access access, Tables& m) {
    const int LEVELS = r.satp >> 60 == 8 ? 3 : r.satp >> 60 == 9 ? 4 : 5;
    const int va_bits = 12 + 9 * LEVELS;
    for (int b = va_bits; b < 64; ++b)
        if ((va >> b & 1) != (va >> (va_bits - 1) & 1)) return {Fault::Page};
    u64 a = (r.satp & 0xfff'ffff'ffff) * 4096;
    bool global = false;
    int i = LEVELS - 1;
    while (true) {
        const u64 vpn = va >> (12 + 9 * i) & 511;
        u64 pte = 0;
        if (!m.load(a + vpn * 8, pte)) return {Fault::Access};
        const auto has = [&](u64 b) { return (pte & b) != 0; };
        if (!has(V) || (!has(R) && has(W))) return {Fault::Page};
        for (int b = 54; b <= 60; ++b)
            if (pte >> b & 1) return {Fault::Page};
        const u64 pb = pte >> 61 & 3;
        if (pb == 3 || (pb != 0 && !r.pbmt)) return {Fault::Page};
        const u64 ppn = pte << 10 >> 20;
        if (!has(R) && !has(X)) {
            if (has(D) || has(A) || has(U) || has(N) || pb != 0) return {Fault::Page};
            if (--i < 0) return {Fault::Page};
            a = ppn * 4096;
            if (has(G)) global = true;
            continue;
        }
        if (has(N) && (i != 0 || ppn % 16 != 8)) return {Fault::Page};
        u64 size = 4096;
        for (int k = 0; k < i; ++k) size *= 512;
        if (ppn * 4096 % size != 0) return {Fault::Page};
        if (has(N)) size = 65536;
        if (r.privilege == Privilege::User ? !has(U) : has(U) && (access == Access::Fetch || !r.sum))
            return {Fault::Page};
        if (access == Access::Fetch && !has(X)) return {Fault::Page};
        if (access == Access::Store && !has(W)) return {Fault::Page};
        if (access == Access::Load && !has(R) && !(r.mxr && has(X))) return {Fault::Page};
        if (!has(A) || (access == Access::Store && !has(D))) {
            if (!r.hardware_ad) return {Fault::Page};
            bool swapped = false;
            const u64 wanted = access == Access::Store ? pte | A | D : pte | A;
            if (!m.compare_exchange(a + vpn * 8, pte, wanted, swapped)) return {Fault::Access};
            if (!swapped) continue;
        }
        return {Fault::None, ppn * 4096 / size * size + va % size, size, global || has(G)};
    }
}

struct Random {
    std::mt19937_64 engine{42};
    u64 below(u64 limit) { return engine() % limit; }
    bool one_in(u64 n) { return below(n) == 0; }
};
// A few table pages full of entries that point at each other or at anything, wrong now and then.
u64 random_pte(Random& random, unsigned depth) {
    u64 pte = V | (random.below(256) & ~(V | R | W | X));
    if (random.one_in(2)) {
        pte = V | (random.one_in(3) ? G : 0) | to(kRoot + random.below(6) * 4096);  // a pointer
    } else {
        pte |= (R | W | X) & (random.below(16) | (random.one_in(2) ? R : 0));
        if (!random.one_in(3)) pte |= A | D;
        u64 paddr = random.below(u64{1} << 44) << 12;
        if (!random.one_in(4)) paddr = paddr >> (12 + 9 * depth) << (12 + 9 * depth);
        pte |= to(paddr);
        if (random.one_in(6)) pte = (pte & ~to(0xffff)) | N | to(0x8000);
        if (random.one_in(6)) pte |= pbmt(random.below(4));
    }
    if (random.one_in(20)) pte |= u64{1} << random.below(64);
    if (random.one_in(20)) pte &= ~(u64{1} << random.below(8));
    return pte;
}
}  // namespace

TEST_CASE("walk_equals_a_naive_walk_and_leaves_the_same_tables") {
    Random random;
    int good = 0;
    for (int round = 0; round < 60000; ++round) {
        const u64 mode = 8 + random.below(3);
        Regime r = regime(mode, random.one_in(2) ? Privilege::User : Privilege::Supervisor);
        r.sum = random.one_in(2);
        r.mxr = random.one_in(2);
        r.hardware_ad = random.one_in(2);
        r.pbmt = random.one_in(2);
        u64 vaddr = sign_extend(random.engine(), static_cast<unsigned>(39 + 9 * (mode - 8)));
        if (random.one_in(30)) vaddr ^= u64{1} << random.below(64);
        const Access access = kAccesses[random.below(3)];
        Tables mine;
        for (unsigned level = 0; level < 5; ++level)
            for (u64 page = 0; page < 6; ++page) {
                const u64 at = kRoot + page * 4096 + (vaddr >> (12 + 9 * level) & 511) * 8;
                mine.words[at] = random_pte(random, level);
                if (random.one_in(20)) mine.meanwhile[at] = random_pte(random, level);
            }
        if (random.one_in(10)) mine.no_load.insert(kRoot + random.below(6) * 4096);
        if (random.one_in(10)) mine.no_store.insert(kRoot + random.below(6) * 4096);
        Tables theirs = mine;
        const Translation got = walk(r, vaddr, access, mine);
        const Naive expected = naive(r, vaddr, access, theirs);
        CAPTURE(round, mode, vaddr, access);
        REQUIRE(got.fault == expected.fault);
        REQUIRE(mine.words == theirs.words);
        REQUIRE(mine.meanwhile == theirs.meanwhile);
        if (got.fault != Fault::None) continue;
        ++good;
        REQUIRE(got.paddr == expected.paddr);
        REQUIRE(u64{1} << got.page_shift == expected.size);
        REQUIRE(got.global == expected.global);
    }
    CHECK(good > 3000);
}

TEST_CASE(
    "checklist 41, seen 57: addresses that are not canonical fault by page, without a look at the tables") {
    for (const u64 mode : {u64{8}, u64{9}, u64{10}}) {
        const u64 top = u64{1} << (38 + 9 * (mode - 8));
        for (const Access access : kAccesses)
            for (const u64 vaddr : {top, ~u64{0} ^ top, top << 1, u64{1} << 63, ~u64{0} >> 1}) {
                Tables t;
                CHECK(walk(regime(mode), vaddr, access, t).fault == Fault::Page);
                CHECK(t.loads == 0);
            }
        Tables t;
        walk(regime(mode), ~u64{0}, Access::Load, t);
        walk(regime(mode), top - 1, Access::Load, t);
        walk(regime(mode), ~u64{0} << (38 + 9 * (mode - 8)), Access::Load, t);
        CHECK(t.loads == 3);
    }
}

TEST_CASE("checklist 42, seen 58: every reserved combination is a page fault of each kind") {
    Regime with_pbmt = regime(8);
    with_pbmt.pbmt = true;
    for (const Access access : kAccesses) {
        CHECK_FALSE(faults(kLeaf, access));
        CHECK(faults(kLeaf & ~V, access));
        CHECK(faults((kLeaf & ~(R | X)) | W, access));
        CHECK(faults(kLeaf & ~R, access));
        for (unsigned b = 54; b <= 60; ++b) CHECK(faults(kLeaf | u64{1} << b, access));
        CHECK(faults(kLeaf | pbmt(1), access));
        CHECK(faults(kLeaf | pbmt(2), access));
        CHECK_FALSE(faults(kLeaf | pbmt(1), access, with_pbmt));
        CHECK_FALSE(faults(kLeaf | pbmt(2), access, with_pbmt));
        CHECK(faults(kLeaf | pbmt(3), access, with_pbmt));
        for (const u64 extra : {D, A, U, N, pbmt(1), u64{1} << 54, u64{1} << 60})
            CHECK(sv39(mapped(0x1234, kLeaf, 0, V | extra), access, with_pbmt).fault == Fault::Page);
        CHECK_FALSE(sv39(mapped(0x1234, kLeaf, 0, V | G | 3 << 8), access).fault == Fault::Page);
        CHECK(faults(to(0x9000'0000) | V, access));  // a pointer at the last level
    }
}

TEST_CASE("checklist 42, seen 59: a misaligned superpage faults at each level") {
    for (unsigned level = 1; level <= 2; ++level)
        for (unsigned b = 0; b < 9 * level; ++b) {
            const u64 leaf = (to(u64{1} << 40) | V | R | W | X | A | D) | u64{1} << (10 + b);
            CHECK(faults(leaf, Access::Load, regime(8), level));
        }
    const Translation big =
        sv39(mapped(0x1'2345'6789, to(u64{1} << 40) | V | R | A, 2), Access::Load, regime(8), 0x1'2345'6789);
    CHECK(big.paddr == ((u64{1} << 40) | (0x1'2345'6789 & 0x3fff'ffff)));
    CHECK(big.page_shift == 30);
}

TEST_CASE("checklist 43, seen 64: Svnapot is 64 KiB only, at level 0, its low bits from the address") {
    for (u64 low = 0; low < 16; ++low) {
        const u64 leaf = to(0x9000'0000 | low << 12) | V | R | A | N;
        for (u64 page = 0; page < 16; ++page) {
            const u64 vaddr = page << 12 | 0x234;
            const Translation got = sv39(mapped(vaddr, leaf), Access::Load, regime(8), vaddr);
            if (low != 8) {
                CHECK(got.fault == Fault::Page);
                continue;
            }
            CHECK(got.paddr == (0x9000'0000 | vaddr));
            CHECK(got.page_shift == 16);
        }
    }
    CHECK(faults(to(u64{1} << 40 | 8 << 12) | V | R | A | N, Access::Load, regime(8), 1));
}

TEST_CASE("checklist 44, seen 60: Svade faults for A and D, Svadu sets them and D only for stores") {
    for (const u64 marks : {u64{0}, A, D, A | D})
        for (const Access access : kAccesses) {
            const u64 leaf = (kLeaf & ~(A | D)) | marks;
            const bool enough = (marks & A) && (access != Access::Store || (marks & D));
            CHECK(faults(leaf, access) == !enough);
            Regime hardware = regime(8);
            hardware.hardware_ad = true;
            Tables t = mapped(0x1234, leaf);
            CHECK(walk(hardware, 0x1234, access, t).fault == Fault::None);
            CHECK(t.words[kRoot + 0x2000 + 8] == (leaf | A | (access == Access::Store ? D : 0)));
        }
    // No mark where the access is not permitted.
    Regime hardware = regime(8, Privilege::User);
    hardware.hardware_ad = true;
    Tables t = mapped(0x1234, kLeaf & ~(A | D));
    CHECK(walk(hardware, 0x1234, Access::Store, t).fault == Fault::Page);
    CHECK(t.words[kRoot + 0x2000 + 8] == (kLeaf & ~(A | D)));
}

TEST_CASE(
    "checklist 44: an entry that changes under the update is read again; one that cannot be stored is an access fault") {
    Regime hardware = regime(8);
    hardware.hardware_ad = true;
    const u64 at = kRoot + 0x2000 + 8, fresh = kLeaf & ~(A | D);
    Tables moved = mapped(0x1234, fresh);
    moved.meanwhile[at] = (fresh & ~to(0x9000'0000)) | to(0xa000'0000);
    CHECK(walk(hardware, 0x1234, Access::Store, moved).paddr == 0xa000'0234);
    CHECK((moved.words[at] & (A | D)) == (A | D));
    Tables gone = mapped(0x1234, fresh);
    gone.meanwhile[at] = 0;
    CHECK(walk(hardware, 0x1234, Access::Store, gone).fault == Fault::Page);
    CHECK(gone.words[at] == 0);
    Tables fixed = mapped(0x1234, fresh);
    fixed.no_store.insert(kRoot + 0x2000);
    CHECK(walk(hardware, 0x1234, Access::Load, fixed).fault == Fault::Access);
    CHECK(fixed.words[at] == fresh);
    Tables already = mapped(0x1234, kLeaf);  // nothing to update: no permission to store is needed
    already.no_store.insert(kRoot + 0x2000);
    CHECK(walk(hardware, 0x1234, Access::Store, already).fault == Fault::None);
}

TEST_CASE("checklist 45, seen 61 and 65: U, SUM and MXR for each privilege and access") {
    for (const bool user_page : {false, true})
        for (const bool sum : {false, true})
            for (const bool mxr : {false, true})
                for (const Access access : kAccesses)
                    for (const u64 rwx : {R, X, R | W, R | X, R | W | X}) {
                        const u64 leaf = to(0x9000'0000) | V | A | D | rwx | (user_page ? U : 0);
                        Regime user = regime(8, Privilege::User), supervisor = regime(8);
                        user.sum = supervisor.sum = sum;
                        user.mxr = supervisor.mxr = mxr;
                        const bool bits_let = access == Access::Load    ? (rwx & R) || (mxr && (rwx & X))
                                              : access == Access::Store ? (rwx & W)
                                                                        : (rwx & X);
                        CHECK(faults(leaf, access, user) == !(user_page && bits_let));
                        const bool reach = !user_page || (sum && access != Access::Fetch);
                        CHECK(faults(leaf, access, supervisor) == !(reach && bits_let));
                    }
}

TEST_CASE("checklist 47: G in a pointer or a leaf makes the mapping global") {
    CHECK_FALSE(sv39(mapped(0x1234, kLeaf), Access::Load).global);
    CHECK(sv39(mapped(0x1234, kLeaf | G), Access::Load).global);
    CHECK(sv39(mapped(0x1234, kLeaf, 0, V | G), Access::Load).global);
}

TEST_CASE(
    "checklist 51, seen 55 and 62: tables that cannot be read are an access fault, at every level and of every kind") {
    for (const Access access : kAccesses)
        for (u64 page = 0; page < 3; ++page) {
            Tables t = mapped(0x1234, kLeaf);
            t.no_load.insert(kRoot + page * 0x1000);
            CHECK(walk(regime(8), 0x1234, access, t).fault == Fault::Access);
        }
}
