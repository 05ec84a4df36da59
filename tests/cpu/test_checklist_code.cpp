// Lines of the checklist on code that changes, by whatever way, and on interrupts that race with the hart.
#include <catch2/catch.hpp>

#include <thread>

#include "cpu/decode.hpp"
#include "tests/cpu/rig.hpp"

using namespace hartline;
using namespace hartline::rig;

namespace {
constexpr u64 kAll = V | R | W | X | A | D, kPlace = kData + 0x100;

constexpr u32 set_x7(i32 value) { return encode(Op::ADDI, {.rd = 7, .imm = value}); }
// Runs what is at kPlace: x7 tells which instruction it was.
u64 answer(Rig& r, u64 at = kPlace) {
    r.x(7) = 0;
    REQUIRE(r.run(at));
    return r.x(7);
}
}  // namespace

TEST_CASE("checklist 52: the next instruction is the one stored before it, after fence.i") {
    Rig r;
    r.x(5) = kCode + 8;
    for (const i32 value : {1, 2, 3}) {
        r.x(6) = set_x7(value);
        r.put(kCode, {encode(Op::SW, {.rs1 = 5, .rs2 = 6}), encode(Op::FENCE_I), set_x7(99)});
        CHECK(r.run(kCode, 3));
        CHECK(r.x(7) == static_cast<u64>(value));
        // Without fence.i the old one or the new one, and nothing else.
        r.put(kCode, {encode(Op::SW, {.rs1 = 5, .rs2 = 6}), encode(Op::ADDI), set_x7(99)});
        CHECK(r.run(kCode, 3));
        CHECK((r.x(7) == static_cast<u64>(value) || r.x(7) == 99));
    }
}

TEST_CASE("checklist 52, 54, seen 56: code changed by every kind of store, by DMA and by another hart") {
    Rig r;
    Interpreter* other = nullptr;
    r.machine.add_hart([&](HartPort& port, unsigned number) {
        auto made = std::make_unique<Interpreter>(port, number, HartConfig{});
        other = made.get();
        return made;
    });
    const auto change = [&](u32 word, i32 value) {
        CAPTURE(value);
        r.poke(kPlace, u64{set_x7(0x700)});
        CHECK(answer(r) == 0x700);
        r.x(5) = kPlace;
        r.x(6) = set_x7(value);
        CHECK(r.step(Op::LR_W, {.rd = 8, .rs1 = 5}));
        CHECK(r.step(word));
        CHECK(answer(r) == static_cast<u64>(value));
    };
    change(encode(Op::SW, {.rs1 = 5, .rs2 = 6}), 1);
    change(encode(Op::SC_W, {.rd = 8, .rs1 = 5, .rs2 = 6}), 2);
    change(encode(Op::AMOSWAP_W, {.rd = 8, .rs1 = 5, .rs2 = 6}), 3);
    change(encode(Op::SD, {.rs1 = 5, .rs2 = 6}), 4);
    r.x(9) = set_x7(0x700);
    change(encode(Op::AMOCAS_W, {.rd = 9, .rs1 = 5, .rs2 = 6}), 5);
    r.s().f[1] = set_x7(6);
    change(encode(Op::FSW, {.rs1 = 5, .rs2 = 1}), 6);
    r.device->port().memory().write(kPlace, set_x7(7));
    CHECK(answer(r) == 7);
    r.poke(kCode + 0x100, encode(Op::SW, {.rs1 = 5, .rs2 = 6}));
    other->cpu().s.pc = kCode + 0x100;
    other->cpu().s.x[5] = kPlace;
    other->cpu().s.x[6] = set_x7(8);
    CHECK(other->run(1) == 1);
    CHECK(answer(r) == 8);
    r.x(5) = kPlace;
    CHECK(r.step(Op::CBO_ZERO, {.rs1 = 5}));
    CHECK_FALSE(r.run(kPlace));
    CHECK(r.trapped(Cause::IllegalInstruction, 0, kPlace));
}

TEST_CASE("checklist 52: code on two virtual aliases, changed through a third") {
    Rig r;
    r.mode = Privilege::Supervisor;
    for (const u64 vaddr : {u64{0x10000}, u64{0x20000}, u64{0x30000}}) r.map(vaddr, kData, kAll);
    r.translation_on();
    for (i32 value = 1; value < 5; ++value) {
        r.x(5) = 0x30100;
        r.x(6) = set_x7(value);
        CHECK(r.step(Op::SW, {.rs1 = 5, .rs2 = 6}));
        CHECK(answer(r, 0x10100) == static_cast<u64>(value));
        CHECK(answer(r, 0x20100) == static_cast<u64>(value));
    }
}

TEST_CASE("checklist 52, 54: a page that is both a page table and code; tables changed by DMA") {
    Rig r;
    r.mode = Privilege::Supervisor;
    r.s().menvcfg |= envcfg::kAdue;
    r.map(0x10000, kRam + 0xc000, V | R | W);  // as code an fld from 0x200; with A and D, an fmsub.s
    const u64 pte = r.last_pte, table = pte & ~(kFrameBytes - 1), code = table + 0x800;
    r.map(0x20000, table, kAll);
    r.translation_on();
    r.poke(code, set_x7(1));
    r.mode = Privilege::Machine;
    CHECK(answer(r, code) == 1);
    CHECK_FALSE(r.run(pte));
    CHECK(r.trapped(Cause::LoadAccess, 0x200, pte));
    r.mode = Privilege::Supervisor;
    r.x(5) = 0x10008;
    r.x(6) = 42;
    CHECK(r.step(Op::SD, {.rs1 = 5, .rs2 = 6}));  // hardware writes A and D into the page of the code
    CHECK((r.peek(pte) & (A | D)) == (A | D));
    CHECK(answer(r, 0x20800) == 1);
    r.mode = Privilege::Machine;
    CHECK(r.run(pte));
    r.mode = Privilege::Supervisor;
    r.x(5) = 0x20800;
    r.x(6) = set_x7(2);
    CHECK(r.step(Op::SW, {.rs1 = 5, .rs2 = 6}));
    CHECK(answer(r, 0x20800) == 2);
    const auto maps_to = [&](u64 paddr) {
        r.poke(paddr, paddr);
        CHECK(r.step(Op::SFENCE_VMA));
        r.x(5) = 0x10000;
        return r.step(Op::LD, {.rd = 7, .rs1 = 5}) && r.x(7) == paddr;
    };
    r.x(5) = 0x20000 + (pte - table);
    r.x(6) = (kData + 4 * kFrameBytes) >> 12 << 10 | kAll;
    CHECK(r.step(Op::SD, {.rs1 = 5, .rs2 = 6}));
    CHECK(maps_to(kData + 4 * kFrameBytes));
    r.device->port().memory().write(pte, u64{(kData + 8 * kFrameBytes) >> 12 << 10 | kAll});
    CHECK(maps_to(kData + 8 * kFrameBytes));
}

TEST_CASE("seen 56: what was decoded and translated does not outlive satp or PMP") {
    Rig r;
    r.mode = Privilege::Supervisor;
    r.map(0x10000, kData, kAll);
    r.translation_on();
    r.poke(kPlace, set_x7(1));
    CHECK(answer(r, 0x10100) == 1);
    r.s().pmp.cfg[1] = r.s().pmp.cfg[0];
    r.s().pmp.addr[1] = r.s().pmp.addr[0];
    r.mode = Privilege::Machine;
    r.x(5) = (kData >> 2) | 0x1ff;
    CHECK(r.step(Op::CSRRW, {.rs1 = 5, .imm = 0x3b0}));
    r.x(5) = 0x1f18;  // entry 0: nothing at kData; entry 1: the rest
    CHECK(r.step(Op::CSRRW, {.rs1 = 5, .imm = 0x3a0}));
    r.mode = Privilege::Supervisor;
    CHECK_FALSE(r.run(0x10100));
    CHECK(r.trapped(Cause::FetchAccess, 0x10100, 0x10100));
    r.x(5) = 0x1f1f;
    r.mode = Privilege::Machine;
    CHECK(r.step(Op::CSRRW, {.rs1 = 5, .imm = 0x3a0}));
    r.mode = Privilege::Supervisor;
    CHECK(answer(r, 0x10100) == 1);
    CHECK(r.step(Op::CSRRW, {.imm = 0x180}));  // Bare: there is nothing at 0x10100
    CHECK_FALSE(r.run(0x10100));
    CHECK(r.trapped(Cause::FetchAccess, 0x10100, 0x10100));
}

TEST_CASE("seen 75: an interrupt raised by another thread is never lost, in a loop or in WFI") {
    Rig r({}, true);
    // Counts its interrupts in memory, and clears SSIP, which the thread raises again when it sees the count.
    r.put(kHandler, {encode(Op::LD, {.rd = 7, .rs1 = 5}), encode(Op::ADDI, {.rd = 7, .rs1 = 7, .imm = 1}),
                     encode(Op::CSRRCI, {.rs1 = 2, .imm = 0x344}), encode(Op::SD, {.rs1 = 5, .rs2 = 7}),
                     encode(Op::MRET)});
    r.put(kCode, {encode(Op::WFI), encode(Op::JAL, {.imm = -4})});
    r.s().mie = 1 << 1;
    r.s().mstatus |= mstatus::kMie;
    r.x(5) = kData;
    r.poke(kData, u64{0});
    r.s().pc = kCode;
    std::atomic<bool> done{false}, lost{false};
    constexpr u64 kRounds = 20'000;
    const auto counted = [&] { return r.machine.ram().read_aligned(kData); };
    const auto now = [] { return std::chrono::steady_clock::now(); };
    u64 raised = 0;
    std::thread raiser([&] {
        const auto enough = now() + std::chrono::seconds(10);  // for hosts that are slow to change threads
        while (raised < kRounds && !lost && now() < enough) {
            r.hart->set_line(1, true);
            ++raised;
            while (counted() < raised && !lost) std::this_thread::yield();
        }
        done = true;
    });
    auto last = now();
    for (u64 before = 0; !done && !lost;) {
        if (r.hart->run(100) == 0) std::this_thread::yield();
        if (counted() != before) last = now();
        before = counted();
        lost = now() > last + std::chrono::seconds(60);
    }
    raiser.join();
    CHECK_FALSE(lost);
    CHECK(r.peek(kData) == raised);
}
