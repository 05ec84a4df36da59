// Which instructions become a unit.
#include "assembly.hpp"
#include "cpu/jit/plan.hpp"

#include <cstring>

using namespace hartline;
using namespace hartline::twins;
using jit::kNowhere, jit::Plan;

namespace {
constexpr u32 kIllegal = 0;

// Two pages, of which only the first is known unless said otherwise.
struct Page {
    void put(u32 offset, const std::vector<u32>& words) {
        std::memcpy(&bytes[offset], words.data(), words.size() * 4);
    }
    void put(const Assembly& code) { put(static_cast<u32>(code.start()), code.words()); }
    Plan plan(
        u32 start, const jit::Heat& heat = [](u32) { return 100u; }) const {
        return jit::make_plan({bytes.data(), second ? bytes.data() + kFrameBytes : nullptr}, start, heat);
    }
    std::array<u8, 2 * kFrameBytes> bytes{};
    bool second = false;
};

std::vector<int> offsets(const Plan& plan) {
    std::vector<int> all;
    for (const jit::Item& item : plan.items) all.push_back(item.offset);
    return all;
}

u32 addi(u8 reg) { return encode(Op::ADDI, {.rd = reg, .rs1 = reg, .imm = 1}); }
}  // namespace

TEST_CASE("jit_plan_keeps_a_loop_inside", "[jit]") {
    Page page;
    Assembly code(0);
    code.word(addi(t0));
    const u64 loop = code.here();
    code.word(addi(t1));
    code.branch(Op::BNE, t1, t2, loop);
    code.word(kIllegal);
    page.put(code);
    const Plan plan = page.plan(0);
    CHECK(offsets(plan) == std::vector{0, 4, 8});
    CHECK(plan.find(4) == 1);
    REQUIRE(plan.segments.size() == 1);
    CHECK(plan.segments[0].next == 12);
    CHECK(plan.items[0].remaining == 3);
    CHECK(plan.items[2].remaining == 1);
}

TEST_CASE("jit_plan_follows_a_call_and_comes_back", "[jit]") {
    Page page;
    Assembly code(0), function(0x40);
    code.jal(ra, 0x40);
    code.word(addi(t0));
    code.word(kIllegal);
    function.word(addi(t1));
    function.ret();
    page.put(code);
    page.put(function);
    const Plan plan = page.plan(0);
    CHECK(offsets(plan) == std::vector{0, 0x40, 0x44, 4});
    CHECK(plan.expected_return == std::vector{kNowhere, kNowhere, 4, kNowhere});
    // A return without its call leads nowhere that is known.
    const Plan alone = page.plan(0x40);
    CHECK(offsets(alone) == std::vector{0x40, 0x44});
    CHECK(alone.segments.at(0).next == kNowhere);
}

TEST_CASE("jit_plan_ends_with_the_page", "[jit]") {
    Page page;
    page.put(0xff8, {addi(t0), addi(t1)});
    const Plan whole = page.plan(0xff8);
    CHECK(offsets(whole) == std::vector{0xff8, 0xffc});
    CHECK(whole.segments.at(0).next == 0x1000);
    const u16 c_nop = 1, half = static_cast<u16>(addi(t0));
    std::memcpy(&page.bytes[0xffc], &c_nop, 2);
    std::memcpy(&page.bytes[0xffe], &half, 2);
    const Plan straddled = page.plan(0xff8);
    CHECK(offsets(straddled) == std::vector{0xff8, 0xffc});
    CHECK(straddled.segments.at(0).next == 0xffe);
    CHECK(page.plan(0xffe).segments.empty());
}

TEST_CASE("jit_plan_goes_on_in_the_following_page_when_that_is_known", "[jit]") {
    Page page;
    Assembly code(0xff8);
    code.word(addi(t0));
    code.word(addi(t1));
    code.word(addi(t2));
    code.branch(Op::BNE, t2, zero, 0xffc);
    code.word(kIllegal);
    page.put(code);
    CHECK_FALSE(page.plan(0xff8).crosses);
    page.second = true;
    const Plan plan = page.plan(0xff8);
    CHECK(plan.crosses);
    CHECK(offsets(plan) == std::vector{0xff8, 0xffc, 0x1000, 0x1004});
    CHECK(plan.find(0x1000) == 2);
    // An instruction that lies in both pages.
    const u16 c_nop = 1;
    std::memcpy(&page.bytes[0xffc], &c_nop, 2);
    page.put(0xffe, {addi(t1), addi(t2), kIllegal});
    CHECK(offsets(page.plan(0xff8)) == std::vector{0xff8, 0xffc, 0xffe, 0x1002});
    CHECK_FALSE(page.plan(0x100).crosses);
}

TEST_CASE("jit_plan_jumps_out_of_the_page_are_left_alone", "[jit]") {
    Page page;
    Assembly code(0);
    code.word(addi(t0));
    code.branch(Op::BEQ, t0, t1, u64{0} - 8);
    code.jal(zero, 0x1800);
    page.put(code);
    const Plan plan = page.plan(0);
    CHECK(offsets(plan) == std::vector{0, 4, 8});
    CHECK(plan.segments.at(0).next == 0x1800);
}

TEST_CASE("jit_plan_takes_the_ways_that_are_gone", "[jit]") {
    Page page;
    Assembly code(0), there(0x100);
    code.branch(Op::BEQ, t0, t1, 0x100);
    code.word(addi(t2));
    code.word(kIllegal);
    there.word(addi(t3));
    there.word(kIllegal);
    page.put(code);
    page.put(there);
    const auto heats = [](u32 here) {
        return [here](u32 offset) -> u32 { return offset == 0 ? 1000 : offset == 4 ? here : 1000 - here; };
    };
    CHECK(offsets(page.plan(0, heats(10))) == std::vector{0, 0x100});
    CHECK(offsets(page.plan(0, heats(400))) == std::vector{0, 0x100, 4});
    CHECK(offsets(page.plan(0, heats(600))) == std::vector{0, 4, 0x100});
    CHECK(offsets(page.plan(0, heats(990))) == std::vector{0, 4});
}

TEST_CASE("jit_plan_ends_where_the_mode_changes", "[jit]") {
    Page page;
    page.put(0, {addi(t0), encode(Op::ECALL), addi(t1), kIllegal});
    CHECK(offsets(page.plan(0)) == std::vector{0, 4});
    CHECK(offsets(page.plan(8)) == std::vector{8});
    CHECK(page.plan(12).segments.empty());
}

TEST_CASE("jit_plan_is_bounded", "[jit]") {
    Page page;
    for (u32 at = 0; at < kFrameBytes; at += 4) page.put(at, {addi(t0)});
    const Plan plan = page.plan(0);
    CHECK(plan.items.size() <= jit::kMostItems);
    CHECK(plan.segments.at(0).next == static_cast<int>(plan.items.size() * 4));
}
