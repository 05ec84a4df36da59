// ecall, ebreak, xret, wfi, fences: who may, and what they do.
#include <catch2/catch.hpp>

#include "tests/cpu/fake_cpu.hpp"

using namespace hartline;

namespace {
// Is `function` illegal in `mode` with these bits of mstatus?
bool illegal(SystemFunction function, Privilege mode, u64 status = 0, const Operands& operands = {}) {
    FakeCpu f;
    f.cpu.s.mstatus |= status;
    f.be(mode);
    return !f.run(function, operands) && f.last_was_illegal();
}
constexpr Privilege U = Privilege::User, S = Privilege::Supervisor, M = Privilege::Machine;

constexpr u64 space(u64 asid) { return u64{8} << 60 | asid << 44 | 1; }
// A TLB that holds pages of two address spaces, global and not, small and large.
struct Held {
    Held() {
        f.cpu.s.mstatus |= mstatus::kSum;  // without, all spaces have one context
        f.be(S);
        for (const u64 asid : {u64{0}, u64{7}})
            for (const Page& page : pages) {
                f.cpu.s.satp = space(asid);
                update_regimes(f.cpu);
                f.cpu.tlb.fill(Access::Load, page.vaddr + (asid << 12), f.cpu.data_context,
                               {.paddr = page.vaddr, .page_shift = page.shift, .global = page.global},
                               nullptr);
            }
    }
    bool has(u64 asid, unsigned page) {
        f.cpu.s.satp = space(asid);
        update_regimes(f.cpu);
        const u64 vaddr = pages[page].vaddr + (asid << 12);
        return f.cpu.tlb.tag(Access::Load, vaddr) == Tlb::key(vaddr, kFrameBytes, f.cpu.data_context);
    }
    // One letter a page: of ASID 0, then of ASID 7.
    std::string held() {
        std::string text;
        for (const u64 asid : {u64{0}, u64{7}})
            for (unsigned page = 0; page < 4; ++page) text += has(asid, page) ? "sgLG"[page] : '.';
        return text;
    }
    void fence(SystemFunction function, u8 rs1, u64 vaddr, u8 rs2, u64 asid) {
        f.cpu.s.x[5] = vaddr;
        f.cpu.s.x[7] = asid;
        CHECK(f.run(function, {.rs1 = rs1, .rs2 = rs2}));
    }
    struct Page {
        u64 vaddr;
        u8 shift;
        bool global;
    };
    // small, global small, large, global large: in different places of the TLB
    static constexpr Page pages[4] = {
        {0x10000, 12, false}, {0x20000, 12, true}, {0x4003'0000, 21, false}, {0x8004'0000, 21, true}};
    FakeCpu f;
};
}  // namespace

TEST_CASE("seen 43: ecall names its mode and has no tval") {
    for (const auto& [mode, cause] : {std::pair{U, Cause::EcallU}, {S, Cause::EcallS}, {M, Cause::EcallM}}) {
        FakeCpu f;
        f.be(mode);
        CHECK_FALSE(f.run(system::ecall));
        CHECK(f.last_trap.cause == cause);
        CHECK(f.last_trap.tval == 0);
        CHECK(f.cpu.s.mepc == 0x1000);
    }
}

TEST_CASE("checklist 35: ebreak's tval is its pc, of both lengths") {
    for (const unsigned bytes : {2u, 4u}) {
        FakeCpu f;
        f.cpu.s.pc = 0x8000'0002;
        CHECK_FALSE(f.run(system::ebreak, {}, bytes));
        CHECK(f.last_trap.cause == Cause::Breakpoint);
        CHECK(f.cpu.s.mtval == 0x8000'0002);
        CHECK(f.cpu.s.mepc == 0x8000'0002);
    }
}

TEST_CASE(
    "checklist 26, seen 38: xret, wfi and fences are illegal exactly where modes, TSR, TW and TVM say") {
    for (const Privilege mode : kPrivileges)
        for (const u64 status : {u64{0}, mstatus::kTsr, mstatus::kTw, mstatus::kTvm}) {
            CHECK(illegal(system::mret, mode, status) == (mode != M));
            CHECK(illegal(system::sret, mode, status) ==
                  (mode == U || (mode == S && status == mstatus::kTsr)));
            CHECK(illegal(system::wfi, mode, status) == (mode == U || (mode == S && status == mstatus::kTw)));
            const bool no_fence = mode == U || (mode == S && status == mstatus::kTvm);
            CHECK(illegal(system::sfence_vma, mode, status) == no_fence);
            CHECK(illegal(system::sinval_vma, mode, status) == no_fence);
            CHECK(illegal(system::sfence_inval, mode, status) == (mode == U));
            CHECK_FALSE(illegal(system::fence_i, mode, status));
            CHECK_FALSE(illegal(system::pause, mode, status));
            CHECK_FALSE(illegal(system::wait_on_reservation, mode, status));
        }
}

TEST_CASE("checklist 26, 39, seen 36: mret pops to MPP, clears MPRV below M, leaves MPP at U") {
    for (const Privilege to : kPrivileges)
        for (const bool mpie : {false, true}) {
            FakeCpu f;
            f.cpu.s.mepc = 0x8000'0102;
            f.cpu.s.mstatus |=
                static_cast<u64>(to) << 11 | mstatus::kMprv | (mpie ? mstatus::kMpie : mstatus::kMie);
            f.cpu.s.reserved = true;
            CHECK(f.run(system::mret));
            const u64 status = f.cpu.s.mstatus;
            CHECK(f.cpu.s.pc == 0x8000'0102);
            CHECK(f.cpu.s.privilege == to);
            CHECK((status & mstatus::kMpp) == 0);
            CHECK(((status & mstatus::kMie) != 0) == mpie);
            CHECK((status & mstatus::kMpie) != 0);
            CHECK(((status & mstatus::kMprv) != 0) == (to == M));
            CHECK(f.cpu.fetch_regime.privilege == to);
            CHECK_FALSE(f.cpu.s.reserved);  // seen 30 and 9
        }
}

TEST_CASE("checklist 26, 39, seen 36: sret pops to SPP from S and from M, clears MPRV") {
    for (const Privilege from : {S, M})
        for (const bool spp : {false, true})
            for (const bool spie : {false, true}) {
                FakeCpu f;
                f.cpu.s.sepc = 0x8000'0104;
                f.cpu.s.mstatus |= mstatus::kMprv | mstatus::kMpp | (spp ? mstatus::kSpp : 0) |
                                   (spie ? mstatus::kSpie : mstatus::kSie);
                f.be(from);
                CHECK(f.run(system::sret));
                const u64 status = f.cpu.s.mstatus;
                CHECK(f.cpu.s.pc == 0x8000'0104);
                CHECK(f.cpu.s.privilege == (spp ? S : U));
                CHECK((status & (mstatus::kSpp | mstatus::kMprv)) == 0);
                CHECK((status & mstatus::kMpp) == mstatus::kMpp);
                CHECK(((status & mstatus::kSie) != 0) == spie);
                CHECK((status & mstatus::kSpie) != 0);
            }
}

TEST_CASE(
    "checklist 40, seen 39: wfi waits unless something enabled is pending, whatever the global enables") {
    for (const Privilege mode : {S, M})
        for (const u64 deleg : {u64{0}, u64{0x2222}})
            for (const u64 line : {u64{0}, u64{1} << 7, u64{1} << 9}) {
                FakeCpu f;
                f.cpu.s.mideleg = deleg;
                f.cpu.s.mie = 1 << 9;
                f.cpu.lines = line;
                f.be(mode);
                CHECK(f.run(system::wfi));
                CHECK(f.cpu.s.waiting == (line != 1 << 9));
                CHECK(f.cpu.gave_way);
                CHECK(f.engine.stops == 1);
                f.cpu.lines.fetch_or(1 << 9);
                CHECK(interrupt_wakes(f.cpu));
            }
}

TEST_CASE("pause and wrs give way, where there is another hart, without waiting") {
    for (const SystemFunction function : {system::pause, system::wait_on_reservation})
        for (const unsigned harts : {1u, 2u}) {
            FakeCpu f;
            f.port.harts = harts;
            f.be(U);
            CHECK(f.run(function));
            CHECK(f.cpu.gave_way == (harts == 2));
            CHECK(f.engine.stops == (harts == 2 ? 1 : 0));
            CHECK_FALSE(f.cpu.s.waiting);
        }
}

TEST_CASE("checklist 46, 47, seen 63: fences by address and ASID, globals, superpages, ASID 0") {
    for (const SystemFunction function : {system::sfence_vma, system::sinval_vma}) {
        const auto after = [&](u8 rs1, u64 vaddr, u8 rs2, u64 asid) {
            Held h;
            CHECK(h.held() == "sgLGsgLG");
            const int before = h.f.engine.context_changes;
            h.fence(function, rs1, vaddr, rs2, asid);
            CHECK(h.f.engine.context_changes == before);  // nothing was fetched
            return h.held();
        };
        CHECK(after(0, 0, 0, 0) == "........");
        CHECK(after(0, 0, 7, 7) == "sgLG.g.G");
        CHECK(after(0, 0, 7, 0) == ".g.GsgLG");  // rs2 names a register: ASID 0 is one like others
        CHECK(after(0, 0, 7, 0xabcd'0007) == "sgLG.g.G");
        CHECK(after(0, 0, 7, 9) == "sgLGsgLG");
        CHECK(after(5, 0x10000, 0, 0) == ".gLGsgLG");
        CHECK(after(5, 0x27000, 0, 0) == "sgLGs.LG");
        CHECK(after(5, 0x4010'0000, 0, 0) == "sg.Gsg.G");  // elsewhere in the large page
        CHECK(after(5, 0x4003'0000, 7, 7) == "sgLGsg.G");
        CHECK(after(5, 0x8004'0000, 7, 7) == "sgLGsgLG");
        CHECK(after(5, 0x8004'0000, 0, 0) == "sgL.sgL.");
        CHECK(after(5, u64{1} << 62, 0, 0) == "sgLGsgLG");
    }
}

TEST_CASE(
    "a fence makes cached jumps void where code may have been fetched by what it names, and only there") {
    const auto voids = [](Privilege mode, u8 rs1, u64 vaddr, u8 rs2, u64 asid) {
        FakeCpu f;
        f.cpu.s.satp = space(7);
        f.be(mode);
        const u64 context = f.cpu.fetch_context;
        f.cpu.tlb.fill(Access::Fetch, 0x10000, context, {.paddr = 0x8000'0000, .global = mode == S}, nullptr);
        f.cpu.tlb.fill(Access::Load, 0x20000, context, {.paddr = 0x8000'1000, .global = mode == S}, nullptr);
        f.be(S);
        const int before = f.engine.context_changes;
        f.cpu.s.x[5] = vaddr;
        f.cpu.s.x[7] = asid;
        CHECK(f.run(system::sfence_vma, {.rs1 = rs1, .rs2 = rs2}));
        f.be(mode);
        return f.engine.context_changes != before || f.cpu.fetch_context != context;
    };
    for (const Privilege mode : {U, S}) {
        CHECK(voids(mode, 0, 0, 0, 0));
        CHECK(voids(mode, 5, 0x10abc, 0, 0));
        CHECK_FALSE(voids(mode, 5, 0x20000, 0, 0));
        CHECK_FALSE(voids(mode, 5, 0x11000, 0, 0));
        CHECK_FALSE(voids(mode, 5, 0x20000, 7, 7));
        CHECK_FALSE(voids(mode, 0, 0, 7, 9));
    }
    CHECK(voids(U, 0, 0, 7, 7));
    CHECK(voids(U, 5, 0x10000, 7, 7));
    CHECK_FALSE(voids(S, 0, 0, 7, 7));  // global
}

TEST_CASE("checklist 53: fence.i matters between harts on threads only") {
    FakeCpu f;
    f.run(system::fence_i);
    CHECK(f.engine.code_changes == 0);
    f.port.threads = true;
    f.run(system::fence_i);
    CHECK(f.engine.code_changes == 1);
}
