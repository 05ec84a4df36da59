// Lockstep against engines that are wrong on purpose, and the parsers of what others tell.
#include <zlib.h>

#include <map>

#include "cpu/hart.hpp"
#include "cpu/ir_engine.hpp"
#include "frontend/cli/verbs.hpp"
#include "frontend/diff/fields.hpp"
#include "frontend/diff/follow.hpp"
#include "frontend/diff/gdb.hpp"
#include "frontend/diff/report.hpp"
#include "programs.hpp"

using namespace hartline;
using namespace hartline::test;

namespace {
constexpr u64 kRam = 0x8000'0000;

struct Mistake {
    u64 at = ~u64{0};    // when so many have retired
    u64 flip = 0;        // in x10
    u64 heal = ~u64{0};  // x10 is right again then
    u64 memory = 0;      // or: this byte of RAM is flipped instead
    u64 longer = 0;      // only in a run() of more instructions than that
};

// Right but for one moment.
class Wrong final : public IrEngine {
public:
    Wrong(HartPort& port, unsigned number, const HartConfig& config, const Mistake& fault)
        : IrEngine(port, number, config), fault_(fault) {}
    u64 run(u64 budget) override {
        for (const u64 moment : {fault_.at, fault_.heal}) {
            if (retired() >= moment || moment - retired() > budget || budget <= fault_.longer) continue;
            const u64 done = IrEngine::run(moment - retired());
            if (retired() == moment) flip();
            return done;
        }
        return IrEngine::run(budget);
    }

private:
    void flip() {
        if (fault_.memory == 0) {
            cpu().s.x[10] ^= fault_.flip;
            return;
        }
        u8 byte = 0;
        cpu().ram.read(fault_.memory, byte);
        cpu().ram.write(fault_.memory, static_cast<u8>(byte ^ 1));
    }
    const Mistake fault_;
};

struct Pair {
    explicit Pair(const Mistake& fault) : a({.ram_bytes = 1 << 20}), b({.ram_bytes = 1 << 20}) {
        a.add_hart([](HartPort& port, unsigned n) { return make_hart(port, n, {.reset_pc = kRam}); });
        b.add_hart([&](HartPort& port, unsigned n) {
            return std::make_unique<Wrong>(port, n, HartConfig{.reset_pc = kRam}, fault);
        });
        const auto program =
            code({auipc(t0, 1), addi(t1, t1, 1), sd(t1, t0, 8), lbu(t2, t0, 8), beq(zero, zero, -12)});
        for (Machine* machine : {&a, &b}) machine->ram().write(kRam, std::span<const u8>(program));
    }
    Machine a, b;
};

CommitLine commit(const char* text) {
    const ParsedCommit parsed = parse_commit(text);
    INFO(text << ": " << parsed.wrong);
    REQUIRE(parsed.line.has_value());
    return *parsed.line;
}
}  // namespace

TEST_CASE("lockstep_finds_the_exact_instruction", "[frontend][diff]") {
    for (const u64 at :
         {u64{1}, u64{2}, u64{999}, u64{65'536}, u64{70'001}, u64{1'000'000}, u64{2'345'678}}) {
        Pair pair(Mistake{.at = at, .flip = 4});
        Lockstep lockstep(pair.a, pair.b, {.every = 500'000, .keep = 2, .most = 3'000'000});
        REQUIRE(lockstep.run());
        CHECK(lockstep.snapshot_tick() == at - 1);
        const std::string report = describe_difference(lockstep, "right", "wrong");
        CHECK(report.find("hart.hart.x[10] a0: 0 | 4") != std::string::npos);
        CHECK(report.find("tick " + std::to_string(at - 1)) != std::string::npos);
    }
}

TEST_CASE("lockstep_finds_what_differs_in_memory_alone", "[frontend][diff]") {
    Pair pair(Mistake{.at = 123'457, .memory = kRam + 0x8003});
    Lockstep lockstep(pair.a, pair.b, {.most = 2'000'000});
    REQUIRE(lockstep.run());
    CHECK(lockstep.snapshot_tick() == 123'456);
    CHECK(describe_difference(lockstep, "a", "b").find("memory 0x80008000: ") != std::string::npos);
}

TEST_CASE("lockstep_tells_of_engines_that_err_on_longer_ways_only", "[frontend][diff]") {
    Pair pair(Mistake{.at = 70'123, .flip = 4, .longer = 500});
    Lockstep lockstep(pair.a, pair.b, {.every = 50'000, .most = 2'000'000});
    REQUIRE(lockstep.run());
    CHECK(lockstep.snapshot_tick() == 50'000);
    CHECK(lockstep.differs_at() >= 70'123);
    const std::string report = describe_difference(lockstep, "right", "wrong");
    CHECK(report.find("equal at tick 50000, not at " + std::to_string(lockstep.differs_at())) !=
          std::string::npos);
    CHECK(report.find("hart.hart.x[10] a0: 0 | 4") != std::string::npos);
}

TEST_CASE("lockstep_of_equal_engines_ends_where_it_should", "[frontend][diff]") {
    Pair pair(Mistake{});
    Lockstep lockstep(pair.a, pair.b, {.most = 300'001});
    CHECK_FALSE(lockstep.run());
    CHECK(pair.a.tick() == 300'001);
    CHECK(pair.a.hash() == pair.b.hash());
    CHECK(differing_fields(pair.a, pair.b).empty());
}

TEST_CASE("commit_lines_parse", "[frontend][diff]") {
    const CommitLine line = commit(
        "core   0: 3 0x0000000080000184 (0x00305073) c1_fflags 0x0000000000000000 x5  0x000000000000002a "
        "mem 0x0000000080002008 mem 0x0000000080002008 0x00000004 f10 0x4004000000000000");
    CHECK(line.hart == 0);
    CHECK(line.privilege == 3);
    CHECK(line.pc == 0x8000'0184);
    CHECK(line.bits == 0x0030'5073);
    using Register = CommitLine::Register;
    CHECK(line.registers == std::vector<Register>{{Register::Kind::Csr, 1, 0},
                                                  {Register::Kind::X, 5, 42},
                                                  {Register::Kind::F, 10, 0x4004'0000'0000'0000}});
    CHECK(line.memory == std::vector<CommitLine::Memory>{{0x8000'2008, {}, 0}, {0x8000'2008, 4, 4}});
    CHECK(commit("core  12: 0 0x1000 (0x4501)").hart == 12);
}

TEST_CASE("broken_commit_lines_are_told", "[frontend][diff]") {
    for (const char* other : {"", "core", "core   0: exception trap_user_ecall, epc 0x1", ">>>>  _start",
                              "core   0: 0x0000000080000000 (0x0500006f) j pc + 0x50"}) {
        const ParsedCommit parsed = parse_commit(other);
        INFO(other);
        CHECK((!parsed.line && parsed.wrong.empty()));
    }
    for (const char* broken :
         {"core   0: 3", "core   0: 3 80000000 (0x13)", "core   0: 3 0x80000000", "core   0: 7 0x0 (0x13)",
          "core   0: 3 0x80000000 0x13", "core   0: 3 0x0 (0x100000013)", "core   0: 3 0x0 (0x13) x32 0x0",
          "core   0: 3 0x0 (0x13) x5", "core   0: 3 0x0 (0x13) x5 12", "core   0: 3 0x0 (0x13) q5 0x1",
          "core   0: 3 0x0 (0x13) mem", "core   0: 3 0x0 (0x13) mem 0x1 0xg",
          "core   0: 3 0x0 (0x13) c4096_x 0x0", "core   0: 3 0x0 (0x13) x5 0x12345678901234567"}) {
        INFO(broken);
        CHECK_FALSE(parse_commit(broken).wrong.empty());
    }
}

TEST_CASE("a_commit_log_is_followed_to_the_first_difference", "[frontend][diff]") {
    const Folder folder;
    const std::string elf = folder.file("elf", elf_of(code({addi(a0, zero, 5), sw(a0, a0, 0x7b), kHere})));
    const std::string good =
        "core   0: 3 0x0000000000001000 (0x00000297) x5 0x0000000000001000\n"
        "core   0: 3 0x0000000080000000 (0x00500513) x10 0x0000000000000005\n";
    const auto follow_text = [&](const std::string& text) {
        const std::vector<std::string> arguments{elf, "--memory", "16M", "--commit-log",
                                                 folder.file("log", text)};
        return verb_diff(arguments);
    };
    CHECK(follow_text(good) == 0);
    CHECK(follow_text("core   0: 3 0x0000000080000000 (0x00500513) x10 0x0000000000000006\n") == 1);
    CHECK(follow_text("core   0: 3 0x0000000080000000 (0x00500513)\n") == 1);
    CHECK(follow_text("core   0: 3 0x0000000080000004 (0x00500513) x10 0x0000000000000005\n") == 1);
    CHECK(follow_text("core   0: 3 0x0000000080000000 (0x00600513) x10 0x0000000000000005\n") == 1);
    CHECK(follow_text("core   0: 0 0x0000000080000000 (0x00500513) x10 0x0000000000000005\n") == 1);
    CHECK(complaint_of([&] { follow_text(good + "core   0: 3 0x8000\n"); }).find("log:3: ") !=
          std::string::npos);
    CHECK_FALSE(complaint_of([&] { follow_text("nothing\n"); }).empty());
    const gzFile gz = gzopen(folder.at("log.gz").c_str(), "wb");
    gzwrite(gz, good.data(), static_cast<unsigned>(good.size()));
    gzclose(gz);
    CHECK(verb_diff(std::vector<std::string>{elf, "--commit-log", folder.at("log.gz")}) == 0);
    CHECK_FALSE(complaint_of([&] {
                    verb_diff(std::vector<std::string>{elf, "--commit-log", folder.at("none")});
                }).empty());
}

TEST_CASE("gdb_packets", "[frontend][diff]") {
    using gdb::Unframed;
    const auto kind = [](std::string_view bytes) { return gdb::unframe(bytes).kind; };
    CHECK(gdb::frame("g") == "$g#67");
    const Unframed found = gdb::unframe("++$g#67$more");
    CHECK(found.kind == Unframed::Kind::Packet);
    CHECK(found.payload == "g");
    CHECK(found.used == 7);
    CHECK(gdb::unframe(gdb::frame("0* ")).payload == "0000");
    CHECK(gdb::unframe(gdb::frame("a}\x03")).payload == "a#");
    for (const char* part : {"", "+", "$", "$g", "$g#", "$g#6"})
        CHECK(kind(part) == Unframed::Kind::Incomplete);
    for (const char* broken : {"x", "-$g#67", "$g#68", "$g#zz"})
        CHECK(kind(broken) == Unframed::Kind::Broken);
    CHECK(kind(gdb::frame("}")) == Unframed::Kind::Broken);
    CHECK(kind(gdb::frame("*a")) == Unframed::Kind::Broken);
    CHECK(kind("$" + std::string(2 << 20, 'a')) == Unframed::Kind::Broken);
    CHECK(gdb::register_values("0100000000000080ff00000000000000", 8) ==
          std::vector<u64>{0x8000'0000'0000'0001, 0xff});
    for (const char* wrong : {"01", "010000000000008g", "E01", "xxxxxxxxxxxxxxxx"})
        CHECK(gdb::register_values(wrong, 8).empty());
}

TEST_CASE("gdb_target_descriptions", "[frontend][diff]") {
    std::map<std::string, unsigned> registers;
    unsigned next = 0;
    gdb::add_registers(
        "<feature><reg name=\"zero\" bitsize=\"64\"/><reg name=\"ft0\" regnum=\"33\"/><reg name=\"ft1\"/>",
        registers, next);
    CHECK(registers == std::map<std::string, unsigned>{{"zero", 0}, {"ft0", 33}, {"ft1", 34}});
    CHECK(gdb::includes("<target><xi:include href=\"a.xml\"/><xi:include href=\"b.xml\"/>") ==
          std::vector<std::string>{"a.xml", "b.xml"});
    gdb::add_registers("<reg ", registers, next);  // cut off: no crash
}
