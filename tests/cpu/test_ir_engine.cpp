// The IR engine as a hart: the same machine as the interpreter's, at every tick.
#include <catch2/catch.hpp>

#include <algorithm>
#include <random>

#include "core/machine.hpp"
#include "cpu/hart.hpp"
#include "cpu/inspect.hpp"

using namespace hartline;

namespace {
constexpr u64 kRam = 0x8000'0000;

// Walks over memory, changes the operand of its own add each round, asks for count and time, and traps into
// mtvec.
constexpr u32 kProgram[] = {
    0x00000597,  // auipc x11, 0
    0x05c58613,  // addi x12, x11, 92: the handler
    0x30561073,  // csrw mtvec, x12
    0x02058693,  // addi x13, x11, 32: the add below
    0x00100737,  // lui x14, 0x100: the low bit of its rs2
    0x00002537,  // lui x10, 2
    0x00a58533,  // add x10, x11, x10
    0x00128293,  // loop (28): addi x5, x5, 1
    0x00940433,  // add x8, x8, x9, and in the next round x8
    0x00148493,  // addi x9, x9, 1
    0x00553023,  // sd x5, 0(x10)
    0x00353383,  // ld x7, 3(x10): misaligned
    0x0006a783,  // lw x15, 0(x13)
    0x00e7c7b3,  // xor x15, x15, x14
    0x00f6a023,  // sw x15, 0(x13)
    0x0000100f,  // fence.i
    0xc0202873,  // rdinstret x16
    0xc01028f3,  // rdtime x17
    0x1002a92f,  // lr.w x18, (x5): a fault
    0x00000073,  // ecall
    0x00000000,  // illegal
    0xfc9ff06f,  // j loop
    0x00000013,  // nop
    0x34102973,  // handler (92): csrr x18, mepc
    0x00490913,  // addi x18, x18, 4
    0x34191073,  // csrw mepc, x18
    0x34202a73,  // csrr x20, mcause
    0x343029f3,  // csrr x19, mtval
    0x30200073,  // mret
};

struct Rig {
    Rig(EngineKind engine, unsigned harts, u64 pc = kRam) : machine({.ram_bytes = 1 << 20, .turn = 777}) {
        for (unsigned i = 0; i < harts; ++i)
            machine.add_hart([&](HartPort& port, unsigned number) {
                return make_hart(port, number, {.reset_pc = pc, .engine = engine});
            });
        for (const u32 word : kProgram) {
            machine.ram().write(pc, word);
            pc += 4;
        }
    }
    Machine machine;
};
}  // namespace

TEST_CASE("ir_engine: the same states as the interpreter's wherever budgets end", "[ir]") {
    for (const unsigned harts : {1u, 2u}) {
        Rig interpreted(EngineKind::Interpreter, harts), evaluated(EngineKind::Ir, harts);
        std::mt19937_64 random{harts};
        while (interpreted.machine.tick() < 60'000) {
            const u64 ticks = 1 + random() % (random() % 8 == 0 ? 3'000 : 40);
            interpreted.machine.run(ticks);
            for (u64 left = ticks; left != 0;) {  // in other pieces
                const u64 piece = 1 + random() % left;
                evaluated.machine.run(piece);
                left -= piece;
            }
            REQUIRE(interpreted.machine.hash() == evaluated.machine.hash());
        }
        const Cpu* const cpu = inside(evaluated.machine.hart(0));
        REQUIRE(cpu != nullptr);
        CHECK(cpu->s.x[5] > 100);  // it went round
        CHECK(cpu->s.x[8] != 0);
    }
}

TEST_CASE("ir_engine: derived state dropped at random moments changes nothing", "[ir]") {
    Rig plain(EngineKind::Ir, 2), dropped(EngineKind::Ir, 2);
    plain.machine.run(50'000);
    std::mt19937_64 random{5};
    while (dropped.machine.tick() < 50'000) {
        dropped.machine.run(std::min<u64>(1 + random() % 2'000, 50'000 - dropped.machine.tick()));
        dropped.machine.drop_derived();
    }
    CHECK(plain.machine.hash() == dropped.machine.hash());
}

TEST_CASE("ir_engine: an instruction across two pages", "[ir]") {
    Rig interpreted(EngineKind::Interpreter, 1, kRam + 0xfe2), evaluated(EngineKind::Ir, 1, kRam + 0xfe2);
    for (int i = 0; i < 500; ++i) {
        interpreted.machine.run(7);
        evaluated.machine.run(7);
        REQUIRE(interpreted.machine.hash() == evaluated.machine.hash());
    }
}

TEST_CASE("inspect: leaves no trace and sees what is there", "[ir]") {
    Rig rig(EngineKind::Ir, 1);
    rig.machine.run(1'000);
    const u64 hash = rig.machine.hash();
    const Cpu& cpu = *inside(rig.machine.hart(0));
    CHECK(peek_instruction(cpu, kRam) == kProgram[0]);
    CHECK_FALSE(peek_instruction(cpu, 0x10).has_value());
    CHECK(peek(cpu, kRam + 3, 4, Access::Load) == 0xc586'1300);
    const auto use = memory_use(cpu, decode(0x00353383));
    REQUIRE(use.has_value());
    CHECK(use->vaddr == cpu.s.x[10] + 3);
    CHECK(use->access == Access::Load);
    CHECK_FALSE(memory_use(cpu, decode(0x00128293)).has_value());
    CHECK(look_up(cpu, 0x10, Access::Load).to.paddr == 0x10);
    CHECK(rig.machine.hash() == hash);
}
