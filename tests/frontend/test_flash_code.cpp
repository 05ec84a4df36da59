// Executing from flash: as fast as from RAM while it is an array, and never what it no longer shows.
#include <catch2/catch.hpp>

#include "core/machine.hpp"
#include "cpu/hart.hpp"
#include "cpu/jit/make.hpp"
#include "devices/flash.hpp"
#include "frontend/session/flash.hpp"
#include "tests/frontend/support.hpp"

using namespace hartline;

namespace {
constexpr u64 kFlash = 0x2000'0000, kFunction = 0x1100, kResults = 0x8000'1000;

// Calls the function in flash 300 times; asks flash for its identity, so that it shows no code any more, and
// calls again, which must trap; makes it show its array again, and calls. Notes how often the function ran,
// and the trap's cause.
constexpr u32 kProgram[] = {
    0x200012b7,  // lui t0,0x20001: another place in the TLB than the program has
    0x1002829b,  // addw t0,t0,256
    0x20000337,  // lui t1,0x20000
    0x00080e37,  // lui t3,0x80
    0x001e0e1b,  // addw t3,t3,1
    0x00ce1e13,  // sll t3,t3,0xc
    0x00000397,  // auipc t2,0x0
    0x04438393,  // add t2,t2,68
    0x30539073,  // csrw mtvec,t2
    0x00000513,  // li a0,0
    0x12c00613,  // li a2,300
    0x000280e7,  // jalr t0
    0xfff60613,  // add a2,a2,-1
    0xfe061ce3,  // bnez a2,8000002c
    0x09000e93,  // li t4,144
    0x01d32023,  // sw t4,0(t1)
    0x000280e7,  // jalr t0
    0x000e3823,  // sd zero,16(t3)
    0x000280e7,  // jalr t0
    0x00ae3023,  // sd a0,0(t3)
    0x00be3423,  // sd a1,8(t3)
    0x10500073,  // wfi
    0xffdff06f,  // j 80000054
    0x342025f3,  // csrr a1,mcause
    0x0ff00e93,  // li t4,255
    0x01d32023,  // sw t4,0(t1)
    0x00000397,  // auipc t2,0x0
    0xfe038393,  // add t2,t2,-32
    0x00038067,  // jr t2
};

struct Results {
    u64 calls = 0, cause = ~u64{0}, missed = 1;
};

// The program with a fence.i before the first call that must trap.
std::vector<u32> with_fence() {
    std::vector<u32> program(std::begin(kProgram), std::end(kProgram));
    program[7] = 0x04838393;                           // add t2,t2,72: the handler is one further
    program.insert(program.begin() + 16, 0x0000100f);  // fence.i
    return program;
}

Results run(EngineKind engine, u32 translate_after, bool parallel = false) {
    std::vector<u8> code(kFunction);
    for (const u32 word : {0x00150513u, 0x00008067u})  // addi a0,a0,1; ret
        for (unsigned i = 0; i < 4; ++i) code.push_back(static_cast<u8>(word >> (8 * i)));
    code.resize(kFunction + 4096, 0);
    Machine machine({.ram_bytes = 1 << 20, .parallel = parallel, .wall = [] { return u64{0}; }});
    HartConfig config;
    config.reset_pc = 0x8000'0000;
    config.engine = engine;
    config.translate_after = translate_after;
    machine.add_hart([&](HartPort& port, unsigned number) { return make_hart(port, number, config); });
    machine.attach(kFlash, 0,
                   flash({FlashBankConfig{.contents = code, .read_only = true}, FlashBankConfig{}}));
    machine.reset();
    const std::vector<u32> program =
        parallel ? with_fence() : std::vector<u32>(std::begin(kProgram), std::end(kProgram));
    for (u64 i = 0; i < program.size(); ++i) REQUIRE(machine.ram().write(0x8000'0000 + 4 * i, program[i]));
    Results results;
    REQUIRE(machine.ram().write(kResults, results));
    const auto done = [&, looks = 0]() mutable {
        return ++looks == 2'000 || (machine.ram().read(kResults, results) && results.calls != 0);
    };
    if (parallel)
        machine.run_parallel(done);
    else
        machine.run(100'000);
    REQUIRE(machine.ram().read(kResults, results));
    return results;
}
}  // namespace

TEST_CASE("code_in_flash_runs_while_it_is_shown_and_not_after", "[flash]") {
    for (const EngineKind engine : {EngineKind::Interpreter, EngineKind::Ir, EngineKind::Jit}) {
        if (engine == EngineKind::Jit && !jit::host_supported()) continue;
        for (const u32 after : {1u, 20u}) {
            INFO(name(engine) << " " << after);
            const Results results = run(engine, after);
            CHECK(results.calls == 301);
            CHECK(results.cause == 2);   // illegal instruction: what flash shows there is 0
            CHECK(results.missed == 1);  // the call that trapped did not come back
        }
    }
}

// Between threads a call may still meet what flash was a moment ago.
TEST_CASE("code_in_flash_may_go_under_a_hart_on_a_thread", "[flash][parallel]") {
    for (const EngineKind engine : {EngineKind::Interpreter, EngineKind::Ir, EngineKind::Jit}) {
        if (engine == EngineKind::Jit && !jit::host_supported()) continue;
        for (const u32 after : {1u, 20u, 301u}) {
            INFO(name(engine) << " " << after);
            const u64 calls = run(engine, after, true).calls;
            CHECK((calls == 301 || calls == 302));
        }
    }
}

TEST_CASE("a_short_variable_store_is_filled_up_with_what_erased_flash_is", "[flash]") {
    const test::Folder folder;
    const std::string variables = std::string(40, 'x') + "_FVH";
    const std::string code = folder.file("code", std::string(4096, 0)),
                      store = folder.file("store", variables);
    (void)firmware_flash({code, code}, store);
    const std::string bytes = test::read_text(store);
    REQUIRE(bytes.size() == kFlashBankBytes);
    CHECK(bytes.starts_with(variables + '\xff'));
    CHECK(bytes.back() == '\xff');
}
