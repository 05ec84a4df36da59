// CSRs: which exist for whom, what they can hold, and what the six instructions do with them.
#include <catch2/catch.hpp>

#include <random>
#include <set>

#include "tests/cpu/fake_cpu.hpp"

using namespace hartline;

namespace {
constexpr u64 kOnes = ~u64{0};
enum : unsigned {
    fflags = 1,
    frm = 2,
    fcsr = 3,
    sstatus = 0x100,
    sie = 0x104,
    stvec = 0x105,
    scounteren = 0x106,
    senvcfg = 0x10a,
    sscratch = 0x140,
    sepc = 0x141,
    scause = 0x142,
    stval = 0x143,
    sip = 0x144,
    stimecmp = 0x14d,
    satp = 0x180,
    misa = 0x301,
    medeleg = 0x302,
    mideleg = 0x303,
    mie = 0x304,
    mtvec = 0x305,
    mcounteren = 0x306,
    menvcfg = 0x30a,
    mcountinhibit = 0x320,
    mscratch = 0x340,
    mepc = 0x341,
    mcause = 0x342,
    mtval = 0x343,
    mip_ = 0x344,
    mseccfg = 0x747,
    mcycle = 0xb00,
    minstret = 0xb02,
    time_ = 0xc01,
    scountovf = 0xda0,
    mhartid = 0xf14,
};
constexpr unsigned kMstatus = 0x300;
constexpr u64 kSsip = 1 << 1, kStip = 1 << 5, kSeip = 1 << 9, kLcofip = 1 << 13;

// Written from the specification's list of CSR addresses, for what Hartline claims to have.
std::set<unsigned> listed(unsigned pmp_entries) {
    std::set<unsigned> all{0x7a0, 0x7a1, 0x7a2, 0x7a3, 0x7a4, 1,     2,     3,     0x100, 0x104, 0x105,
                           0x106, 0x10a, 0x140, 0x141, 0x142, 0x143, 0x144, 0x14d, 0x180, 0xda0, 0xf11,
                           0xf12, 0xf13, 0xf14, 0xf15, 0x300, 0x301, 0x302, 0x303, 0x304, 0x305, 0x306,
                           0x30a, 0x320, 0x340, 0x341, 0x342, 0x343, 0x344, 0xc01};
    for (unsigned i = 0; i < 32; ++i) {
        if (i >= 3) all.insert(0x320 + i);
        if (i != 1) all.insert({0xb00 + i, 0xc00 + i});
    }
    for (unsigned i = 0; i < pmp_entries; ++i) all.insert({0x3b0 + i, 0x3a0 + i / 8 * 2});
    if (pmp_entries != 0) all.insert(0x747);
    return all;
}
bool expect_access(const HartState& s, const std::set<unsigned>& all, unsigned number, bool writes) {
    const unsigned level = s.privilege == Privilege::Machine      ? 3
                           : s.privilege == Privilege::Supervisor ? 1
                                                                  : 0;
    if (!all.contains(number) || number / 256 % 4 > level || (number >= 0xc00 && writes)) return false;
    if (number <= 3) return s.mstatus & mstatus::kFs;
    if (number >= 0xc00 && number < 0xc20 && level < 3) {
        if (!(s.mcounteren >> (number - 0xc00) & 1)) return false;
        return level == 1 || (s.scounteren >> (number - 0xc00) & 1);
    }
    if (number == satp && level == 1) return !(s.mstatus & mstatus::kTvm);
    if (number == stimecmp && level < 3) return (s.menvcfg >> 63) && (s.mcounteren & 2);
    return true;
}
struct World {
    u64 mcounteren_value, scounteren_value, status, menvcfg_value;
};
u64 peek(const FakeCpu& f, unsigned number) {
    u64 value = 0;
    csr_peek(f.cpu, number, value);
    return value;
}
}  // namespace

TEST_CASE(
    "checklist 24, seen 48 and 52: an access is illegal exactly where expected, for every number, mode and entry count") {
    const World worlds[] = {
        {0, 0, 0, 0},
        {kOnes >> 32, kOnes >> 32, mstatus::kFs, kOnes},
        {0x5555'5555, 0x3333'3333, mstatus::kTvm, 0},
        {0xffff'fffd, kOnes >> 32, 0, kOnes},  // all but TM
        {2, 0, mstatus::kFs | mstatus::kTvm, envcfg::kStce},
    };
    for (const unsigned entries : {0u, 16u, 64u}) {
        FakeCpu f({.pmp_entries = entries});
        const std::set<unsigned> all = listed(entries);
        const HartState fresh = f.cpu.s;
        for (const World& world : worlds)
            for (const Privilege mode : kPrivileges)
                for (unsigned number = 0; number < 4096; ++number)
                    for (unsigned kind = 0; kind < 4; ++kind) {
                        f.cpu.s = fresh;
                        f.cpu.lines = 0;
                        f.cpu.s.counters_at = f.engine.retired;
                        f.cpu.s.mcounteren = world.mcounteren_value;
                        f.cpu.s.scounteren = world.scounteren_value;
                        f.cpu.s.mstatus |= world.status;
                        f.cpu.s.menvcfg = world.menvcfg_value;
                        f.be(mode);
                        f.cpu.s.x[6] = 0x77;
                        f.cpu.s.x[5] = 0;  // a write of nothing is a write
                        const bool writes = kind >= 2;
                        const bool expected = expect_access(f.cpu.s, all, number, writes);
                        const SystemFunction functions[] = {system::csrrs, system::csrrci, system::csrrw,
                                                            system::csrrc};
                        const u8 rs1 = writes ? 5 : 0;
                        const bool done = f.run(functions[kind], FakeCpu::csr(number, 6, rs1));
                        if (done == expected && (done || (f.last_was_illegal() && f.cpu.s.x[6] == 0x77)))
                            continue;
                        CAPTURE(entries, number, mode, kind, &world - worlds, expected);
                        FAIL("CSR access");
                    }
    }
}

TEST_CASE("csr_names_and_existence_follow_the_rows") {
    const std::set<unsigned> all = listed(16);
    for (unsigned number = 0; number < 5000; ++number) CHECK(csr_exists({}, number) == all.contains(number));
    CHECK(csr_name(0x300) == "mstatus");
    CHECK(csr_name(0x3a2) == "pmpcfg2");
    CHECK(csr_name(0x3ef) == "pmpaddr63");
    CHECK(csr_name(0xb1f) == "mhpmcounter31");
    CHECK(csr_name(0x323) == "mhpmevent3");
    CHECK(csr_name(0x7a8).empty());
}

TEST_CASE("what each CSR holds after ones and after zeros") {
    struct Expectation {
        unsigned number;
        u64 ones, zeros;
    };
    constexpr u64 kWide = (u64{2} << 34) | (u64{2} << 32), kUser64 = u64{2} << 32, kSd = u64{1} << 63;
    const Expectation expectations[] = {
        {fflags, 31, 0},
        {frm, 7, 0},
        {fcsr, 255, 0},
        {sstatus, kSd | kUser64 | 0xc6122, kUser64},
        {kMstatus, kSd | kWide | 0x7e79aa, kWide},
        {stvec, kOnes - 2, 0},
        {mtvec, kOnes - 2, 0},
        {sepc, kOnes - 1, 0},
        {mepc, kOnes - 1, 0},
        {scause, kOnes, 0},
        {mcause, kOnes, 0},
        {stval, kOnes, 0},
        {mtval, kOnes, 0},
        {sscratch, kOnes, 0},
        {mscratch, kOnes, 0},
        {scounteren, kOnes >> 32, 0},
        {mcounteren, kOnes >> 32, 0},
        {mcountinhibit, (kOnes >> 32) - 2, 0},
        {senvcfg, 0xf1, 0},
        {menvcfg, u64{7} << 61 | 0xf1, 0},
        {medeleg, 0xb3fe, 0},
        {mideleg, 0x2222, 0},
        {mie, 0x2aaa, 0},
        {mip_, 0x2222, 0},
        {sie, 0, 0},
        {sip, 0, 0},
        {stimecmp, kOnes, 0},
        {mseccfg, 7, 3},
        {0x3a0, 0x9f9f'9f9f'9f9f'9f9f, 0x9f9f'9f9f'9f9f'9f9f},
        {0x3b0, kOnes >> 10, 0},
        {0x323, u64{15} << 60, 0},
        {mcycle, kOnes, 0},
        {minstret, kOnes, 0},
        {0xb1f, kOnes, 0},
        {misa, (u64{2} << 62) | 0x14112f, (u64{2} << 62) | 0x14112f},
    };
    for (const Expectation& e : expectations) {
        CAPTURE(csr_name(e.number));
        FakeCpu f;
        f.cpu.s.mstatus |= mstatus::kFs;
        REQUIRE(f.write(e.number, kOnes));
        CHECK(f.read(e.number) == e.ones);
        if (e.number != kMstatus) f.cpu.s.mstatus |= mstatus::kFs;
        REQUIRE(f.write(e.number, 0));
        if (e.number == sstatus) f.cpu.s.mstatus &= ~mstatus::kFs;
        CHECK(f.read(e.number) == e.zeros);
    }
}

TEST_CASE("a write to a CSR shows in no other CSR but its views") {
    FakeCpu f({.pmp_entries = 64});
    const std::set<unsigned> all = listed(64);
    const std::set<std::set<unsigned>> views{{fflags, frm, fcsr, kMstatus, sstatus},
                                             {kMstatus, sstatus},
                                             {mie, sie},
                                             {mideleg, sie, sip},
                                             {mip_, sip},
                                             {menvcfg, mip_, sip},
                                             {stimecmp, mip_, sip}};
    const auto related = [&](unsigned a, unsigned b) {
        if (a == b) return true;
        for (const auto& view : views)
            if (view.contains(a) && view.contains(b)) return true;
        if (a >= 0x323 && a < 0x340 && b == scountovf) return true;
        return (a & 0xf00) == 0xb00 && b == a + 0x100;
    };
    std::mt19937_64 random(7);
    const HartState fresh = f.cpu.s;
    for (const unsigned number : all)
        for (int round = 0; round < 4 && number < 0xc00; ++round) {
            f.cpu.s = fresh;
            f.cpu.lines = 0;
            f.cpu.s.mstatus |= mstatus::kFs;
            f.cpu.s.mcountinhibit = 0xffff'fffd;  // or everything counts
            f.cpu.s.mie = 0x2aaa;
            f.cpu.s.mideleg = 0x2222;
            std::map<unsigned, u64> before;
            for (const unsigned other : all) before[other] = peek(f, other);
            f.write(number, random());
            f.cpu.s.mcountinhibit |= number == mcountinhibit ? 0 : 0xffff'fffd;
            for (const unsigned other : all)
                if (before[other] != peek(f, other) && !related(number, other)) {
                    CAPTURE(csr_name(number), csr_name(other));
                    FAIL("unrelated CSR changed");
                }
        }
}

TEST_CASE("random writes lead to legal states that read back the same and survive being written back") {
    std::mt19937_64 random(11);
    FakeCpu f;
    const std::set<unsigned> all = listed(16);
    const std::vector<unsigned> numbers(all.begin(), all.end());
    for (int round = 0; round < 20000; ++round) {
        f.cpu.s.mstatus |= mstatus::kFs;
        const unsigned number = numbers[random() % numbers.size()];
        if (number >= 0xc00 || (number == mseccfg && round < 15000)) continue;
        f.write(number, random() & (round % 3 == 0 ? random() : kOnes));
        REQUIRE(csrs_legal(f.cpu.s));
        if (number >= 0xb00 || number == mip_ || number == sip) continue;  // counting; lines
        const u64 value = peek(f, number);
        if (number == kMstatus || number == sstatus) continue;  // FS is forced above
        f.write(number, value);
        CAPTURE(csr_name(number), value);
        REQUIRE(peek(f, number) == value);
    }
}

TEST_CASE("checklist 23, seen 7: csrrs and csrrc with x0 or 0 do not write, others write even the same") {
    FakeCpu f;
    f.cpu.s.x[5] = 0;
    for (const SystemFunction function : {system::csrrs, system::csrrc, system::csrrsi, system::csrrci}) {
        CHECK(f.run(function, FakeCpu::csr(mhartid, 6, 0)));
        CHECK(f.cpu.s.x[6] == 3);
        CHECK_FALSE(f.run(function, FakeCpu::csr(mhartid, 6, 5)));
    }
    CHECK_FALSE(f.run(system::csrrw, FakeCpu::csr(mhartid, 6, 0)));
    CHECK_FALSE(f.run(system::csrrwi, FakeCpu::csr(mhartid, 6, 0)));
    f.cpu.s.mstatus |= u64{1} << mstatus::kFsShift;
    f.run(system::csrrs, FakeCpu::csr(fcsr, 6, 0));
    CHECK((f.cpu.s.mstatus & mstatus::kFs) == u64{1} << mstatus::kFsShift);
    f.run(system::csrrs, FakeCpu::csr(fcsr, 6, 5));  // x5 is 0, and yet this writes
    CHECK((f.cpu.s.mstatus & mstatus::kFs) == mstatus::kFs);
}

TEST_CASE("the six instructions compute what they say, with rd and rs1 the same register and x0") {
    FakeCpu f;
    f.cpu.s.mscratch = 0b1100;
    f.cpu.s.x[5] = 0b1010;
    CHECK(f.run(system::csrrs, FakeCpu::csr(mscratch, 5, 5)));
    CHECK(f.cpu.s.x[5] == 0b1100);
    CHECK(f.cpu.s.mscratch == 0b1110);
    CHECK(f.run(system::csrrc, FakeCpu::csr(mscratch, 5, 5)));
    CHECK(f.cpu.s.mscratch == 0b0010);
    CHECK(f.cpu.s.x[5] == 0b1110);
    CHECK(f.run(system::csrrw, FakeCpu::csr(mscratch, 5, 5)));
    CHECK(f.cpu.s.mscratch == 0b1110);
    CHECK(f.cpu.s.x[5] == 0b0010);
    CHECK(f.run(system::csrrwi, FakeCpu::csr(mscratch, 5, 31)));
    CHECK(f.cpu.s.mscratch == 31);
    CHECK(f.run(system::csrrci, FakeCpu::csr(mscratch, 5, 3)));
    CHECK(f.cpu.s.mscratch == 28);
    CHECK(f.run(system::csrrsi, FakeCpu::csr(mscratch, 32, 1)));  // 32 is x0 as a destination
    CHECK(f.run(system::csrrsi, FakeCpu::csr(mscratch, 0, 2)));
    CHECK(f.cpu.s.mscratch == 31);
    CHECK(f.cpu.s.x[0] == 0);
    CHECK(f.run(system::csrrw, FakeCpu::csr(mscratch, 0, 0)));
    CHECK(f.cpu.s.mscratch == 0);
}

TEST_CASE("seen 22 and 23: fcsr is fflags and frm; FS off is illegal, a write makes it dirty, SD follows") {
    FakeCpu f;
    CHECK_FALSE(f.can_read(fcsr));
    CHECK_FALSE(f.can_read(frm));
    CHECK_FALSE(f.can_read(fflags));
    CHECK((f.read(kMstatus) & mstatus::kSd) == 0);
    f.cpu.s.mstatus |= u64{1} << mstatus::kFsShift;
    f.write(fcsr, 0xfff);
    CHECK(f.read(fflags) == 31);
    CHECK(f.read(frm) == 7);
    CHECK((f.read(kMstatus) & mstatus::kSd) != 0);
    CHECK((f.read(sstatus) & mstatus::kSd) != 0);
    f.write(frm, 2);
    CHECK(f.read(fcsr) == (2 << 5 | 31));
    f.write(fflags, 0);
    CHECK(f.read(fcsr) == 2 << 5);
}

TEST_CASE("checklist 25, seen 46: sstatus is a view of mstatus, UXL and SXL are 64 bits, UBE SBE MBE are 0") {
    FakeCpu f;
    f.write(kMstatus, kOnes);
    CHECK(f.read(sstatus) == (mstatus::kSd | u64{2} << 32 | 0xc6122));
    f.write(sstatus, 0);
    CHECK(f.read(kMstatus) == ((u64{2} << 34) | (u64{2} << 32) | (0x7e79aa & ~0xc6122)));
    f.write(sstatus, kOnes);
    CHECK(f.read(kMstatus) == (mstatus::kSd | u64{2} << 34 | u64{2} << 32 | 0x7e79aa));
}

TEST_CASE("the information registers: a hart's number, and nothing claimed") {
    FakeCpu f;
    CHECK(f.read(mhartid) == 3);
    for (const unsigned number : {0xf11u, 0xf12u, 0xf13u, 0xf15u}) CHECK(f.read(number) == 0);
}

TEST_CASE("checklist 25, seen 45: misa ignores writes") {
    FakeCpu f;
    const u64 value = f.read(misa);
    CHECK(f.write(misa, 0));
    CHECK(f.clear(misa, 1 << 2));
    CHECK(f.read(misa) == value);
}

TEST_CASE("checklist 25, seen 36: MPP is never 2") {
    FakeCpu f;
    for (u64 mpp = 0; mpp < 4; ++mpp) {
        f.write(kMstatus, mpp << 11);
        CHECK((f.read(kMstatus) >> 11 & 3) == (mpp == 2 ? 0 : mpp));
    }
    f.write(kMstatus, u64{3} << 11);
    f.clear(kMstatus, u64{1} << 11);  // makes a 2
    CHECK((f.read(kMstatus) >> 11 & 3) == 0);
}

TEST_CASE("checklist 27, seen 35 and 44: tvec modes 2 and 3 do not exist, epc bit 0 is 0") {
    FakeCpu f;
    for (const unsigned tvec : {mtvec + 0u, stvec + 0u})
        for (u64 mode = 0; mode < 4; ++mode) {
            f.write(tvec, 0x8000'1000 | mode);
            CHECK(f.read(tvec) == (0x8000'1000 | (mode & 1)));
        }
    for (const unsigned epc : {mepc + 0u, sepc + 0u}) {
        f.write(epc, 0x1003);
        CHECK(f.read(epc) == 0x1002);
    }
}

TEST_CASE("checklist 28, seen 40: ecall from M, misaligned fetches and reserved causes cannot be delegated") {
    FakeCpu f;
    f.write(medeleg, kOnes);
    for (const unsigned cause : {0u, 10u, 11u, 14u, 16u, 17u, 18u, 19u, 24u, 63u})
        CHECK((f.read(medeleg) >> cause & 1) == 0);
    f.write(mideleg, kOnes);
    CHECK(f.read(mideleg) == (kSsip | kStip | kSeip | kLcofip));
}

TEST_CASE("time counts hundreds of nanoseconds") {
    FakeCpu f;
    f.port.time = 12'345'678;
    CHECK(f.read(time_) == 123'456);
}

TEST_CASE(
    "checklist 33, seen 51: envcfg fields: CBIE 2 becomes 0, ADUE only with Svadu, nothing absent sticks") {
    FakeCpu with, without({.svadu = false});
    with.write(menvcfg, kOnes);
    CHECK(with.read(menvcfg) == (u64{7} << 61 | 0xf1));
    without.write(menvcfg, kOnes);
    CHECK(without.read(menvcfg) == (u64{6} << 61 | 0xf1));
    for (const unsigned number : {menvcfg + 0u, senvcfg + 0u})
        for (u64 cbie = 0; cbie < 4; ++cbie) {
            with.write(number, cbie << 4);
            CHECK(with.read(number) == (cbie == 2 ? 0 : cbie << 4));
        }
}

TEST_CASE("checklist 34, seen 47: satp with an unsupported MODE changes nothing, ASID and PPN are whole") {
    FakeCpu f;
    for (u64 mode = 0; mode < 16; ++mode) {
        f.write(satp, u64{8} << 60 | 0x1234);
        const u64 wanted = mode << 60 | u64{0xffff} << 44 | (kOnes >> 20);
        f.write(satp, wanted);
        const bool exists = mode == 0 || mode == 8 || mode == 9 || mode == 10;
        CHECK(f.read(satp) == (exists ? wanted : u64{8} << 60 | 0x1234));
    }
}

TEST_CASE("checklist 34: satp takes effect at once for fetches and data, in S and not in M") {
    FakeCpu f;
    f.write(satp, u64{8} << 60 | 1);
    CHECK_FALSE(f.cpu.fetch_regime.translates());
    const u64 machine = f.cpu.fetch_context;
    f.be(Privilege::Supervisor);
    // That pages are global has no end with one that is not.
    const Translation own{.paddr = 0x8000'0000}, global{.paddr = 0x8000'0000, .global = true};
    CHECK(f.cpu.tlb.fill(Access::Fetch, 0x1000, f.cpu.fetch_context, global, nullptr));
    CHECK_FALSE(f.cpu.tlb.fill(Access::Fetch, 0x1000, f.cpu.fetch_context, own, nullptr));
    update_regimes(f.cpu);
    CHECK(f.cpu.fetch_regime.translates());
    const u64 first = f.cpu.fetch_context;
    CHECK(first != machine);
    CHECK(f.cpu.tlb.fill(Access::Fetch, 0x1000, f.cpu.fetch_context, own, nullptr));
    f.write(satp, u64{8} << 60 | 2);
    CHECK(f.cpu.fetch_regime.satp == (u64{8} << 60 | 2));
    CHECK(f.cpu.fetch_context != first);
    CHECK(f.cpu.data_context != first);
    f.write(satp, u64{8} << 60 | 1);
    CHECK(f.cpu.fetch_context == first);  // still resident
}

TEST_CASE("cached jumps are void when an address space takes another's place, and not on a return to one") {
    FakeCpu f;
    std::map<u64, u64> owner;  // context to satp, as the engine's jumps would be keyed
    std::mt19937_64 random(5);
    const auto enter = [&](u64 value) {
        f.be(Privilege::Supervisor);
        const int before = f.engine.context_changes;
        f.write(satp, value);
        f.be(Privilege::User);
        return f.engine.context_changes != before;
    };
    for (int round = 0; round < 2000; ++round) {
        const u64 value = u64{8} << 60 | random() % 40;
        if (enter(value)) owner.clear();
        const auto held = owner.find(f.cpu.fetch_context);
        REQUIRE((held == owner.end() || held->second == value));
        if (random() % 2 == 0) {  // runs code there, and remembers jumps
            f.cpu.tlb.fill(Access::Fetch, random() % 64 << 12, f.cpu.fetch_context, {}, nullptr);
            owner[f.cpu.fetch_context] = value;
        }
        if (round % 3 == 0) REQUIRE_FALSE(enter(value));
    }
}

TEST_CASE("seen 56: PMP, mseccfg, ADUE and PBMTE changes flush; rewriting the same does not") {
    FakeCpu f;
    const Regime bare = f.cpu.data_regime;
    const u64 context = f.cpu.tlb.context(bare);
    const auto flushes = [&](unsigned number, u64 value) {
        f.cpu.tlb.fill(Access::Load, 0x8000'0000, context, {.paddr = 0x8000'0000}, nullptr);
        const int before = f.engine.context_changes;
        f.write(number, value);
        const bool gone = f.cpu.tlb.tag(Access::Load, 0x8000'0000) == Tlb::kInvalid;
        CHECK(gone == (f.engine.context_changes != before));
        return gone;
    };
    for (const unsigned number : {0x3b0u, 0x3a0u, menvcfg + 0u, mseccfg + 0u}) {
        const u64 value = number == menvcfg ? envcfg::kAdue : number == mseccfg ? 4 : 0x1f;
        CHECK(flushes(number, value));
        CHECK_FALSE(flushes(number, value));
    }
    CHECK(flushes(menvcfg, envcfg::kPbmte | envcfg::kAdue));
    CHECK_FALSE(flushes(menvcfg, envcfg::kPbmte | envcfg::kAdue | envcfg::kFiom | envcfg::kStce));
    CHECK_FALSE(flushes(0x3b1, 0));
}

TEST_CASE("seen 54: pmpcfg holds eight entries a register, pmpaddr15 is the last of 16") {
    FakeCpu f;
    f.write(0x3a0, 0x0807'0504'0301'0009);
    CHECK(f.read(0x3a0) == 0x0807'0504'0301'0009);
    CHECK(f.cpu.s.pmp.cfg[7] == 8);
    f.write(0x3a2, u64{0x1f} << 56);
    CHECK(f.cpu.s.pmp.cfg[15] == 0x1f);
    CHECK(f.write(0x3bf, 77));
    CHECK(f.read(0x3bf) == 77);
    CHECK_FALSE(f.can_read(0x3c0));
    CHECK_FALSE(f.can_read(0x3a4));
    CHECK_FALSE(f.can_read(0x3a1));
    f.write(0x3a0, 0x98);  // locked NAPOT
    f.write(0x3a0, 0x1f1f);
    CHECK(f.read(0x3a0) == 0x1f98);  // each entry of a register for itself
}

TEST_CASE("checklist 32: scountovf shows OF bits, to S those that mcounteren grants") {
    FakeCpu f;
    f.write(0x323, u64{1} << 63 | 1);
    f.write(0x33f, u64{1} << 63 | 1);
    f.write(0x330, 1);
    CHECK(f.read(scountovf) == (u64{1} << 31 | 1 << 3));
    f.write(mcounteren, 1 << 3);
    f.be(Privilege::Supervisor);
    CHECK(f.read(scountovf) == 1 << 3);
}
