// Counters against a model that counts each instruction as it retires.
#include <catch2/catch.hpp>

#include <algorithm>
#include <random>

#include "tests/cpu/fake_cpu.hpp"

using namespace hartline;

namespace {
constexpr unsigned kMcycle = 0xb00, kMinstret = 0xb02, kInhibit = 0x320, kMip = 0x344;
constexpr u64 kLcofip = 1 << 13, kOf = u64{1} << 63, kMinh = u64{1} << 62, kSinh = u64{1} << 61,
              kUinh = u64{1} << 60;
unsigned counter(unsigned i) { return kMcycle + i; }
unsigned event(unsigned i) { return 0x320 + i; }

struct Model {
    u64 value[32]{}, select[32]{}, inhibit = 0;
    bool pending = false;
    // One instruction retires in `mode`.
    void retire(Privilege mode) {
        for (unsigned i = 0; i < 32; ++i) {
            if (i == 1 || (inhibit >> i & 1)) continue;
            if (i >= 3) {
                if (select[i] << 8 >> 8 == 0) continue;
                if (mode == Privilege::Machine && (select[i] & kMinh)) continue;
                if (mode == Privilege::Supervisor && (select[i] & kSinh)) continue;
                if (mode == Privilege::User && (select[i] & kUinh)) continue;
            }
            if (++value[i] != 0 || i < 3 || (select[i] & kOf)) continue;
            select[i] |= kOf;
            pending = true;
        }
    }
};
}  // namespace

TEST_CASE("counters_equal_a_model_that_counts_each_instruction") {
    std::mt19937_64 random(4);
    FakeCpu f;
    Model model;
    for (int step = 0; step < 30000; ++step) {
        const unsigned i = static_cast<unsigned>(random() % 32);
        const Privilege mode = f.cpu.s.privilege;
        const bool machine = mode == Privilege::Machine;
        switch (random() % 8) {
            case 0:
                if (!machine || i == 1) break;
                {
                    const u64 value = random() % 3 == 0 ? random() : -(random() % 300);
                    f.write(counter(i), value);
                    model.value[i] = 0;  // not this one's increment
                    model.retire(mode);
                    model.value[i] = value;
                }
                break;
            case 1:
                if (!machine || i < 3) break;
                {
                    const u64 value = (random() & u64{15} << 60) | random() % 4;
                    f.write(event(i), value);
                    model.retire(mode);
                    model.select[i] = value % 4 == 3 ? value - 3 : value;
                }
                break;
            case 2:
                if (!machine || random() % 4 != 0) break;
                {
                    const u64 value = random() & random() & random() & 0xffff'fffd;
                    f.write(kInhibit, value);
                    model.retire(mode);
                    model.inhibit = value;
                }
                break;
            case 3:  // down
                if (!machine) break;
                f.cpu.s.mstatus = f.cpu.s.mstatus & ~mstatus::kMpp;
                if (random() % 2 == 0) f.cpu.s.mstatus |= u64{1} << mstatus::kMppShift;
                f.run(system::mret);
                model.retire(mode);
                break;
            case 4:  // up: a trap retires nothing
                if (!machine) f.run(system::ecall);
                break;
            case 5:
                if (!machine) break;
                f.clear(kMip, kLcofip);
                model.retire(mode);
                model.pending = false;
                break;
            default: {  // a stretch, in slices as an engine would make them
                u64 left = random() % 200;
                for (u64 n = 0; n < left; ++n) model.retire(mode);
                while (left != 0) {
                    const u64 until = instructions_until_overflow(f.cpu.s, f.engine.retired);
                    REQUIRE(until != 0);
                    const u64 slice = std::min(left, until);
                    f.retire(slice);
                    left -= slice;
                    // Exactly there, and not before.
                    if (slice == until) REQUIRE((mip(f.cpu) & kLcofip) != 0);
                }
            }
        }
        CAPTURE(step);
        REQUIRE(((mip(f.cpu) & kLcofip) != 0) == model.pending);
        for (unsigned k = 0; k < 32; ++k) {
            if (k == 1) continue;
            REQUIRE(counters::read(f.cpu, k) == model.value[k]);
            if (k >= 3) REQUIRE(f.cpu.s.event[k] == model.select[k]);
        }
    }
}

TEST_CASE("checklist 32, seen 49: a write to minstret or mcycle replaces that instruction's increment") {
    for (const unsigned number : {kMinstret, kMcycle}) {
        FakeCpu f;
        f.retire(1000);
        f.write(number, 5);
        CHECK(f.read(number) == 5);
        CHECK(f.read(number) == 6);
        f.write(number, ~u64{0});  // riscv-tests, instret_overflow
        CHECK(f.read(number) == ~u64{0});
        CHECK(f.read(number) == 0);
        CHECK((f.read(kMip) & kLcofip) == 0);
    }
}

TEST_CASE("checklist 32: ecall, ebreak and illegal instructions do not count") {
    FakeCpu f;
    f.write(kMinstret, 0);
    f.run(system::ecall);
    f.run(system::ebreak);
    f.can_read(0x7a8);
    CHECK(f.read(kMinstret) == 0);
}

TEST_CASE(
    "checklist 32: mcountinhibit stops a counter and not the others, after the write itself was counted") {
    FakeCpu f;
    f.write(kMinstret, 0);
    f.write(kMcycle, 0);
    f.write(kInhibit, 1 << 2);  // instret now: 2
    CHECK(f.read(kMinstret) == 2);
    f.retire(10);
    CHECK(f.read(kMinstret) == 2);
    CHECK(f.read(kMcycle) == 13);
    f.write(kInhibit, 0);
    CHECK(f.read(kMinstret) == 2);
    CHECK(f.read(kMinstret) == 3);
    CHECK(f.read(0xc02) == 4);
}

TEST_CASE("checklist 32: overflow sets OF and LCOFIP once, at the instruction that overflowed") {
    FakeCpu f;
    f.write(event(3), 2);
    f.write(counter(3), -u64{3});
    CHECK(instructions_until_overflow(f.cpu.s, f.engine.retired) == 3);
    f.retire(2);
    CHECK((mip(f.cpu) & kLcofip) == 0);
    CHECK(instructions_until_overflow(f.cpu.s, f.engine.retired) == 1);
    f.retire(1);
    CHECK((mip(f.cpu) & kLcofip) != 0);
    CHECK((f.cpu.s.event[3] & kOf) != 0);
    CHECK(counters::read(f.cpu, 3) == 0);
    CHECK(instructions_until_overflow(f.cpu.s, f.engine.retired) == ~u64{0});
    f.clear(kMip, kLcofip);
    f.write(counter(3), ~u64{0});
    f.retire(5);  // OF is still set: silent
    CHECK((mip(f.cpu) & kLcofip) == 0);
    CHECK(counters::read(f.cpu, 3) == 4);
}

TEST_CASE("checklist 32: writes never overflow, and selectors that do not exist count nothing") {
    FakeCpu f;
    f.write(event(4), 1);
    f.write(counter(4), ~u64{0});
    f.write(counter(4), 0);
    CHECK((mip(f.cpu) & kLcofip) == 0);
    f.write(event(4), kOf | 1);
    CHECK((mip(f.cpu) & kLcofip) == 0);
    f.write(event(4), 0x1234);
    CHECK(f.read(event(4)) == 0);
    f.retire(100);
    CHECK(counters::read(f.cpu, 4) == 2);  // the writes to the selector while it was 1
}

TEST_CASE(
    "checklist 32: mode filters count what retires in the other modes; xret retires where it came from") {
    FakeCpu f;
    f.write(event(5), 2 | kMinh);
    f.write(event(6), 2 | kSinh | kUinh);
    f.write(counter(5), 0);
    f.write(counter(6), 0);
    f.run(system::mret);  // to U
    f.retire(10);
    f.run(system::ecall);
    CHECK(f.read(counter(5)) == 10);
    CHECK(f.read(counter(6)) == 2);
}
