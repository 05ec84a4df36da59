// Expectations: their grammar, its complaints, and what they find.
#include "frontend/test/expectation.hpp"
#include "programs.hpp"

using namespace hartline;
using namespace hartline::test;

namespace {
using Of = Expectations::Of;

std::string complaint(const std::string& text, Of of = Of::ManyTests) {
    return complaint_of([&] { (void)Expectations::parse("x.expect", text, of); });
}

std::vector<std::string> texts(const std::vector<Check>& checks) {
    std::vector<std::string> all;
    for (const Check& check : checks) all.push_back(check.text);
    return all;
}

// x10 = 5, then wfi with nothing that could wake it.
struct Ended {
    Folder folder;
    Capture console;
    RunConfig config;
    std::unique_ptr<Board> board;
    Trial trial;

    Ended() {
        config =
            exact(folder.file("elf", elf_of(code({addi(a0, zero, 5), addi(a1, zero, -1u), kWfi, kHere}))));
        board = std::make_unique<Board>(config, console);
        trial = run_trial(*board, config, 10);
    }
    std::string about(const std::string& text) {
        const auto checks = Expectations::parse("x.expect", "expect " + text, Of::OneTest).checks_of("x");
        return complaint_about(checks.at(0), trial, board->machine());
    }
};
}  // namespace

TEST_CASE("expectations_are_read_line_by_line", "[frontend][suite]") {
    const auto all = Expectations::parse("x.expect",
                                         "# for all\n"
                                         "expect exit=0, insns = 12  # twelve\n"
                                         "\n"
                                         "test a-*\n"
                                         "\texpect x10=-1,hart1.csr.mcause=0x8000000000000007\r\n"
                                         "test b\n"
                                         "expect hash=0123456789abcdef",
                                         Of::ManyTests);
    CHECK(texts(all.checks_of("c")) == std::vector<std::string>{"exit=0", "insns=12"});
    CHECK(texts(all.checks_of("b")) ==
          std::vector<std::string>{"exit=0", "insns=12", "hash=0123456789abcdef"});
    const auto checks = all.checks_of("a-1");
    REQUIRE(checks.size() == 4);
    CHECK(checks[1].value == 12);
    CHECK(checks[2].value == ~u64{0});
    CHECK(checks[2].where == "x.expect:5");
    CHECK(checks[3].hart == 1);
    CHECK(checks[3].reg == "csr.mcause");
    CHECK(checks[3].value == u64{0x8000'0000'0000'0007});
    CHECK(all.checks_of("b").back().value == u64{0x0123'4567'89ab'cdef});
    CHECK(all.unused_patterns({"a-1"}) == std::vector<std::string>{"x.expect:6: 'b'"});
}

TEST_CASE("a_bad_expectation_names_its_line_and_the_way_out", "[frontend][suite]") {
    CHECK(complaint("expect exit=0\nexpects x10=1")
              .find("x.expect:2: 'expects' is unknown: lines begin with") == 0);
    CHECK(complaint("expect").find("x.expect:1: expects nothing") == 0);
    CHECK(complaint("expect exit=0,").find("x.expect:1: expects nothing") == 0);
    CHECK(complaint("expect exit").find("x.expect:1: 'exit' is no KEY=VALUE") == 0);
    CHECK(complaint("expect exit=maybe").find("x.expect:1: 'maybe' is no way to exit: write a code") == 0);
    CHECK(complaint("expect x32=1").find("x.expect:1: 'x32' is unknown") == 0);
    CHECK(complaint("expect x01=1").find("x.expect:1: 'x01' is unknown") == 0);
    CHECK(complaint("expect csr.mcausee=1").find("x.expect:1: 'csr.mcausee' is unknown") == 0);
    CHECK(complaint("expect csr.=1").find("x.expect:1: 'csr.' is unknown") == 0);
    CHECK(complaint("expect x1=").find("x.expect:1: '' is no number for x1") == 0);
    CHECK(complaint("expect x1=0x10000000000000000").find("x.expect:1: '0x10000000000000000' is no number") ==
          0);
    CHECK(complaint("expect hash=xyz").find("x.expect:1: 'xyz' is no hash") == 0);
    CHECK(complaint("expect hart64.pc=0").find("x.expect:1: 'hart64.pc': there is no such hart") == 0);
    CHECK(complaint("test a", Of::OneTest).find("x.expect:1: 'test' in a file beside its program") == 0);
    CHECK(complaint("test").find("x.expect:1: 'test' names none") == 0);
    CHECK(complaint("").empty());
}

TEST_CASE("what_a_machine_ended_as_is_compared", "[frontend][suite]") {
    Ended ended;
    CHECK(ended.trial.ending == Ending{Ending::How::Stuck});
    CHECK(ended.about("exit=stuck").empty());
    CHECK(ended.about("exit=0") ==
          "expected exit=0, got stuck: every hart waits, and nothing can wake it (x.expect:1)");
    CHECK(ended.about("x10=5").empty());
    CHECK(ended.about("x11=-1").empty());
    CHECK(ended.about("x10=6") == "expected x10=6, got 0x5 (x.expect:1)");
    CHECK(ended.about("x0=0").empty());
    CHECK(ended.about("f3=0").empty());
    CHECK(ended.about("pc=0x8000000c").empty());
    CHECK(ended.about("csr.mcause=0").empty());
    CHECK(ended.about("csr.mscratch=1") == "expected csr.mscratch=1, got 0x0 (x.expect:1)");
    CHECK(ended.about("csr.pmpaddr20=0") ==
          "expected csr.pmpaddr20=0, got a hart without csr.pmpaddr20 (x.expect:1)");
    CHECK(ended.about("hart1.x10=5") == "expected hart1.x10=5, got a machine of 1 harts (x.expect:1)");
    CHECK(ended.about("insns=" + std::to_string(ended.trial.instructions)).empty());
    CHECK(ended.about("insns=1").find("expected insns=1, got ") == 0);
    CHECK(ended.about("hash=0").find("expected hash=0, got ") == 0);
}
