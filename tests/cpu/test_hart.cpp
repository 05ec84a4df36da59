// Whole harts on a whole machine: what is told of them, and that derived state and budgets never show.
#include <algorithm>
#include <catch2/catch.hpp>
#include <random>

#include "core/machine.hpp"
#include "cpu/hart.hpp"
#include "cpu/isa.hpp"

using namespace hartline;

namespace {
constexpr u64 kRam = 0x8000'0000;

// Walks over 16 KiB with stores and loads, flips a register number in one of its own instructions each round,
// and asks for the count and the time.
constexpr u32 kLoop[] = {
    0x00128293,  // loop: addi x5, x5, 1
    0x00533023,  // sd x5, 0(x6)
    0x00033383,  // ld x7, 0(x6)
    0x00740433,  // add x8, x8, x7, and in the next round x6
    0x00148493,  // addi x9, x9, 1
    0x00830313,  // addi x6, x6, 8
    0x00a37333,  // and x6, x6, x10
    0x00b36333,  // or x6, x6, x11
    0x0006a603,  // lw x12, 0(x13)
    0x00e64633,  // xor x12, x12, x14
    0x00c6a023,  // sw x12, 0(x13)
    0x0000100f,  // fence.i
    0xc02027f3,  // rdinstret x15
    0xc0102873,  // rdtime x16
    0xfc9ff06f,  // j loop
};

struct Rig {
    explicit Rig(unsigned harts) : machine({.ram_bytes = 1 << 20, .turn = 777}) {
        for (unsigned i = 0; i < harts; ++i)
            machine.add_hart(
                [](HartPort& port, unsigned number) { return make_hart(port, number, {.reset_pc = kRam}); });
        load();
    }
    void load() {
        u64 at = kRam;
        const auto put = [&](u32 word) {
            machine.ram().write(at, word);
            at += 4;
        };
        put(0x00010597);  // auipc x11, 0x10
        put(0x00004537);  // lui x10, 4
        put(0x00b50533);  // add x10, x10, x11: the mask keeps the base's bits
        put(0xff850513);  // addi x10, x10, -8
        put(0x00000697);  // auipc x13, 0
        put(0x01c68693);  // addi x13, x13, 28: the add of the loop
        put(0x00100737);  // lui x14, 0x100: the low bit of its rs2
        put(0x00058313);  // mv x6, x11
        for (const u32 word : kLoop) put(word);
    }
    Machine machine;
};
}  // namespace

TEST_CASE("hart: derived state dropped at random moments changes nothing") {
    Rig plain(2), dropped(2);
    plain.machine.run(300'000);
    std::mt19937_64 random{5};
    while (dropped.machine.tick() < 300'000) {
        dropped.machine.run(std::min<u64>(1 + random() % 3'000, 300'000 - dropped.machine.tick()));
        dropped.machine.drop_derived();
    }
    CHECK(plain.machine.hash() == dropped.machine.hash());
}

TEST_CASE("hart: the count is exact wherever a budget ends") {
    Rig whole(1), stepped(1);
    whole.machine.run(5'000);
    for (u64 i = 1; i <= 5'000; ++i) {
        stepped.machine.run(1);
        REQUIRE(stepped.machine.retired() == i);
    }
    CHECK(whole.machine.hash() == stepped.machine.hash());
}

TEST_CASE("hart: a hart that traps for ever still grows older") {
    Rig rig(1);
    rig.machine.ram().write(kRam, u32{0});  // illegal, and mtvec is 0: nothing is there to fetch
    const auto result = rig.machine.run(100'000);
    CHECK(result.why == Machine::Result::Why::Budget);
    CHECK(rig.machine.tick() == 100'000);
    CHECK(rig.machine.retired() == 0);
}

TEST_CASE("hart: the extensions that are told are those that have rows, and no others") {
    const auto told = isa_extensions({});
    const auto tells = [&](std::string_view name) {
        return std::find(told.begin(), told.end(), name) != told.end();
    };
    for (std::size_t i = 0; i < kExtensions; ++i) {
        const auto extension = static_cast<Extension>(i);
        const auto of = [&](const auto& row) { return row.extension == extension; };
        const bool implemented = std::any_of(kIsa.begin(), kIsa.end(), of) ||
                                 std::any_of(kCompressed.begin(), kCompressed.end(), of);
        const std::string_view name = hartline::name(extension);
        if (name == "ss" || name == "sm") continue;  // privileged instructions, which no name stands for
        INFO(name);
        CHECK(tells(name) == (implemented || name == "a"));
    }
    CHECK_FALSE(std::count(told.begin(), told.end(), "svadu") == 0);
    CHECK_FALSE(isa_string({.svadu = false}).find("svadu") != std::string::npos);
}

TEST_CASE("hart: two machines interleaved at random each end as they do alone") {
    Rig alone_a(1), alone_b(3), a(1), b(3);
    alone_a.machine.run(150'000);
    alone_b.machine.run(200'000);
    std::mt19937_64 random{9};
    while (a.machine.tick() < 150'000 || b.machine.tick() < 200'000) {
        Machine& next = random() % 2 == 0 ? a.machine : b.machine;
        const u64 end = &next == &a.machine ? 150'000 : 200'000;
        next.run(std::min<u64>(random() % 2'000, end - next.tick()));
    }
    CHECK(a.machine.hash() == alone_a.machine.hash());
    CHECK(b.machine.hash() == alone_b.machine.hash());
}
