// The translating engine as a hart: the same machine as the interpreter's, wherever budgets end.
#include "assembly.hpp"

using namespace hartline;
using namespace hartline::twins;

namespace {
constexpr unsigned kMepc = 0x341, kMcause = 0x342, kMtval = 0x343, kMtvec = 0x305, kInstret = 0xc02,
                   kTime = 0xc01;

// Calls, loops, misaligned accesses and such that cross pages, a device that is asked for the time, counters,
// and traps in the midst of it all. For ever.
Assembly everything() {
    Assembly code(kRam);
    const u64 handler = kRam + 0x400, function = kRam + 0x480;
    code.li(t0, handler);
    code.csrw(kMtvec, t0);
    code.li(s2, kDevice);
    code.li(s3, kRam + 0x2000);
    code.csrr(t0, 0xf14);  // mhartid
    code.imm(Op::SLLI, t0, t0, 13);
    code.op(Op::ADD, s3, s3, t0);  // a place of its own
    code.li(s4, 0xffc);
    code.op(Op::ADD, s4, s4, s3);
    const u64 loop = code.here();
    code.imm(Op::ADDI, s5, s5, 1);
    code.op(Op::ADD, s6, s6, s7);
    code.imm(Op::XORI, s7, s6, 0x55);
    code.store(Op::SD, s6, 0, s3);
    code.store(Op::SW, s7, 8, s3);
    code.imm(Op::LD, a0, s3, 3);    // misaligned
    code.imm(Op::LD, a1, s4, 0);    // across pages
    code.store(Op::SD, a0, 1, s4);  // too
    code.imm(Op::LHU, a2, s4, 3);
    code.op(Op::ADD, s6, s6, a1);
    code.imm(Op::LW, a3, s2, 8);  // the time
    code.op(Op::XOR, s6, s6, a3);
    code.store(Op::SW, s5, 4, s2);  // seen at an exact time
    code.jal(ra, function);
    code.csrr(a4, kInstret);
    code.csrr(a5, kTime);
    code.op(Op::ADD, s6, s6, a4);
    code.imm(Op::LD, a6, zero, 16);  // a fault, in the midst
    code.op(Op::SUB, s6, s6, a5);
    code.store(Op::SB, s6, 16, zero);  // another
    code.imm(Op::ANDI, t1, s5, 7);
    const u64 skip = code.here() + 8;
    code.branch(Op::BNE, t1, zero, skip);
    code.plain(Op::ECALL);
    code.op(Op::AMOADD_D, t2, s3, s5);
    code.jal(zero, loop);
    while (code.here() < handler) code.nop();
    code.csrr(t3, kMepc);
    code.imm(Op::ADDI, t3, t3, 4);
    code.csrw(kMepc, t3);
    code.csrr(t4, kMcause);
    code.csrr(t5, kMtval);
    code.op(Op::ADD, s6, s6, t4);
    code.op(Op::ADD, s6, s6, t5);
    code.plain(Op::MRET);
    while (code.here() < function) code.nop();
    code.imm(Op::ADDI, t1, zero, 3);
    const u64 inner = code.here();
    code.op(Op::MUL, a7, s6, t1);
    code.op(Op::ADD, s6, s6, a7);
    code.imm(Op::ADDI, t1, t1, -1);
    code.branch(Op::BNE, t1, zero, inner);
    code.ret();
    return code;
}
}  // namespace

TEST_CASE("jit_states_are_the_interpreters_wherever_budgets_end", "[jit]") {
    for (const u32 after : {1u, 3u, 50u})
        for (const unsigned harts : {1u, 3u}) {
            Twins twins(harts, {.translate_after = after});
            twins.put(everything());
            std::mt19937_64 random{harts + after};
            while (twins.interpreted.machine.tick() < 60'000) {
                const u64 ticks = 1 + random() % (random() % 8 == 0 ? 3'000 : 60);
                twins.run(ticks, 1 + random() % ticks);
            }
            CHECK(twins.x(s5) > 50);  // it went round
            CHECK(twins.stats().retired > 3'000);
            CHECK(twins.stats().load_misses > 50);
        }
}

TEST_CASE("jit_budgets_of_every_length_end_exactly", "[jit]") {
    for (u64 budget = 1; budget <= 150; ++budget) {
        Twins twins;
        twins.put(everything());
        twins.run(300, 300);  // translations are there
        for (int i = 0; i < 12; ++i) twins.run(budget);
    }
}

TEST_CASE("jit_derived_state_dropped_at_random_changes_nothing", "[jit]") {
    Twins twins(2);
    twins.put(everything());
    std::mt19937_64 random{5};
    for (int i = 0; i < 100; ++i) {
        twins.run(1 + random() % 1'000);
        twins.translated.machine.drop_derived();
    }
    CHECK(twins.stats().dropped > 100);
}

TEST_CASE("jit_snapshots_between_units_go_on_elsewhere", "[jit]") {
    Twins first(2), second(2);
    first.put(everything());
    std::mt19937_64 random{7};
    for (int i = 0; i < 60; ++i) {
        Twins& from = i % 2 == 0 ? first : second;
        Twins& to = i % 2 == 0 ? second : first;
        from.run(1 + random() % 700);
        const auto saved = from.translated.machine.save();
        REQUIRE(saved == from.interpreted.machine.save());
        to.translated.machine.load(saved);
        to.interpreted.machine.load(saved);
        REQUIRE(to.equal());
    }
    CHECK(first.x(s5) > 100);
}

TEST_CASE("jit_reset_starts_anew", "[jit]") {
    Twins twins(1);
    for (int round = 0; round < 3; ++round) {
        twins.put(everything());
        twins.run(5'000, 700);
        twins.interpreted.machine.reset();
        twins.translated.machine.reset();
        REQUIRE(twins.equal());
    }
}

TEST_CASE("jit_counters_and_their_overflow_are_exact", "[jit]") {
    // hpmcounter3 counts instructions (as mhpmevent 2) up to an overflow in the midst of a loop: LCOFI, then
    // again.
    Twins twins;
    Assembly code(kRam);
    const u64 handler = kRam + 0x200;
    code.li(t0, handler);
    code.csrw(kMtvec, t0);
    code.imm(Op::ADDI, t0, zero, 2);
    code.csrw(0x323, t0);  // mhpmevent3
    code.imm(Op::ADDI, t0, zero, -37);
    code.csrw(0xb03, t0);  // mhpmcounter3
    code.li(t0, 1 << 13);
    code.csrw(0x304, t0);  // mie.LCOFIE
    code.imm(Op::CSRRSI, zero, 8, 0x300);
    const u64 loop = code.here();
    for (int i = 0; i < 5; ++i) code.imm(Op::ADDI, a0, a0, 1);
    code.jal(zero, loop);
    while (code.here() < handler) code.nop();
    code.imm(Op::ADDI, s5, s5, 1);
    code.csrr(s6, kMepc);
    code.op(Op::ADD, s7, s7, s6);
    code.imm(Op::ADDI, t0, zero, -41);
    code.csrw(0xb03, t0);
    code.imm(Op::ADDI, t0, zero, 2);
    code.csrw(0x323, t0);  // OF is clear
    code.li(t0, 1 << 13);
    code.imm(Op::CSRRC, zero, t0, 0x344);  // mip.LCOFIP
    code.plain(Op::MRET);
    twins.put(code);
    for (int i = 0; i < 200; ++i) twins.run(static_cast<u64>(17 + i));
    CHECK(twins.x(s5) > 100);
}

TEST_CASE("jit_carryless_products_and_orc_b", "[jit]") {
    Twins twins;
    Assembly code(kRam);
    code.li(s2, 0x5851'f42d);
    code.li(s3, 0x9e37'79b9);
    const u64 loop = code.here();
    for (const auto& [first, second, to] :
         {std::array{s2, s3, a0}, {a0, s2, a4}, {t3, a4, t4}, {t4, zero, t5}, {s3, s3, s3}}) {
        code.op(Op::CLMUL, t0, first, second);
        code.op(Op::CLMULH, t1, first, second);
        code.op(Op::CLMULR, to, first, second);
        code.op(Op::ADD, to, to, t1);
        code.op(Op::XOR, s2, t0, s2);
        code.imm(Op::ADDI, s2, s2, 0x35);
        code.word(encode(Op::ORC_B, {.rd = t3, .rs1 = to}));
        code.op(Op::ADD, s6, s6, t3);
        code.op(Op::XOR, s6, s6, to);
    }
    code.imm(Op::ADDI, s3, s3, 0x71);
    code.imm(Op::ADDI, s5, s5, 1);
    code.jal(zero, loop);
    twins.put(code);
    twins.run_times(200, 97);
    CHECK(twins.x(s5) > 100);
}

TEST_CASE("jit_the_rounding_mode_reaches_units_that_are_linked", "[jit]") {
    // frm is written in a unit without floating point, which leads on to one that divides by it.
    Twins twins;
    Assembly code(kRam), divide(kRam + 0x800);
    code.li(t0, 3 << 13);
    code.imm(Op::CSRRS, zero, t0, 0x300);  // FS
    code.imm(Op::ADDI, t0, zero, 1);
    code.imm(Op::ADDI, t1, zero, -3);
    code.word(encode(Op::FCVT_D_L, {.rd = 1, .rs1 = t0, .imm = 7}));
    code.word(encode(Op::FCVT_D_L, {.rd = 2, .rs1 = t1, .imm = 7}));
    code.li(s1, divide.start());
    const u64 loop = code.here();
    code.imm(Op::ADDI, s5, s5, 1);
    code.imm(Op::ANDI, s4, s5, 3);
    code.csrw(2, s4);  // frm
    code.imm(Op::JALR, ra, s1, 0);
    code.op(Op::ADD, s6, s6, a0);
    code.imm(Op::SLLI, s6, s6, 1);
    code.jal(zero, loop);
    divide.word(encode(Op::FDIV_D, {.rd = 3, .rs1 = 1, .rs2 = 2, .imm = 7}));
    divide.word(encode(Op::FMV_X_D, {.rd = a0, .rs1 = 3}));
    divide.ret();
    twins.put(code, divide);
    twins.run_times(400, 71);
    CHECK(twins.x(s5) > 1'000);
    CHECK(twins.stats().jump_inserts > 0);
}

namespace {
// Fails as the host may: memory that it has no more of.
class Failing final : public Device {
public:
    std::string_view name() const override { return "failing"; }
    u64 size() const override { return kFrameBytes; }
    bool read(u64, unsigned, u64&) override { throw std::bad_alloc(); }
    bool write(u64, unsigned, u64) override { throw std::bad_alloc(); }
    void reset() override {}
    void describe(Archive&) override {}
};

// Two harts that go round 100 times, and then use the device.
std::unique_ptr<Machine> failing_machine(EngineKind engine, bool parallel, bool store) {
    auto machine = std::make_unique<Machine>(
        MachineConfig{.ram_bytes = kRamBytes, .parallel = parallel, .wall = [] { return u64{0}; }});
    machine->attach(kDevice, 0, [](DevicePort&) { return std::make_unique<Failing>(); });
    for (int i = 0; i < 2; ++i)
        machine->add_hart([&](HartPort& port, unsigned number) {
            return make_hart(port, number, {.reset_pc = kRam, .engine = engine, .translate_after = 1});
        });
    Assembly code(kRam);
    code.li(s2, kDevice);
    code.li(t1, 100);
    const u64 loop = code.here();
    code.imm(Op::ADDI, t1, t1, -1);
    code.branch(Op::BNE, t1, zero, loop);
    if (store)
        code.store(Op::SW, t1, 0, s2);
    else
        code.imm(Op::LW, t1, s2, 0);
    code.jal(zero, loop);
    for (u64 i = 0; i < code.words().size(); ++i) machine->ram().write(kRam + 4 * i, code.words()[i]);
    return machine;
}
}  // namespace

TEST_CASE("jit_failures_of_the_host_reach_the_caller_as_the_interpreters_do", "[jit]") {
    for (const EngineKind engine : {EngineKind::Interpreter, EngineKind::Jit})
        for (const bool parallel : {false, true})
            for (const bool store : {false, true}) {
                const auto machine = failing_machine(engine, parallel, store);
                if (parallel)
                    REQUIRE_THROWS_AS(machine->run_parallel([] { return false; }), std::bad_alloc);
                else
                    REQUIRE_THROWS_AS(machine->run(10'000), std::bad_alloc);
                const TranslatorStats* const stats = translator_stats(machine->hart(0));
                if (engine == EngineKind::Jit && !parallel)
                    CHECK((store ? stats->store_misses : stats->load_misses) != 0);
            }
}

TEST_CASE("a failure where events are served ends harts on threads", "[parallel]") {
    const auto machine = failing_machine(EngineKind::Interpreter, true, false);
    for (u64 at = kRam; at < kRam + 64; at += 4) machine->ram().write(at, encode(Op::JAL));  // jal zero, .
    REQUIRE_THROWS_AS(machine->run_parallel([]() -> bool { throw std::out_of_range("a device"); }),
                      std::out_of_range);
}
