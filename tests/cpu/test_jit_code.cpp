// Nothing stale runs: code that is stored to, copied over, remapped, seen through two addresses.
#include "supervisor.hpp"

using namespace hartline;
using namespace hartline::twins;

namespace {
u32 addi(u8 rd, u8 rs1, i32 value) { return encode(Op::ADDI, {.rd = rd, .rs1 = rs1, .imm = value}); }
}  // namespace

TEST_CASE("jit_a_store_to_a_linked_unit_is_seen_at_once", "[jit]") {
    // The loop calls a function in another page whose first instruction it changes each eighth round, without
    // fence.i: here as in the interpreter.
    Twins twins;
    Assembly main(kRam), function(kCode);
    main.li(s2, kCode);
    main.li(s3, addi(a0, a0, 1));
    main.li(s4, addi(a0, a0, 5) ^ addi(a0, a0, 1));
    const u64 loop = main.here();
    main.imm(Op::JALR, ra, s2, 0);
    go_round(main, loop, 8);
    main.op(Op::XOR, s3, s3, s4);
    main.store(Op::SW, s3, 0, s2);
    main.jal(zero, loop);
    function.word(addi(a0, a0, 1));
    function.imm(Op::ANDI, t0, s5, 1);
    function.branch(Op::BNE, t0, zero, function.here() + 12);  // to another unit
    function.imm(Op::ADDI, a1, a1, 1);
    function.ret();
    function.imm(Op::ADDI, a2, a2, 1);
    function.ret();
    twins.put(main, function);
    twins.run_times(300, 41);
    CHECK(twins.x(s5) > 500);
    CHECK(twins.x(a0) > 2 * twins.x(s5));
    CHECK(twins.stats().dropped > 20);
    CHECK(twins.stats().linked > 1);
}

TEST_CASE("jit_a_store_to_the_unit_under_way_ends_it", "[jit]") {
    // The store's own unit goes on with what it has just changed: the very next instruction.
    Twins twins;
    Assembly code(kRam);
    code.li(s2, addi(a0, a0, 1));
    code.li(s3, 1 << 20);  // the low bit of the immediate
    code.word(encode(Op::AUIPC, {.rd = s4, .imm = 0}));
    const u64 loop = code.here();
    code.op(Op::XOR, s2, s2, s3);
    code.store(Op::SW, s2, static_cast<i32>(loop + 8 - (loop - 4)), s4);
    code.word(addi(a0, a0, 1));
    code.imm(Op::ADDI, s5, s5, 1);
    code.jal(zero, loop);
    twins.put(code);
    twins.run_times(200, 29);
    CHECK(twins.x(s5) > 100);
    CHECK(twins.x(a0) <= twins.x(s5) / 2 + 1);
    CHECK(twins.stats().exits[static_cast<std::size_t>(TranslatorStats::Exit::Stop)] > 50);
}

TEST_CASE("jit_another_harts_store_to_code_is_seen", "[jit]") {
    // Hart 1 changes the loop that hart 0 is in.
    Twins twins(2);
    Assembly main(kRam), patcher(kOther), loop(kCode);
    main.csrr(t0, 0xf14);
    main.li(t1, kOther);
    main.li(t2, kCode);
    main.branch(Op::BEQ, t0, zero, main.here() + 8);
    main.imm(Op::JALR, zero, t1, 0);
    main.imm(Op::JALR, zero, t2, 0);
    loop.word(addi(a0, a0, 1));
    loop.imm(Op::ADDI, s5, s5, 1);
    loop.jal(zero, kCode);
    patcher.li(s3, addi(a0, a0, 1));
    patcher.li(s4, addi(a0, a0, 2) ^ addi(a0, a0, 1));
    const u64 again = patcher.here();
    patcher.op(Op::XOR, s3, s3, s4);
    patcher.store(Op::SW, s3, 0, t2);
    patcher.imm(Op::ADDI, t3, zero, 100);
    const u64 wait = patcher.here();
    patcher.imm(Op::ADDI, t3, t3, -1);
    patcher.branch(Op::BNE, t3, zero, wait);
    patcher.jal(zero, again);
    twins.put(main, patcher, loop);
    for (int i = 0; i < 200; ++i) twins.run(static_cast<u64>(1 + i * 3));
    CHECK(twins.x(a0) > twins.x(s5));
    CHECK(twins.stats().dropped > 10);
}

TEST_CASE("jit_one_frame_of_code_at_two_addresses", "[jit]") {
    // Each alias is called; the code tells where it is, and is stored to through a third.
    Twins twins;
    constexpr u64 kFirst = 0x40'0000, kSecond = 0x7fff'f000, kWindow = 0x50'0000;
    Tables tables(twins);
    tables.map_itself(32);
    tables.map(kFirst, kCode);
    tables.map(kSecond, kCode);
    tables.map(kWindow, kCode);
    Assembly main(kOther), function(kCode);
    main.li(s2, kFirst);
    main.li(s3, kSecond);
    main.li(s4, kWindow);
    main.li(s6, addi(a1, a1, 1));
    main.li(s7, addi(a1, a1, 1) ^ addi(a1, a1, 3));
    const u64 loop = main.here();
    main.imm(Op::JALR, ra, s2, 0);
    main.op(Op::ADD, s1, s1, a0);
    main.imm(Op::JALR, ra, s3, 0);
    main.op(Op::SUB, s1, s1, a0);
    go_round(main, loop, 16);
    main.op(Op::XOR, s6, s6, s7);
    main.store(Op::SW, s6, 4, s4);
    main.jal(zero, loop);
    function.word(encode(Op::AUIPC, {.rd = a0, .imm = 0}));
    function.word(addi(a1, a1, 1));
    function.ret();
    twins.put(into_supervisor(kOther), main, function);
    twins.run_times(300, 53);
    CHECK(twins.x(s5) > 300);
    CHECK((twins.x(a0) == kFirst || twins.x(a0) == kSecond));
    CHECK(twins.x(a1) > 2 * twins.x(s5));
    CHECK(twins.stats().dropped > 10);
}

TEST_CASE("jit_sfence_vma_puts_other_code_at_an_address", "[jit]") {
    // A page of code changes its frame while a loop through it is linked: each frame's own translations serve
    // again.
    Twins twins;
    constexpr u64 kPage = 0x40'0000, kWindow = 0x60'0000;
    const u64 kFrames[] = {kCode, kRam + 0x2'0000};
    Tables tables(twins);
    tables.map_itself(64);
    tables.map(kPage, kFrames[0]);
    const u64 leaf = tables.leaf();
    tables.map(kWindow, leaf & ~(kFrameBytes - 1));
    Assembly main(kOther);
    main.li(s2, kPage);
    main.li(s4, kWindow + leaf % kFrameBytes);
    main.li(s6, Tables::entry(kFrames[0]));
    main.li(s7, Tables::entry(kFrames[0]) ^ Tables::entry(kFrames[1]));
    const u64 loop = main.here();
    main.imm(Op::JALR, ra, s2, 0);
    go_round(main, loop, 8);
    main.op(Op::XOR, s6, s6, s7);
    main.store(Op::SD, s6, 0, s4);
    main.word(encode(Op::SFENCE_VMA, {.rs1 = s2}));
    main.jal(zero, loop);
    twins.put(into_supervisor(kOther), main);
    for (unsigned i = 0; i < 2; ++i) {
        Assembly function(kFrames[i]);
        function.word(addi(i == 0 ? a0 : a1, i == 0 ? a0 : a1, 1));
        function.branch(Op::BEQ, zero, zero, function.here() + 12);
        function.nop();
        function.nop();
        function.ret();
        twins.put(function);
    }
    twins.run_times(400, 47);
    CHECK(twins.x(a0) > 100);
    CHECK(twins.x(a1) > 100);
    CHECK(twins.stats().dropped == 0);  // neither frame was stored to
    CHECK(twins.stats().units < 40);
}

TEST_CASE("jit_fence_i_after_copying_code", "[jit]") {
    // The function is copied over from one of two places, eight bytes at a time, with a loop over the copy.
    Twins twins;
    Assembly main(kRam), one(kRam + 0x2'0000), two(kRam + 0x2'0040);
    main.li(s2, kCode);
    main.li(s3, kRam + 0x2'0000);
    const u64 loop = main.here();
    main.imm(Op::XORI, s3, s3, 0x40);
    for (i32 at = 0; at < 24; at += 8) {
        main.imm(Op::LD, t0, s3, at);
        main.store(Op::SD, t0, at, s2);
    }
    main.plain(Op::FENCE_I);
    for (int i = 0; i < 6; ++i) main.imm(Op::JALR, ra, s2, 0);
    main.imm(Op::ADDI, s5, s5, 1);
    main.jal(zero, loop);
    for (Assembly* const code : {&one, &two}) {
        const u8 counter = code == &one ? a0 : a1;
        code->imm(Op::ADDI, t1, zero, 3);
        code->word(addi(counter, counter, 1));
        code->imm(Op::ADDI, t1, t1, -1);
        code->branch(Op::BNE, t1, zero, code->here() - 8);
        code->ret();
    }
    twins.put(main, one, two);
    twins.run_times(300, 97);
    CHECK(twins.x(a0) > 500);
    CHECK(twins.x(a1) > 500);
}

TEST_CASE("jit_an_address_means_another_thing_in_another_mode", "[jit]") {
    // M-mode and S-mode code lie at the same address, in different frames: mret and ecall go to and fro.
    Twins twins;
    constexpr u64 kVirtual = kCode;
    const u64 frame = kRam + 0x2'0000;
    Tables tables(twins);
    tables.map(kVirtual, frame);
    Assembly main = into_supervisor(kVirtual), machine(kCode), supervisor(frame);
    machine.word(addi(a0, a0, 1));  // the handler, and what lies there for M-mode
    machine.imm(Op::ADDI, t1, zero, 3);
    machine.imm(Op::ADDI, t1, t1, -1);
    machine.branch(Op::BNE, t1, zero, machine.here() - 4);
    machine.li(t0, kVirtual);
    machine.csrw(kMepc, t0);
    machine.plain(Op::MRET);
    supervisor.word(addi(a1, a1, 1));
    supervisor.imm(Op::ADDI, t1, zero, 2);
    supervisor.imm(Op::ADDI, t1, t1, -1);
    supervisor.branch(Op::BNE, t1, zero, supervisor.here() - 4);
    supervisor.plain(Op::ECALL);
    Assembly start(kRam);
    start.li(t0, kCode);
    start.csrw(0x305, t0);  // mtvec
    start.csrw(0x302, zero);
    for (const u32 word : main.words()) start.word(word);
    twins.put(start, machine, supervisor);
    twins.run_times(300, 37);
    CHECK(twins.x(a0) > 100);
    CHECK(twins.x(a1) > 100);
}

TEST_CASE("jit_a_unit_across_pages_is_void_when_either_changes", "[jit]") {
    // A loop over the end of a page; first the second page is stored to, then it is mapped elsewhere.
    Twins twins;
    constexpr u64 kPage = 0x40'0000, kWindow = 0x60'0000, kSecondFrame = kRam + 0x3'0000,
                  kThirdFrame = kRam + 0x4'0000;
    Tables tables(twins);
    tables.map_itself(80);
    tables.map(kPage, kCode);
    tables.map(kPage + kFrameBytes, kSecondFrame);
    const u64 leaf = tables.leaf();
    tables.map(kWindow, leaf & ~(kFrameBytes - 1));
    Assembly main(kOther), first(kCode + 0xff0);
    main.li(s1, kPage + 0xff0);
    main.li(s2, kSecondFrame);
    main.li(s3, kPage + kFrameBytes);
    main.li(s4, kWindow + leaf % kFrameBytes);
    main.li(s6, Tables::entry(kSecondFrame));
    main.li(s7, Tables::entry(kSecondFrame) ^ Tables::entry(kThirdFrame));
    main.li(a6, addi(a1, a1, 1));
    main.li(a7, addi(a1, a1, 1) ^ addi(a1, a1, 3));
    const u64 loop = main.here();
    main.imm(Op::JALR, ra, s1, 0);
    go_round(main, loop, 8);
    main.op(Op::XOR, a6, a6, a7);
    main.store(Op::SW, a6, 0, s2);
    main.imm(Op::JALR, ra, s1, 0);
    main.op(Op::XOR, s6, s6, s7);
    main.store(Op::SD, s6, 0, s4);
    main.word(encode(Op::SFENCE_VMA, {.rs1 = s3}));
    main.jal(zero, loop);
    first.imm(Op::ADDI, t1, zero, 3);
    first.word(addi(a0, a0, 1));
    first.word(addi(t1, t1, -1));
    first.word(addi(a0, a0, 2));
    for (const u64 frame : {kSecondFrame, kThirdFrame}) {
        Assembly second(frame);
        second.word(addi(a1, a1, 1));
        second.word(addi(frame == kSecondFrame ? a2 : a3, frame == kSecondFrame ? a2 : a3, 1));
        second.branch(Op::BNE, t1, zero, frame - 12);
        second.ret();
        twins.put(second);
    }
    twins.put(into_supervisor(kOther), main, first);
    twins.run_times(2000, 61);
    CHECK(twins.x(a2) > 300);
    CHECK(twins.x(a3) > 300);
    CHECK(twins.x(a1) > twins.x(a2) + twins.x(a3));
    CHECK(twins.stats().dropped > 10);
}

TEST_CASE("jit_a_store_to_what_a_fixed_jump_leads_to_is_seen_at_once", "[jit]") {
    // Two ways into another page: by JAL, and by AUIPC and JALR. What lies there changes each eighth round.
    Twins twins;
    Assembly main(kRam), function(kCode);
    main.li(s2, kCode);
    main.li(s3, addi(a0, a0, 1));
    main.li(s4, addi(a0, a0, 5) ^ addi(a0, a0, 1));
    const u64 loop = main.here();
    main.jal(ra, kCode);
    main.far(ra, ra, kCode);
    main.far(ra, t1, kCode);
    go_round(main, loop, 8);
    main.op(Op::XOR, s3, s3, s4);
    main.store(Op::SW, s3, 0, s2);
    main.far(zero, t2, loop);
    function.word(addi(a0, a0, 1));
    function.imm(Op::ADDI, a1, ra, 0);
    function.ret();
    twins.put(main, function);
    twins.run_times(300, 97);
    CHECK(twins.x(s5) > 500);
    CHECK(twins.x(a0) > 8 * twins.x(s5));
    CHECK(twins.stats().dropped > 20);
    CHECK(twins.stats().linked > 10);
}

TEST_CASE("jit_fixed_jumps_lead_where_the_page_is_mapped", "[jit]") {
    // The caller's frame is mapped twice, with another page behind each; one of these goes through three
    // frames, so that what was known comes up again when it does not hold.
    Twins twins(1, {.translate_after = 4});  // and not linked anew too soon
    constexpr u64 kFirst = 0x8040'0000, kSecond = 0x8050'0000, kWindow = 0x8060'0000,
                  kDistance = 2 * kFrameBytes;
    const u64 kFrames[] = {kRam + 0x2'0000, kRam + 0x3'0000, kRam + 0x4'0000, kRam + 0x5'0000};
    Tables tables(twins);
    tables.map_itself(80);
    tables.map(kFirst, kCode);
    tables.map(kSecond, kCode);
    tables.map(kFirst + kDistance, kFrames[0]);
    tables.map(kSecond + kDistance, kFrames[1]);
    const u64 leaf = tables.leaf();
    tables.map(kWindow, leaf & ~(kFrameBytes - 1));
    Assembly main(kOther), caller(kCode);
    main.li(s2, kSecond + kDistance);
    main.li(s4, kWindow + leaf % kFrameBytes);
    main.li(s6, Tables::entry(kFrames[2]));
    main.li(s7, Tables::entry(kFrames[3]));
    main.li(a7, Tables::entry(kFrames[1]));
    const u64 loop = main.here();
    main.far(s1, s1, kFirst);
    main.far(s1, s1, kSecond);
    go_round(main, loop, 4);
    main.store(Op::SD, s6, 0, s4);
    main.imm(Op::ADDI, t0, s6, 0);
    main.imm(Op::ADDI, s6, s7, 0);
    main.imm(Op::ADDI, s7, a7, 0);
    main.imm(Op::ADDI, a7, t0, 0);
    main.word(encode(Op::SFENCE_VMA, {.rs1 = s2}));
    main.far(zero, t0, loop);
    caller.far(ra, ra, kCode + kDistance);
    caller.jal(ra, kCode + kDistance + 4);
    caller.imm(Op::JALR, zero, s1, 0);
    twins.put(into_supervisor(kOther), main, caller);
    for (u8 i = 0; i < 4; ++i) {
        Assembly function(kFrames[i]);
        function.word(addi(a0 + i, a0 + i, 1));
        function.word(addi(a0 + i, a0 + i, 2));
        function.ret();
        twins.put(function);
    }
    twins.run_times(2000, 61);
    CHECK(twins.x(a0) > 500);
    for (const u8 counter : {a1, a2, a3}) CHECK(twins.x(counter) > 100);
    CHECK(twins.stats().dropped == 0);
    CHECK(twins.stats().linked > 10);
}

TEST_CASE("jit_a_jump_to_the_second_half_of_a_fixed_one_asks_the_register", "[jit]") {
    Twins twins;
    Assembly main(kRam), one(kCode), two(kOther);
    const u64 loop = main.here(), pair = loop + 24;
    main.li(t1, kOther + pair % kFrameBytes);  // the pair's low part leads to the page's start
    main.imm(Op::ANDI, t0, s5, 3);
    main.branch(Op::BEQ, t0, zero, pair + 4);
    REQUIRE(main.here() == pair);
    main.far(ra, t1, kCode);
    go_round(main, loop, 8);
    main.jal(zero, loop);
    for (Assembly* const code : {&one, &two}) {
        const u8 counter = code == &one ? a0 : a1;
        code->word(addi(counter, counter, 1));
        code->ret();
    }
    twins.put(main, one, two);
    twins.run_times(300, 41);
    CHECK(twins.x(a0) > 200);
    CHECK(twins.x(a1) > 100);
}

TEST_CASE("jit_a_loop_over_the_end_of_a_page_stays_in_its_unit", "[jit]") {
    Twins twins;
    Assembly main(kRam), loop(kCode + 0xff8);
    main.jal(zero, loop.start() + 8);  // so that the second page is known when the first is translated
    loop.word(addi(a0, a0, 1));
    loop.word(addi(a1, a1, 2));
    loop.word(addi(a2, a2, 3));
    loop.branch(Op::BGE, a1, a0, loop.start());
    twins.put(main, loop);
    twins.run_times(300, 41);
    CHECK(twins.x(a0) > 1000);
    CHECK(twins.stats().instructions == 1 + 2 + 4);  // the jump, the loop's second half, and all of it
}

TEST_CASE("jit_jumps_whose_places_look_alike_are_both_remembered", "[jit]") {
    // Three functions whose addresses differ in no bit that chooses an entry. Two of them take turns, of
    // which one is changed now and then; the third comes in at times.
    Twins twins;
    constexpr u64 kApart = 0x2000;
    Assembly main(kRam), first(kCode), second(kCode + kApart), third(kCode + 2 * kApart);
    main.li(s2, kCode);
    main.li(s3, kCode + kApart);
    main.li(s4, kCode + 2 * kApart);
    main.li(s6, addi(a0, a0, 1));
    const u64 loop = main.here();
    main.imm(Op::JALR, ra, s2, 0);
    main.imm(Op::JALR, ra, s3, 1);  // the lowest bit is cleared
    go_round(main, loop, 64);
    main.imm(Op::JALR, ra, s4, 0);
    main.store(Op::SW, s6, 0, s2);
    main.jal(zero, loop);
    for (const auto& [function, sum] : {std::pair{&first, a0}, {&second, a1}, {&third, a2}}) {
        function->word(addi(sum, sum, 1));
        function->ret();
    }
    twins.put(main, first, second, third);
    twins.run_times(400, 97);
    CHECK(twins.x(a0) > 1000);
    CHECK(twins.x(a2) > 15);
    CHECK(twins.stats().dropped > 10);
    CHECK(twins.stats().jump_inserts < twins.x(a0) / 4);
}
