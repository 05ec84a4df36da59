// The commit log against lines that Spike wrote for the same program.
#include <algorithm>
#include <catch2/catch.hpp>

#include "cpu/commit_log.hpp"
#include "watched.hpp"

using namespace hartline;

namespace {
struct Text final : ByteSink {
    void write(std::span<const u8> bytes) override { text.append(bytes.begin(), bytes.end()); }
    std::string text;
};

std::string log_of(const std::vector<u32>& program, u64 instructions, const CommitFilter& filter = {}) {
    Text sink;
    CommitLog log(sink, filter);
    Watched watched(program, &log, 0);  // U-mode may go everywhere
    watched.machine.run(instructions);
    log.flush();
    return sink.text;
}
std::size_t lines(const std::string& text) {
    return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

// Loads, stores, atomics, CSRs and their views, floating point with flags, a cache block, and a way to
// U-mode.
const std::vector<u32> kProgram = {0x00001297, 0xb0235379, 0xd3830062, 0x441d0012, 0xa52f84a2, 0xb5af0082,
                                   0xb62f1002, 0xb62f1882, 0xb5af1882, 0x107328a2, 0xd6f33403, 0x67093401,
                                   0x30072073, 0xd00470d3, 0x1810f153, 0xd00071d3, 0x1830f1d3, 0xa021a7d3,
                                   0x0022a427, 0x0002b207, 0x003fd073, 0x10415073, 0x22200813, 0x30381073,
                                   0x10415073, 0x10016073, 0x34002073, 0x00140013, 0x0042a00f, 0x00000897,
                                   0x907308c1, 0x00733418, 0x00013020, 0x0013a001};

constexpr std::string_view kSpikeBefore =
    R"(core   0: 3 0x0000000080000000 (0x00001297) x5  0x0000000080001000
core   0: 3 0x0000000080000004 (0x5379) x6  0xfffffffffffffffe
core   0: 3 0x0000000080000006 (0x0062b023) mem 0x0000000080001000 0xfffffffffffffffe
core   0: 3 0x000000008000000a (0x0012d383) x7  0x000000000000ffff mem 0x0000000080001001
core   0: 3 0x000000008000000e (0x441d) x8  0x0000000000000007
core   0: 3 0x0000000080000010 (0x84a2) x9  0x0000000000000007
core   0: 3 0x0000000080000012 (0x0082a52f) x10 0xfffffffffffffffe mem 0x0000000080001000 mem 0x0000000080001000 0x00000005
core   0: 3 0x0000000080000016 (0x1002b5af) x11 0xffffffff00000005 mem 0x0000000080001000
core   0: 3 0x000000008000001a (0x1882b62f) x12 0x0000000000000000 mem 0x0000000080001000 0x0000000000000007
core   0: 3 0x000000008000001e (0x1882b62f) x12 0x0000000000000001
core   0: 3 0x0000000080000022 (0x28a2b5af) x11 0x0000000000000007 mem 0x0000000080001000
core   0: 3 0x0000000080000026 (0x34031073) c832_mscratch 0xfffffffffffffffe
core   0: 3 0x000000008000002a (0x3401d6f3) x13 0xfffffffffffffffe c832_mscratch 0x0000000000000003
core   0: 3 0x000000008000002e (0x6709) x14 0x0000000000002000
core   0: 3 0x0000000080000030 (0x30072073) c768_mstatus 0x0000000a00002000
core   0: 3 0x0000000080000034 (0xd00470d3) f1  0xffffffff40e00000 c768_mstatus 0x8000000a00006000
core   0: 3 0x0000000080000038 (0x1810f153) f2  0xffffffff3f800000
core   0: 3 0x000000008000003c (0xd00071d3) f3  0xffffffff00000000
core   0: 3 0x0000000080000040 (0x1830f1d3) c1_fflags 0x0000000000000008 f3  0xffffffff7f800000
core   0: 3 0x0000000080000044 (0xa021a7d3) x15 0x0000000000000000
core   0: 3 0x0000000080000048 (0x0022a427) mem 0x0000000080001008 0x3f800000
core   0: 3 0x000000008000004c (0x0002b207) f4  0x0000000000000007 mem 0x0000000080001000
core   0: 3 0x0000000080000050 (0x003fd073) c1_fflags 0x000000000000001f c2_frm 0x0000000000000000
core   0: 3 0x0000000080000054 (0x10415073) c260_sie 0x0000000000000000 c772_mie 0x0000000000000000
core   0: 3 0x0000000080000058 (0x22200813) x16 0x0000000000000222
core   0: 3 0x000000008000005c (0x30381073) c771_mideleg 0x0000000000000222
core   0: 3 0x0000000080000060 (0x10415073) c260_sie 0x0000000000000002 c772_mie 0x0000000000000002
core   0: 3 0x0000000080000064 (0x10016073) c768_mstatus 0x8000000a00006002
core   0: 3 0x0000000080000068 (0x34002073)
core   0: 3 0x000000008000006c (0x00140013)
)";
constexpr std::string_view kSpikeBlock =
    "core   0: 3 0x0000000080000070 (0x0042a00f) mem 0x0000000080001000 0x00 mem 0x0000000080001001 0x00";
constexpr std::string_view kSpikeAfter =
    R"(core   0: 3 0x0000000080000074 (0x00000897) x17 0x0000000080000074
core   0: 3 0x0000000080000078 (0x08c1) x17 0x0000000080000084
core   0: 3 0x000000008000007a (0x34189073) c833_mepc 0x0000000080000084
core   0: 3 0x000000008000007e (0x30200073) c768_mstatus 0x8000000a00006082
)";
}  // namespace

TEST_CASE("commit log: what Spike logs for this program, byte for byte") {
    const std::string log = log_of(kProgram, 35);
    CHECK(log.substr(0, kSpikeBefore.size()) == kSpikeBefore);
    const std::string rest = log.substr(kSpikeBefore.size());
    const std::string block = rest.substr(0, rest.find('\n') + 1);
    CHECK(block.substr(0, kSpikeBlock.size()) == kSpikeBlock);
    CHECK(block.size() ==
          kSpikeBlock.size() + 62 * std::string_view(" mem 0x0000000080001000 0x00").size() + 1);
    CHECK(rest.substr(block.size()) == kSpikeAfter);
}

TEST_CASE("commit log: a trap writes no line, and stores that fail none either") {
    // ld x1, 0(x0): an access fault, to mtvec = 0, where every fetch faults
    CHECK(log_of({0x00003083}, 10).empty());
    // lui x1, 0x80000; jr x1
    CHECK(lines(log_of({0x800000b7, 0x00008067}, 2)) == 2);
}

TEST_CASE("commit log: filters choose by address, mode and number") {
    CHECK(lines(log_of(kProgram, 40)) == 40);
    CHECK(lines(log_of(kProgram, 40, {.privileges = 0b0001})) == 5);
    CHECK(lines(log_of(kProgram, 40, {.privileges = 0b1010})) == 35);
    CHECK(lines(log_of(kProgram, 40, {.window = {10, 13}})) == 3);
    CHECK(log_of(kProgram, 40, {.window = {11, 12}}).find("c832_mscratch") != std::string::npos);
    CHECK(lines(log_of(
              kProgram, 40,
              {.addresses = {{kProgramAt, kProgramAt + 6}, {kProgramAt + 0x10, kProgramAt + 0x12}}})) == 3);
}

TEST_CASE("commit log: hart numbers and pairs of registers as Spike pads them") {
    Text sink;
    CommitLog log(sink, {});
    Commit commit;
    commit.hart = 12;
    commit.pc = 0x8000'0000;
    commit.bits = 0x2862'c12f;  // amocas.q x2, x6, (x5)
    commit.registers.add({2, false, 1});
    commit.registers.add({3, false, 2});
    commit.memory.add({0x8000'1000, 1, 2, 16, false});
    commit.memory.add({0x8000'1000, 3, 4, 16, true});
    log.committed(commit);
    log.flush();
    CHECK(sink.text ==
          "core  12: 3 0x0000000080000000 (0x2862c12f) x2  0x0000000000000001 x3  0x0000000000000002"
          " mem 0x0000000080001000 mem 0x0000000080001000 0x0000000000000003"
          " mem 0x0000000080001008 0x0000000000000004\n");
}
