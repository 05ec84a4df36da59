// A cache that is too small for what a guest runs: parts of it are given up again and again, and nobody
// notices.
#include "assembly.hpp"
#include "cpu/jit/code_cache.hpp"

using namespace hartline;
using namespace hartline::twins;

namespace {
constexpr u64 kFunctions = kRam + 0x10'0000, kFunctionBytes = 512;
constexpr unsigned kCount = 4'000;

// Functions of their own random instructions, each with a loop and a way that is seldom gone.
Assembly function(std::mt19937_64& random, u64 at) {
    static constexpr Op kOps[] = {Op::ADD, Op::SUB, Op::XOR, Op::MUL, Op::SLTU, Op::SRL, Op::ADDW, Op::OR};
    Assembly code(at);
    code.imm(Op::ADDI, t1, zero, 2);
    const u64 loop = code.here();
    for (int i = 0; i < 30; ++i) {
        const auto reg = [&] { return static_cast<u8>(a0 + random() % 8); };
        code.op(kOps[random() % std::size(kOps)], reg(), reg(), reg());
        if (i % 8 == 3) code.store(Op::SD, a0, static_cast<i32>(random() % 200 * 8), sp);
        if (i % 8 == 7) code.imm(Op::LD, a1, sp, static_cast<i32>(random() % 200 * 8));
    }
    code.branch(Op::BLTU, a0, a1, code.here() + 8);
    code.op(Op::ADD, a0, a0, a1);
    code.imm(Op::ADDI, t1, t1, -1);
    code.branch(Op::BNE, t1, zero, loop);
    code.ret();
    return code;
}

// Calls them by chance, for ever.
Assembly caller() {
    Assembly code(kRam);
    code.li(sp, kRam + 0x8'0000);
    code.li(s2, kFunctions);
    code.li(s3, 0x5851'f42d);
    code.li(s4, kCount);
    code.imm(Op::ADDI, s6, zero, 1);
    const u64 loop = code.here();
    code.op(Op::MUL, s6, s6, s3);
    code.imm(Op::ADDI, s6, s6, 11);
    code.imm(Op::SRLI, t0, s6, 33);
    code.op(Op::REMU, t0, t0, s4);
    code.imm(Op::SLLI, t0, t0, 9);
    code.op(Op::ADD, t0, t0, s2);
    code.imm(Op::JALR, ra, t0, 0);
    code.imm(Op::ADDI, s5, s5, 1);
    code.jal(zero, loop);
    return code;
}
}  // namespace

TEST_CASE("jit_a_cache_that_is_too_small_is_given_up_by_parts", "[jit]") {
    Twins twins(2, {.translate_after = 1, .code_cache_bytes = std::size_t{1} << 20});
    twins.put(caller());
    std::mt19937_64 random{3};
    for (unsigned i = 0; i < kCount; ++i) twins.put(function(random, kFunctions + i * kFunctionBytes));
    for (int i = 0; i < 60; ++i) twins.run(1 + random() % 40'000, 1 + random() % 9'000);
    const TranslatorStats stats = twins.stats();
    CHECK(stats.evictions > 8);
    CHECK(stats.units > stats.dropped);
    CHECK(stats.dropped > stats.units / 2);
    CHECK(stats.host_bytes > u64{3} << 20);
    CHECK(stats.retired > 500'000);
}

TEST_CASE("jit_code_cache_gives_out_its_parts_in_turn", "[jit]") {
    jit::CodeCache cache(std::size_t{1} << 20);
    cache.take(1000);
    cache.begin_parts();
    std::size_t end_of_last = 1000;
    for (unsigned part = 0; part < jit::CodeCache::kParts; ++part) {
        if (part != 0) cache.begin_part(part);
        CHECK(cache.part() == part);
        CHECK(cache.used() >= end_of_last);
        CHECK(cache.used() % 64 == 0);
        CHECK_FALSE(cache.has_room(cache.bytes() / 2));
        while (cache.has_room(5'000)) {
            CHECK(cache.part_of(cache.used()) == part);
            CHECK(cache.part_of(cache.used() + 4'999) == part);
            end_of_last = cache.used() + 5'000;
            cache.take(5'000);
        }
    }
    CHECK(end_of_last <= cache.bytes());
    CHECK(end_of_last > cache.bytes() - 6'000);
    cache.begin_part(0);
    CHECK(cache.used() == 1024);
}
