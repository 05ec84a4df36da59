// PMP against a model that looks at one byte after the other and spells the rules out in another way.
#include <catch2/catch.hpp>

#include <random>
#include <string_view>

#include "mmu/pmp.hpp"

using namespace hartline;

namespace {
constexpr u8 R = 1, W = 2, X = 4, TOR = 1 << 3, NA4 = 2 << 3, NAPOT = 3 << 3, L = 0x80;
constexpr u64 MML = 1, MMWP = 2, RLB = 4;
constexpr Access kAccesses[] = {Access::Load, Access::Store, Access::Fetch};
constexpr Privilege kModes[] = {Privilege::User, Privilege::Supervisor, Privilege::Machine};

// --- The model
bool byte_matches(const PmpRegisters& r, unsigned i, u64 byte) {
    const u64 word = byte / 4;
    const u64 a = r.addr[i];
    switch (r.cfg[i] / 8 % 4) {
        case 0: return false;
        case 1: return (i == 0 || r.addr[i - 1] <= word) && word < a;
        case 2: return word == a;
        default: {
            const u64 varies = a ^ (a + 1);  // the trailing ones and the zero above
            return (word | varies) == (a | varies);
        }
    }
}
int deciding_entry(const PmpRegisters& r, unsigned entries, u64 byte) {
    for (unsigned i = 0; i < entries; ++i)
        if (byte_matches(r, i, byte)) return static_cast<int>(i);
    return -1;
}
// The published table, row by row: L R W X, then what M may do and what S and U may do.
std::string_view lockdown_row(u8 cfg, bool machine) {
    static constexpr std::string_view rows[16][2] = {
        {"", ""}, {"", "x"}, {"rw", "r"}, {"rw", "rw"}, {"", "r"}, {"", "rx"}, {"", "rw"}, {"", "rwx"},
        {"", ""}, {"x", ""}, {"x", "x"},  {"rx", "x"},  {"r", ""}, {"rx", ""}, {"rw", ""}, {"r", "r"}};
    const unsigned row =
        (cfg & L ? 8u : 0u) + (cfg & R ? 4u : 0u) + (cfg & W ? 2u : 0u) + (cfg & X ? 1u : 0u);
    return rows[row][machine ? 0 : 1];
}
bool model_allows(const PmpRegisters& r, unsigned entries, u64 paddr, u64 bytes, Access access,
                  Privilege mode) {
    if (entries == 0) return true;
    const char letter = access == Access::Load ? 'r' : access == Access::Store ? 'w' : 'x';
    const bool machine = mode == Privilege::Machine;
    int winner = -1;
    bool whole = true;
    for (u64 byte = paddr; byte != paddr + bytes; ++byte) {
        const int entry = deciding_entry(r, entries, byte);
        if (entry >= 0 && (winner < 0 || entry < winner)) winner = entry;
    }
    if (winner < 0) {
        if (!machine) return false;
        if (r.mseccfg & MMWP) return false;
        return !(r.mseccfg & MML) || letter != 'x';
    }
    const u8 cfg = r.cfg[static_cast<unsigned>(winner)];
    for (u64 byte = paddr; byte != paddr + bytes; ++byte)
        whole = whole && byte_matches(r, static_cast<unsigned>(winner), byte);
    if (!whole) return false;
    if (r.mseccfg & MML) return lockdown_row(cfg, machine).find(letter) != std::string_view::npos;
    if (machine && !(cfg & L)) return true;
    return letter == 'r' ? cfg & R : letter == 'w' ? cfg & W : cfg & X;
}

PmpRegisters random_registers(std::mt19937_64& random, unsigned entries) {
    PmpRegisters r;
    r.mseccfg = random() % 8;
    for (unsigned i = 0; i < entries; ++i) {
        r.cfg[i] = static_cast<u8>(random() & 0x9f);
        if (!(r.mseccfg & MML) && !(r.cfg[i] & R)) r.cfg[i] = static_cast<u8>(r.cfg[i] & ~W);
        if (random() % 3 == 0) r.cfg[i] = static_cast<u8>(r.cfg[i] & ~NAPOT);
        r.addr[i] = 0x2000'0000 + random() % 2200;  // words from 0x80000000: two frames and a bit
        if (random() % 4 == 0) r.addr[i] |= (u64{1} << random() % 12) - 1;
    }
    return r;
}
PmpRegisters one(u8 cfg, u64 addr, u64 mseccfg = 0) {
    PmpRegisters r;
    r.cfg[0] = cfg;
    r.addr[0] = addr;
    r.mseccfg = mseccfg;
    return r;
}
bool user_loads(const PmpRegisters& r, u64 paddr, u64 bytes = 4) {
    return pmp::allows(r, 16, paddr, bytes, Access::Load, Privilege::User);
}
}  // namespace

TEST_CASE("pmp_verdicts_equal_those_of_a_bytewise_model") {
    std::mt19937_64 random(1);
    for (int round = 0; round < 1500; ++round) {
        const unsigned entries = round % 10 == 0 ? 64 : round % 7 == 0 ? 0 : 16;
        const PmpRegisters r = random_registers(random, entries);
        for (int probe = 0; probe < 60; ++probe) {
            const u64 paddr = 0x8000'0000 + random() % 9000 - 100;
            const u64 bytes = random() % 3 == 0 ? 1 + random() % 16 : u64{1} << random() % 4;
            const Access access = kAccesses[random() % 3];
            const Privilege mode = kModes[random() % 3];
            CAPTURE(round, probe, paddr, bytes, access, mode);
            REQUIRE(pmp::allows(r, entries, paddr, bytes, access, mode) ==
                    model_allows(r, entries, paddr, bytes, access, mode));
        }
    }
}

TEST_CASE("pmp_uniform_equals_one_entry_deciding_all_bytes_of_the_frame") {
    std::mt19937_64 random(2);
    int uniform = 0;
    for (int round = 0; round < 600; ++round) {
        PmpRegisters r = random_registers(random, 16);
        for (unsigned i = 0; i < 16 && round % 2 == 0; ++i)
            if (random() % 8 != 0) r.cfg[i] = static_cast<u8>(r.cfg[i] & ~NAPOT);
        for (const u64 frame : {u64{0x7fff'f000}, u64{0x8000'0000}, u64{0x8000'1000}}) {
            bool same = true;
            const int first = deciding_entry(r, 16, frame);
            for (u64 byte = frame; byte < frame + kFrameBytes; byte += 4)
                same = same && deciding_entry(r, 16, byte) == first;
            CAPTURE(round, frame);
            REQUIRE(pmp::uniform(r, 16, frame + random() % kFrameBytes) == same);
            uniform += same;
        }
    }
    CHECK(uniform > 100);
}

TEST_CASE("checklist 36: the smepmp truth table holds for every LRWX, mode and access") {
    for (unsigned lrwx = 0; lrwx < 16; ++lrwx)
        for (const Access access : kAccesses)
            for (const Privilege mode : kModes) {
                const u8 cfg = static_cast<u8>((lrwx & 8 ? L : 0) | (lrwx & 4 ? R : 0) | (lrwx & 2 ? W : 0) |
                                               (lrwx & 1 ? X : 0) | NAPOT);
                const char letter = access == Access::Load ? 'r' : access == Access::Store ? 'w' : 'x';
                const bool expected =
                    lockdown_row(cfg, mode == Privilege::Machine).find(letter) != std::string_view::npos;
                CHECK(pmp::allows(one(cfg, ~u64{0} >> 10, MML), 16, 0x8000'0000, 4, access, mode) ==
                      expected);
            }
}

TEST_CASE("checklist 36: mseccfg MML and MMWP are sticky, RLB stays clear once an entry is locked") {
    PmpRegisters r;
    CHECK(pmp::write_mseccfg(r, 16, ~u64{0}));
    CHECK(r.mseccfg == (MML | MMWP | RLB));
    CHECK(pmp::write_mseccfg(r, 16, 0));
    CHECK(r.mseccfg == (MML | MMWP));
    r = {};
    r.cfg[15] = L;  // disabled, but an entry
    CHECK_FALSE(pmp::write_mseccfg(r, 16, RLB));
    CHECK(r.mseccfg == 0);
    r.cfg[15] = 0;
    pmp::write_mseccfg(r, 16, RLB);
    r.cfg[15] = L;
    CHECK_FALSE(pmp::write_mseccfg(r, 16, RLB));  // still set: it was not clear before
    CHECK(r.mseccfg == RLB);
}

TEST_CASE("checklist 36: MML refuses new locked rules that M may execute, unless RLB") {
    for (unsigned lrwx = 0; lrwx < 16; ++lrwx) {
        const u8 cfg = static_cast<u8>((lrwx & 8 ? L : 0) | (lrwx & 4 ? R : 0) | (lrwx & 2 ? W : 0) |
                                       (lrwx & 1 ? X : 0) | NAPOT);
        const bool refused = lrwx == 9 || lrwx == 10 || lrwx == 11 || lrwx == 13;
        PmpRegisters r;
        r.mseccfg = MML;
        CHECK(pmp::write_cfg(r, 16, 2, cfg) == !refused);
        CHECK(r.cfg[2] == (refused ? 0 : cfg));
        r = {};
        r.mseccfg = MML | RLB;
        CHECK(pmp::write_cfg(r, 16, 2, cfg));
    }
}

TEST_CASE("checklist 36: MML keeps M from executing where no rule matches, MMWP from all") {
    PmpRegisters r;
    r.mseccfg = MML;
    CHECK_FALSE(pmp::allows(r, 16, 0x8000'0000, 4, Access::Fetch, Privilege::Machine));
    CHECK(pmp::allows(r, 16, 0x8000'0000, 4, Access::Load, Privilege::Machine));
    r.mseccfg = MMWP;
    CHECK_FALSE(pmp::allows(r, 16, 0x8000'0000, 4, Access::Load, Privilege::Machine));
}

TEST_CASE("checklist 37: TOR entry 0 begins at 0, an empty range matches nothing") {
    PmpRegisters r = one(TOR | R, 0x400);
    CHECK(user_loads(r, 0));
    CHECK(user_loads(r, 0xffc));
    CHECK_FALSE(user_loads(r, 0x1000));
    r.cfg[1] = TOR | R;
    r.addr[1] = 0x400;
    CHECK_FALSE(user_loads(r, 0x1000));
    r.addr[1] = 0x300;
    CHECK_FALSE(user_loads(r, 0x1000));
}

TEST_CASE("checklist 37: NAPOT covers the whole space, NA4 four bytes") {
    CHECK(user_loads(one(NAPOT | R, ~u64{0} >> 10), 0));
    CHECK(user_loads(one(NAPOT | R, ~u64{0} >> 10), (u64{1} << 56) - 8, 8));
    CHECK(user_loads(one(NA4 | R, 0x400), 0x1000));
    CHECK_FALSE(user_loads(one(NA4 | R, 0x400), 0xffc));
    CHECK_FALSE(user_loads(one(NA4 | R, 0x400), 0x1004));
}

TEST_CASE("checklist 37: the lowest entry that matches any byte decides, and must match all") {
    PmpRegisters r = one(NA4 | R, 0x8000'000c >> 2);
    r.cfg[1] = NAPOT | R;
    r.addr[1] = ~u64{0} >> 10;
    CHECK_FALSE(user_loads(r, 0x8000'0008, 8));  // the specification's example
    CHECK(user_loads(r, 0x8000'000c, 4));
    CHECK(user_loads(r, 0x8000'0010, 8));
    CHECK_FALSE(pmp::allows(r, 16, 0x8000'0008, 8, Access::Load, Privilege::Machine));
    std::swap(r.cfg[0], r.cfg[1]);
    std::swap(r.addr[0], r.addr[1]);
    CHECK(user_loads(r, 0x8000'0008, 8));
}

TEST_CASE("checklist 37, seen 53: without a match M passes, S and U fail if there are entries; L binds M") {
    const PmpRegisters none;
    for (const Access access : kAccesses) {
        CHECK(pmp::allows(none, 16, 0x8000'0000, 4, access, Privilege::Machine));
        CHECK_FALSE(pmp::allows(none, 16, 0x8000'0000, 4, access, Privilege::Supervisor));
        CHECK_FALSE(pmp::allows(none, 16, 0x8000'0000, 4, access, Privilege::User));
        CHECK(pmp::allows(none, 0, 0x8000'0000, 4, access, Privilege::User));
        CHECK(pmp::allows(one(NAPOT, ~u64{0} >> 10), 16, 0x8000'0000, 4, access, Privilege::Machine));
        CHECK_FALSE(
            pmp::allows(one(NAPOT | L, ~u64{0} >> 10), 16, 0x8000'0000, 4, access, Privilege::Machine));
    }
}

TEST_CASE("entries that are not implemented do not match") {
    PmpRegisters r;
    r.cfg[16] = NA4 | R;
    r.addr[16] = 0x400;
    CHECK_FALSE(user_loads(r, 0x1000));
    CHECK(pmp::uniform(r, 16, 0x1000));
    CHECK_FALSE(pmp::uniform(r, 64, 0x1000));
}

TEST_CASE("seen 33: an access at the end of the address space does not wrap") {
    const PmpRegisters r = one(TOR | R, 0x400);
    CHECK_FALSE(user_loads(r, ~u64{0} - 3, 8));
    CHECK_FALSE(
        pmp::allows(one(NAPOT | R | L, ~u64{0} >> 10), 16, ~u64{0} - 3, 4, Access::Load, Privilege::User));
}

TEST_CASE("seen 54: W without R, address width, locks and TOR locks are WARL") {
    PmpRegisters r;
    CHECK(pmp::write_cfg(r, 16, 0, 0xff));
    CHECK(r.cfg[0] == 0x9f);
    r = {};
    CHECK(pmp::write_cfg(r, 16, 0, W | X | NAPOT));
    CHECK(r.cfg[0] == (X | NAPOT));
    CHECK(pmp::write_addr(r, 16, 15, ~u64{0}));
    CHECK(r.addr[15] == ~u64{0} >> 10);
    CHECK_FALSE(pmp::write_addr(r, 16, 16, 1));
    CHECK_FALSE(pmp::write_cfg(r, 16, 16, R));
    CHECK(pmp::write_cfg(r, 16, 4, L | TOR | R));
    CHECK_FALSE(pmp::write_cfg(r, 16, 4, 0));
    CHECK_FALSE(pmp::write_addr(r, 16, 4, 1));
    CHECK_FALSE(pmp::write_addr(r, 16, 3, 1));  // the locked TOR's bottom
    CHECK(pmp::write_addr(r, 16, 5, 1));
    PmpRegisters low, high;
    CHECK(pmp::write_cfg(low, 16, 1, L | TOR));
    CHECK_FALSE(pmp::write_addr(low, 16, 0, 1));
    CHECK(pmp::write_cfg(high, 16, 15, L | TOR));
    CHECK_FALSE(pmp::write_addr(high, 16, 14, 1));
    CHECK(pmp::write_cfg(r, 16, 8, L | NAPOT));
    CHECK(pmp::write_addr(r, 16, 7, 1));
    r.mseccfg = RLB;
    CHECK(pmp::write_addr(r, 16, 3, 1));
    CHECK(pmp::write_cfg(r, 16, 4, 0));
}

TEST_CASE("pmp_legal_accepts_what_writes_lead_to_and_refuses_the_rest") {
    std::mt19937_64 random(3);
    PmpRegisters r;
    for (int step = 0; step < 20000; ++step) {
        const unsigned index = static_cast<unsigned>(random() % 16);
        switch (random() % 8) {
            case 0: pmp::write_mseccfg(r, 16, step < 10000 ? RLB & random() : random()); break;
            case 1: pmp::write_addr(r, 16, index, random()); break;
            case 2: r = step % 64 == 0 ? PmpRegisters{} : r; break;
            default: pmp::write_cfg(r, 16, index, static_cast<u8>(random() & random()));
        }
        REQUIRE(pmp::legal(r));
    }
    CHECK_FALSE(pmp::legal(one(W, 0)));
    CHECK(pmp::legal(one(W, 0, MML)));
    CHECK_FALSE(pmp::legal(one(0x20, 0)));
    CHECK_FALSE(pmp::legal(one(0, u64{1} << 54)));
    CHECK_FALSE(pmp::legal(one(0, 0, 8)));
}
