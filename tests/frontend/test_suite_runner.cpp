// Running many tests: how each ends, that none loses another, signatures, and what is told.
#include <nlohmann/json.hpp>

#include "frontend/cli/options.hpp"
#include "frontend/session/snapshot.hpp"
#include "frontend/test/reference.hpp"
#include "frontend/test/report.hpp"
#include "programs.hpp"

using namespace hartline;
using namespace hartline::test;

namespace {
TestPlan plan_for_tests() {
    TestPlan plan;
    plan.config.memory = u64{16} << 20;
    plan.config.deterministic = plan.config.quiet = true;
    plan.timeout = 30;
    return plan;
}

Test test_of(const Folder& folder, const std::string& name, const std::vector<u8>& elf,
             const std::string& expect = "") {
    return {{name, "group", folder.file(name, elf)},
            Expectations::parse(name + ".expect", expect, Expectations::Of::OneTest).checks_of(name)};
}

// Writes `text` to the UART and fails with exit code 1.
std::vector<u8> talking_program(const std::string& text) {
    std::vector<u8> program = code({lui(t0, 0x10000)});
    for (const char c : text) {
        append(program, addi(t1, zero, static_cast<u8>(c)));
        append(program, sb(t1, t0, 0));
    }
    const auto end = finish_program(1u << 16 | 0x3333);
    program.insert(program.end(), end.begin(), end.end());
    return program;
}

Verdict verdict_of(const Test& test, const TestPlan& plan = plan_for_tests()) {
    return run_test(test, plan).verdict;
}
}  // namespace

TEST_CASE("suite_verdicts_tell_how_each_test_ended", "[frontend][suite]") {
    const Folder folder;
    CHECK(verdict_of(test_of(folder, "pass", elf_of(finish_program(0x5555)))) == Verdict::Passed);
    CHECK(verdict_of(test_of(folder, "stuck", elf_of(wait_program()))) == Verdict::Stuck);
    const TestResult code =
        run_test(test_of(folder, "code", elf_of(finish_program(7u << 16 | 0x3333))), plan_for_tests());
    CHECK(code.verdict == Verdict::Exit);
    CHECK(code.reasons == std::vector<std::string>{"exit code 7"});
    const TestResult htif = run_test(test_of(folder, "htif", make_elf(htif_program(9))), plan_for_tests());
    CHECK(htif.reasons == std::vector<std::string>{"test 9 failed (exit code 9)"});
    const TestResult trap = run_test(test_of(folder, "trap", make_elf(htif_program(669))), plan_for_tests());
    CHECK(trap.reasons == std::vector<std::string>{"a trap that no test provoked (exit code 669)"});
}

TEST_CASE("suite_limits_hold_for_each_test", "[frontend][suite]") {
    const Folder folder;
    const Test spin = test_of(folder, "spin", elf_of(spin_program()));
    TestPlan plan = plan_for_tests();
    plan.timeout = 0.05;
    CHECK(verdict_of(spin, plan) == Verdict::Timeout);
    plan.timeout = 30;
    plan.config.max_instructions = 1'500'000;
    const TestResult limit = run_test(spin, plan);
    CHECK(limit.verdict == Verdict::Limit);
    CHECK(limit.trial.instructions == 1'500'000);
    plan.config.max_instructions = 100'000;  // of thousands of lives
    const Test resets = test_of(folder, "resets", elf_of(finish_program(0x7777)));
    CHECK(verdict_of(resets, plan) == Verdict::Limit);
}

TEST_CASE("suite_expected_ends_pass", "[frontend][suite]") {
    const Folder folder;
    const auto failing = finish_program(7u << 16 | 0x3333);
    CHECK(verdict_of(test_of(folder, "a", elf_of(failing), "expect exit=7")) == Verdict::Passed);
    CHECK(verdict_of(test_of(folder, "b", elf_of(failing), "expect exit=8")) == Verdict::Exit);
    CHECK(verdict_of(test_of(folder, "c", elf_of(wait_program()), "expect exit=stuck")) == Verdict::Passed);
    CHECK(verdict_of(test_of(folder, "d", elf_of(finish_program(0x5555)), "expect x5=1")) ==
          Verdict::Expectation);
    CHECK(verdict_of(test_of(folder, "e", elf_of(finish_program(0x5555)), "expect x5=0x100000")) ==
          Verdict::Passed);
}

TEST_CASE("a_broken_test_loses_no_other", "[frontend][suite]") {
    const Folder folder;
    std::vector<u8> cut = elf_of(finish_program(0x5555));
    cut.resize(70);
    std::vector<Test> tests;
    for (int i = 0; i < 12; ++i) {
        const std::string name = "t" + std::to_string(i);
        tests.push_back(i % 4 == 1 ? test_of(folder, name, cut)
                                   : test_of(folder, name, elf_of(finish_program(0x5555))));
    }
    tests.push_back({{"gone", "group", folder.at("gone")}, {}});
    TestPlan plan = plan_for_tests();
    plan.jobs = 4;
    std::size_t calls = 0, last_failed = 0;
    const auto results =
        run_tests(tests, plan, [&](std::size_t done, std::size_t failed, const std::string&) {
            CHECK(done == ++calls);
            last_failed = failed;
        });
    REQUIRE(results.size() == tests.size());
    CHECK(calls == tests.size());
    CHECK(last_failed == 4);
    for (int i = 0; i < 12; ++i)
        CHECK(results[static_cast<std::size_t>(i)].verdict ==
              (i % 4 == 1 ? Verdict::Error : Verdict::Passed));
    CHECK(results[1].reasons.at(0).find("truncated or damaged ELF") != std::string::npos);
    CHECK(results[12].reasons.at(0).find("check the name") != std::string::npos);
}

TEST_CASE("suite_signatures_are_compared_with_a_folder", "[frontend][suite]") {
    const Folder folder;
    const Test test = test_of(folder, "t", make_elf(htif_program(0)));
    TestPlan plan = plan_for_tests();
    plan.reference = folder.at("");
    CHECK(run_test(test, plan).reasons.at(0).find("has no t.signature and no t.reference_output") !=
          std::string::npos);
    plan.config.signature = folder.at("t.reference_output");
    CHECK(verdict_of({test.file, {}}) == Verdict::Passed);
    CHECK(verdict_of(test, plan) == Verdict::Passed);  // written, then found
    plan.config.signature.clear();
    const std::string good = read_text(folder.at("t.reference_output"));
    REQUIRE(good.size() == 18);
    CHECK(compare_signature("00000297\nDEADBEEF\n", folder.file("r", std::string("00000297 deadbeef\n")))
              .empty());
    folder.file("t.reference_output", good.substr(0, 9) + "00000000\n");
    const TestResult wrong = run_test(test, plan);
    CHECK(wrong.verdict == Verdict::Signature);
    CHECK(wrong.reasons.at(0).find("differs in 1 of 2 lines, first in line 2: ") != std::string::npos);
    folder.file("t.reference_output", good.substr(0, 9));
    CHECK(run_test(test, plan).reasons.at(0).find("has 2 lines, the reference 1") != std::string::npos);
    folder.file("t.reference_output", std::string("0000000000000297\n"));
    CHECK(run_test(test, plan).reasons.at(0).find("give --signature-granularity 8") != std::string::npos);
    folder.file("t.reference_output", std::string());
    CHECK(verdict_of(test, plan) == Verdict::Error);
    const Test without = test_of(folder, "u", elf_of(finish_program(0x5555)));
    CHECK(run_test(without, plan).reasons.at(0).find("no symbols begin_signature") != std::string::npos);
}

TEST_CASE("engines_that_agree_pass_and_are_chosen_by_name", "[frontend][suite]") {
    const Folder folder;
    TestPlan plan = plan_for_tests();
    plan.engines = {EngineKind::Interpreter, EngineKind::Interpreter};
    CHECK(verdict_of(test_of(folder, "pass", elf_of(finish_program(0x5555))), plan) == Verdict::Passed);
    const TestResult fails = run_test(test_of(folder, "f", elf_of(finish_program(7u << 16 | 0x3333))), plan);
    CHECK(fails.reasons == std::vector<std::string>{"interpreter: exit code 7", "interpreter: exit code 7"});
    CHECK(engine_of("interpreter") == std::vector<EngineKind>{EngineKind::Interpreter});
    CHECK(complaint_of([] { (void)engine_of("turbo"); }) ==
          "--engine: 'turbo' is no engine: choose interpreter, jit or ir");
    if (lacks_translator({})) return;
    CHECK(engine_of("both") == std::vector<EngineKind>{EngineKind::Interpreter, EngineKind::Jit});
    CHECK(engine_of("all").size() == 3);
}

TEST_CASE("suite_console_output_is_bounded_and_shown_on_failure", "[frontend][suite]") {
    Capture capture;
    const std::string much(100'000, 'a');
    capture.write(std::span(reinterpret_cast<const u8*>(much.data()), much.size()));
    capture.write(std::span(reinterpret_cast<const u8*>("end"), 3));
    CHECK(capture.text().size() == Capture::kMost);
    CHECK(capture.text().ends_with("aaend"));
    CHECK(capture.lost() == 100'003 - Capture::kMost);

    const Folder folder;
    const std::vector<Test> tests{test_of(folder, "talks", elf_of(talking_program("a<\x1b\xff&\nb\n"))),
                                  test_of(folder, "passes", elf_of(finish_program(0x5555)))};
    const TestPlan plan = plan_for_tests();
    const auto results = run_tests(tests, plan, [](std::size_t, std::size_t, const std::string&) {});
    const Report report{tests, results, plan, 1.5};
    const std::string table = summary_text(report);
    CHECK(table.find("\ngroup      2         1         1 ") != std::string::npos);
    CHECK(table.find("1 of 2 passed, 1 failed: 1.50 s with 1 jobs\n") != std::string::npos);
    CHECK(table.find("  talks  failed\n") != std::string::npos);
    CHECK(table.find("      | a<?\xff&\n      | b\n") != std::string::npos);
    const std::string xml = junit_xml(report);
    CHECK(xml.find("<testsuite name=\"group\" tests=\"2\" failures=\"1\" errors=\"0\"") != std::string::npos);
    CHECK(xml.find("<failure type=\"failed\" message=\"exit code 1\"/>") != std::string::npos);
    CHECK(xml.find("<system-out>a&lt;??&amp;&#10;b&#10;</system-out>") != std::string::npos);
    const auto json = nlohmann::json::parse(json_text(report));
    CHECK(json["summary"]["failed"] == 1);
    CHECK(json["tests"][0]["verdict"] == "failed");
    CHECK(json["tests"][0]["exit"] == 1);
    CHECK(json["tests"][1]["hash"].get<std::string>().size() == 16);
    CHECK_FALSE(json["tests"][1].contains("console"));
}

TEST_CASE("a_reproducer_is_a_test_and_passes_when_the_engines_agree", "[frontend][suite]") {
    const Folder folder;
    RunConfig config = plan_for_tests().config;
    config.image = test_of(folder, "program", elf_of(finish_program(0x5555))).file.path;
    config.deterministic = true;
    Capture console;
    Board board(config, console);
    board.machine().run(3);
    Snapshot snapshot;
    snapshot.machine = board.summary();
    snapshot.state = board.machine().save();
    write_snapshot(folder.at("state.snapshot"), snapshot);
    const auto conf = [&](const std::string& name, const std::string& text) {
        const std::string path =
            folder.file(name, std::span(reinterpret_cast<const u8*>(text.data()), text.size()));
        return run_test({{name, "group", path}, {}}, plan_for_tests());
    };
    CHECK(conf("run.conf", config_text(config) + "load = " + folder.at("state.snapshot") + "\n")
              .reasons.empty());
    CHECK(conf("other.conf", config_text(config)).verdict == Verdict::Error);
    config.harts = 2;
    CHECK(
        conf("foreign.conf", config_text(config) + "load = " + folder.at("state.snapshot") + "\n").verdict ==
        Verdict::Error);
}
