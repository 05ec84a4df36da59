// Traps, interrupts and their CSRs, regimes, reset, and the state's description.
#include <catch2/catch.hpp>

#include <random>

#include "tests/cpu/fake_cpu.hpp"

using namespace hartline;

namespace {
constexpr u64 kInterrupt = u64{1} << 63;
constexpr u64 kMtvec = 0x8000'1000, kStvec = 0x8000'2000;
constexpr u64 kOnes = ~u64{0}, kSsip = 1 << 1, kStip = 1 << 5, kSeip = 1 << 9, kLcofip = 1 << 13;
enum : unsigned {
    sie = 0x104,
    sip = 0x144,
    stimecmp = 0x14d,
    mideleg = 0x303,
    mie,
    menvcfg = 0x30a,
    mip_ = 0x344
};
void prepare(FakeCpu& f, Privilege mode) {
    f.cpu.s.mtvec = kMtvec;
    f.cpu.s.stvec = kStvec;
    f.cpu.s.pc = 0x4444;
    f.be(mode);
}
u64 mpp(const FakeCpu& f) { return f.cpu.s.mstatus >> 11 & 3; }
}  // namespace

TEST_CASE("checklist 28, seen 40: every cause goes where medeleg says, and from M never down") {
    for (const Privilege mode : kPrivileges)
        for (unsigned cause = 0; cause < 16; ++cause)
            for (const bool delegated : {false, true})
                for (const u64 enables :
                     {u64{0}, mstatus::kMie, mstatus::kSie, mstatus::kMie | mstatus::kSie}) {
                    FakeCpu f;
                    prepare(f, mode);
                    f.cpu.s.medeleg = delegated ? u64{1} << cause : ~(u64{1} << cause);
                    f.cpu.s.mstatus |= enables;
                    take_trap(f.cpu, {static_cast<Cause>(cause), 0x99});
                    const HartState& s = f.cpu.s;
                    if (delegated && mode != Privilege::Machine) {
                        CHECK(s.privilege == Privilege::Supervisor);
                        CHECK((s.pc == kStvec && s.scause == cause && s.sepc == 0x4444 && s.stval == 0x99));
                        CHECK((s.mcause == 0 && s.mepc == 0 && s.mtval == 0));
                        CHECK(((s.mstatus & mstatus::kSpp) != 0) == (mode == Privilege::Supervisor));
                        CHECK(((s.mstatus & mstatus::kSpie) != 0) == ((enables & mstatus::kSie) != 0));
                        CHECK((s.mstatus & mstatus::kSie) == 0);
                        CHECK((s.mstatus & mstatus::kMie) == (enables & mstatus::kMie));
                    } else {
                        CHECK(s.privilege == Privilege::Machine);
                        CHECK((s.pc == kMtvec && s.mcause == cause && s.mepc == 0x4444 && s.mtval == 0x99));
                        CHECK((s.scause == 0 && s.sepc == 0 && s.stval == 0));
                        CHECK(mpp(f) == static_cast<u64>(mode));
                        CHECK(((s.mstatus & mstatus::kMpie) != 0) == ((enables & mstatus::kMie) != 0));
                        CHECK((s.mstatus & mstatus::kMie) == 0);
                        CHECK((s.mstatus & mstatus::kSie) == (enables & mstatus::kSie));
                    }
                }
}

TEST_CASE("checklist 27, seen 35: vectored mode is for interrupts only") {
    FakeCpu f;
    prepare(f, Privilege::User);
    f.cpu.s.mtvec |= 1;
    take_trap(f.cpu, {Cause::EcallU, 0});
    CHECK(f.cpu.s.pc == kMtvec);
    f.be(Privilege::User);
    f.cpu.lines = 1 << 7;
    f.cpu.s.mie = 1 << 7;
    CHECK(take_interrupt(f.cpu));
    CHECK(f.cpu.s.pc == kMtvec + 4 * 7);
    CHECK(f.cpu.s.mcause == (kInterrupt | 7));
    f.be(Privilege::User);
    f.cpu.s.stvec |= 1;
    f.cpu.s.stval = 0x55;
    f.cpu.lines = 1 << 9;
    f.cpu.s.mie = f.cpu.s.mideleg = 1 << 9;
    CHECK(take_interrupt(f.cpu));
    CHECK(f.cpu.s.pc == kStvec + 4 * 9);
    CHECK(f.cpu.s.stval == 0);
}

TEST_CASE("checklist 28, 29, seen 41: what is taken, for all pending sets, delegations, enables and modes") {
    constexpr unsigned order[] = {11, 3, 7, 9, 1, 5, 13};  // decreasing priority
    constexpr unsigned lower[] = {1, 5, 9, 13};
    FakeCpu f;
    for (unsigned set = 0; set < 128; ++set)
        for (unsigned delegation = 0; delegation < 16; ++delegation)
            for (unsigned enables = 0; enables < 4; ++enables)
                for (const Privilege mode : kPrivileges) {
                    u64 pending = 0, delegated = 0;
                    for (unsigned i = 0; i < 7; ++i) pending |= u64{set >> i & 1} << order[i];
                    for (unsigned i = 0; i < 4; ++i) delegated |= u64{delegation >> i & 1} << lower[i];
                    f.cpu.lines = pending & (1 << 11 | 1 << 7 | 1 << 3 | 1 << 1);
                    f.cpu.s.mip_software = pending & (1 << 9 | 1 << 5 | 1 << 13);
                    f.cpu.s.mie = 0x2aaa;
                    f.cpu.s.mideleg = delegated;
                    f.cpu.s.mstatus = (enables & 1 ? mstatus::kMie : 0) | (enables & 2 ? mstatus::kSie : 0);
                    f.be(mode);
                    const bool m_open = mode != Privilege::Machine || (enables & 1);
                    const bool s_open =
                        mode == Privilege::User || (mode == Privilege::Supervisor && (enables & 2));
                    u64 expected = 0;
                    bool to_machine = true;
                    for (const unsigned i : order)
                        if (expected == 0 && m_open && (pending & ~delegated) >> i & 1) expected = i;
                    if (expected == 0) to_machine = false;
                    for (const unsigned i : order)
                        if (expected == 0 && s_open && (pending & delegated) >> i & 1) expected = i;
                    const bool deliverable = interrupt_deliverable(f.cpu);
                    const bool taken = take_interrupt(f.cpu);
                    const u64 cause = to_machine ? f.cpu.s.mcause : f.cpu.s.scause;
                    const Privilege now = to_machine ? Privilege::Machine : Privilege::Supervisor;
                    const bool right =
                        deliverable == (expected != 0) && taken == deliverable &&
                        (!taken || (cause == (kInterrupt | expected) && f.cpu.s.privilege == now));
                    if (right) continue;
                    CAPTURE(set, delegation, enables, mode, expected);
                    FAIL("interrupt");
                }
}

TEST_CASE("checklist 29: only what mie enables is taken, tval is 0, waiting ends") {
    FakeCpu f;
    prepare(f, Privilege::User);
    f.cpu.s.mtval = 0x55;
    f.cpu.s.waiting = true;
    f.cpu.lines = 0x888;
    f.cpu.s.mie = 1 << 3;
    CHECK(take_interrupt(f.cpu));
    CHECK(f.cpu.s.mcause == (kInterrupt | 3));
    CHECK(f.cpu.s.mtval == 0);
    CHECK(f.cpu.s.mepc == 0x4444);
    CHECK_FALSE(f.cpu.s.waiting);
    CHECK_FALSE(take_interrupt(f.cpu));  // MIE is clear now
}

TEST_CASE("checklist 30, seen 42: SEIP reads the OR, its read-modify-write touches the bit only") {
    FakeCpu f;
    f.cpu.lines = kSeip;
    CHECK((f.read(mip_) & kSeip) != 0);
    f.set(mip_, kSsip);  // old value, with SEIP set, is not written back
    CHECK((f.cpu.s.x[6] & kSeip) != 0);
    f.cpu.lines.fetch_and(~kSeip);
    CHECK((f.read(mip_) & kSeip) == 0);
    f.set(mip_, kSeip);
    CHECK((f.read(mip_) & kSeip) != 0);
    f.cpu.lines.fetch_or(kSeip);
    f.clear(mip_, kSeip);
    CHECK((f.read(mip_) & kSeip) != 0);  // the line is still up
    f.cpu.lines.fetch_and(~kSeip);
    CHECK((f.read(mip_) & kSeip) == 0);
}

TEST_CASE("checklist 30, seen 42: MEIP, MTIP and MSIP are read-only; SSIP survives unrelated writes") {
    FakeCpu f;
    f.cpu.lines = 1 << 11 | 1 << 7 | 1 << 3;
    f.write(mip_, 0);
    CHECK(f.read(mip_) == (1 << 11 | 1 << 7 | 1 << 3));
    f.cpu.lines = 0;
    f.write(mip_, 1 << 11 | 1 << 7 | 1 << 3);
    CHECK(f.read(mip_) == 0);
    f.cpu.lines = kSsip;
    f.clear(mip_, kLcofip);
    CHECK(f.read(mip_) == kSsip);
    f.write(mip_, 0);
    CHECK(f.read(mip_) == 0);
    CHECK((f.cpu.lines & kSsip) == 0);
}

TEST_CASE("checklist 30, seen 42: sip and sie show delegated bits only; SSIP and LCOFIP are writable there") {
    FakeCpu f;
    f.write(mie, 0x2aaa);
    f.write(mip_, 0x2222);
    CHECK(f.read(sie) == 0);
    CHECK(f.read(sip) == 0);
    f.write(sie, kOnes);
    f.write(sip, 0);
    CHECK(f.read(mip_) == 0x2222);
    f.write(mideleg, kSsip | kSeip);
    CHECK(f.read(sie) == (kSsip | kSeip));
    CHECK(f.read(sip) == (kSsip | kSeip));
    f.write(sip, 0);
    CHECK(f.read(mip_) == (kStip | kSeip | kLcofip));
    f.write(sie, 0);
    CHECK(f.read(mie) == (0x2aaa & ~(kSsip | kSeip)));
    f.write(mideleg, kOnes);
    f.write(sip, 0);
    CHECK(f.read(mip_) == (kStip | kSeip));
    f.write(mip_, 0);
    f.write(sip, kOnes);
    CHECK(f.read(mip_) == (kSsip | kLcofip));
}

TEST_CASE("checklist 30, 31, seen 51: STIP is software's without STCE and the comparator's with it") {
    FakeCpu f;
    f.set(mip_, kStip);
    CHECK((f.read(mip_) & kStip) != 0);
    f.port.time = 1000 * 100;
    f.write(stimecmp, 2000);
    f.write(menvcfg, envcfg::kStce);
    CHECK((f.read(mip_) & kStip) == 0);
    CHECK(f.port.events.at(1) == 2000 * 100);
    f.set(mip_, kStip);
    CHECK((f.read(mip_) & kStip) == 0);
    f.write(stimecmp, 1000);
    CHECK((f.read(mip_) & kStip) != 0);
    CHECK(f.port.events.empty());
    f.clear(mip_, kStip);
    CHECK((f.read(mip_) & kStip) != 0);
    f.write(stimecmp, 1001);  // falls at once
    CHECK((f.read(mip_) & kStip) == 0);
    f.port.time = 1001 * 100 - 1;
    update_timer(f.cpu);
    CHECK((f.read(mip_) & kStip) == 0);
    f.port.time = 1001 * 100;
    update_timer(f.cpu);
    CHECK((f.read(mip_) & kStip) != 0);
    f.write(menvcfg, 0);
    CHECK((f.read(mip_) & kStip) != 0);  // the software's bit again, which was left set
    f.clear(mip_, kStip);
    CHECK((f.read(mip_) & kStip) == 0);
}

TEST_CASE(
    "checklist 31: a stimecmp beyond what nanoseconds can say plans nothing, the last that can is planned") {
    FakeCpu f;
    f.write(menvcfg, envcfg::kStce);
    f.write(stimecmp, kOnes / 100);
    CHECK(f.port.events.at(1) == kOnes / 100 * 100);
    f.write(stimecmp, kOnes / 100 + 1);
    CHECK(f.port.events.empty());
    f.write(stimecmp, kOnes);
    CHECK(f.port.events.empty());
    f.write(stimecmp, 0);
    CHECK((f.read(mip_) & kStip) != 0);
}

TEST_CASE("checklist 39: nested traps stack MPIE and SPIE") {
    FakeCpu f;
    prepare(f, Privilege::User);
    f.cpu.s.medeleg = 1 << 8;
    f.cpu.s.mstatus |= mstatus::kSie | mstatus::kMie;
    take_trap(f.cpu, {Cause::EcallU, 0});
    take_trap(f.cpu, {Cause::LoadPage, 1});
    CHECK(f.cpu.s.privilege == Privilege::Machine);
    CHECK(mpp(f) == 1);
    CHECK((f.cpu.s.mstatus & mstatus::kSpie) != 0);
    CHECK(f.run(system::mret));
    CHECK(f.cpu.s.privilege == Privilege::Supervisor);
    CHECK(f.cpu.s.pc == kStvec);
    CHECK(f.run(system::sret));
    CHECK(f.cpu.s.privilege == Privilege::User);
    CHECK(f.cpu.s.pc == 0x4444);
    CHECK((f.cpu.s.mstatus & (mstatus::kSie | mstatus::kMie)) == (mstatus::kSie | mstatus::kMie));
}

TEST_CASE("checklist 38, seen 37: regimes for every privilege, MPRV, MPP, SUM and MXR") {
    FakeCpu f;
    constexpr u64 satp = u64{9} << 60 | 0x80000;
    f.cpu.s.satp = satp;
    for (const Privilege mode : kPrivileges)
        for (const Privilege previous : kPrivileges)
            for (unsigned flags = 0; flags < 8; ++flags) {
                f.cpu.s.mstatus = static_cast<u64>(previous) << 11 | (flags & 1 ? mstatus::kMprv : 0) |
                                  (flags & 2 ? mstatus::kSum : 0) | (flags & 4 ? mstatus::kMxr : 0);
                f.be(mode);
                const Privilege data = flags & 1 ? previous : mode;
                CHECK(f.cpu.fetch_regime.privilege == mode);
                CHECK(f.cpu.data_regime.privilege == data);
                CHECK(f.cpu.fetch_regime.translates() == (mode != Privilege::Machine));
                CHECK(f.cpu.data_regime.translates() == (data != Privilege::Machine));
                CHECK(f.cpu.data_regime.sum == ((flags & 2) != 0));
                CHECK(f.cpu.data_regime.mxr == ((flags & 4) != 0));
                CHECK(f.cpu.data_context == f.cpu.tlb.context(f.cpu.data_regime));
                CHECK(f.cpu.fetch_context == f.cpu.tlb.context(f.cpu.fetch_regime));
            }
}

TEST_CASE("SUM and MXR leave the fetch context alone; ADUE and PBMTE reach both regimes") {
    FakeCpu f;
    f.cpu.s.satp = u64{8} << 60;
    f.be(Privilege::Supervisor);
    const u64 before = f.cpu.fetch_context;
    f.set(0x100, mstatus::kSum | mstatus::kMxr);
    CHECK(f.cpu.fetch_context == before);
    CHECK(f.cpu.data_context != before);
    f.be(Privilege::Machine);
    f.write(0x30a, envcfg::kAdue | envcfg::kPbmte);
    CHECK((f.cpu.fetch_regime.hardware_ad && f.cpu.data_regime.hardware_ad));
    CHECK((f.cpu.fetch_regime.pbmt && f.cpu.data_regime.pbmt));
}

TEST_CASE("reset gives a hart equal to a new one, whatever was before") {
    FakeCpu f, fresh;
    std::mt19937_64 random(9);
    for (int i = 0; i < 3000; ++i) {
        f.cpu.s.mstatus |= mstatus::kFs;
        f.write(static_cast<unsigned>(random() % 4096), random());
    }
    f.be(Privilege::User);
    f.engine.retired = 0;
    f.cpu.gave_way = true;
    reset(f.cpu);
    CHECK_FALSE(f.cpu.gave_way);
    const auto saved = [](FakeCpu& of) {
        SaveArchive archive;
        of.cpu.s.describe(archive);
        return archive.take();
    };
    CHECK(saved(f) == saved(fresh));
    CHECK(f.cpu.s.pc == 0x1000);
    CHECK(f.cpu.s.privilege == Privilege::Machine);
    CHECK(mip(f.cpu) == 0);
    CHECK(f.port.events.empty());
    CHECK(f.cpu.fetch_regime == fresh.cpu.fetch_regime);
}

TEST_CASE("a described state loads to the same, and does not depend on when counters were brought forward") {
    FakeCpu f, other;
    std::mt19937_64 random(10);
    for (int i = 0; i < 2000; ++i) {
        f.cpu.s.mstatus |= mstatus::kFs;
        f.write(static_cast<unsigned>(random() % 4096), random());
    }
    f.cpu.s.x[32] = 0x1234;  // no state
    f.retire(100);
    other.cpu.s = f.cpu.s;
    counters::settle(other.cpu.s, f.cpu.s.retired - 7);
    counters::settle(other.cpu.s, f.cpu.s.retired);
    other.cpu.s.x[32] = 7;
    HashArchive a, b, c;
    f.cpu.s.describe(a);
    other.cpu.s.describe(b);
    CHECK(a.digest() == b.digest());
    SaveArchive save;
    f.cpu.s.describe(save);
    const std::vector<u8> bytes = save.take();
    HartState loaded;
    LoadArchive load(bytes);
    loaded.describe(load);
    load.finish();
    loaded.describe(c);
    CHECK(a.digest() == c.digest());
    CHECK(loaded.overflow_at == f.cpu.s.overflow_at);
    CHECK(loaded.counters_by_mode == f.cpu.s.counters_by_mode);
}

TEST_CASE("a snapshot with impossible values is refused") {
    using Spoil = void (*)(HartState&);
    const Spoil spoils[] = {
        [](HartState& s) { s.pc = 1; },
        [](HartState& s) { s.x[0] = 1; },
        [](HartState& s) { s.privilege = static_cast<Privilege>(2); },
        [](HartState& s) { s.mstatus |= u64{2} << 11; },
        [](HartState& s) { s.mstatus = 0; },
        [](HartState& s) { s.satp = u64{1} << 60; },
        [](HartState& s) { s.mtvec = 2; },
        [](HartState& s) { s.medeleg = 1 << 11; },
        [](HartState& s) { s.mip_software = 1 << 11; },
        [](HartState& s) { s.menvcfg = envcfg::kCbieReserved; },
        [](HartState& s) { s.fflags = 32; },
        [](HartState& s) { s.event[3] = 3; },
        [](HartState& s) { s.event[1] = 1; },
        [](HartState& s) { s.counters_at = s.retired + 1; },
        [](HartState& s) { s.pmp.cfg[0] = 2; },
        [](HartState& s) { s.pmp.mseccfg = 8; },
        [](HartState& s) { s.reservation_bytes = 9; },
    };
    for (const Spoil& spoil : spoils) {
        FakeCpu f;
        CAPTURE(&spoil - spoils);
        spoil(f.cpu.s);
        SaveArchive save;
        f.cpu.s.describe(save);
        const std::vector<u8> bytes = save.take();
        HartState loaded;
        LoadArchive load(bytes);
        CHECK_THROWS_AS(loaded.describe(load), ArchiveError);
    }
}
