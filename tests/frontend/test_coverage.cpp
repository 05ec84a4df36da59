// What is counted as exercised, its file, its reports; and recording of whole runs.
#include "frontend/coverage/coverage_file.hpp"
#include "frontend/coverage/coverage_report.hpp"
#include "frontend/session/session.hpp"
#include "programs.hpp"

#include <fcntl.h>

using namespace hartline;
using namespace hartline::test;

namespace {
constexpr u64 seen(unsigned operand_class) { return u64{1} << operand_class; }
const Coverage::RowCount& of(const Coverage& coverage, Op op) {
    return coverage.rows[static_cast<std::size_t>(op)];
}

Commit commit_of(Op op, const Operands& operands) {
    Commit commit;
    commit.op = op;
    commit.bits = 3;
    commit.operands = operands;
    return commit;
}

u64 run(const RunConfig& config) {
    Console console(Console::Input::None, -1, ::open("/dev/null", O_WRONLY | O_CLOEXEC));
    OutputTap tap(console, config);
    Recorder recorder(config);
    Board board(config, tap, {.observer = recorder.observer()});
    Session session(config, board, console, tap, {});
    session.record_with(recorder);
    session.run();
    recorder.finish();
    return board.machine().hash();
}
}  // namespace

TEST_CASE("coverage_sorts_integer_operands", "[frontend][coverage]") {
    CoverageCounter counter;
    Commit commit = commit_of(Op::ADDI, {.rd = 0, .rs1 = 4, .imm = -2048});
    commit.x = {u64{1} << 63, 0};
    counter.committed(commit);
    commit = commit_of(Op::ADDI, {.rd = 5, .rs1 = 5, .imm = 7});
    commit.x = {~u64{0}, 0};
    counter.committed(commit);
    using C = OperandClass;
    CHECK(of(counter.coverage(), Op::ADDI).count == 2);
    CHECK(of(counter.coverage(), Op::ADDI).classes ==
          (seen(C::RdZero) | seen(C::ImmMin) | seen(C::ImmNegative) | seen(C::RdIsRs1) |
           seen(C::Integer1 + 3) | seen(C::Integer1 + 2)));
}

TEST_CASE("coverage_counts_rows_whose_work_is_to_trap", "[frontend][coverage]") {
    CoverageCounter counter;
    const Commit call = commit_of(Op::ECALL, {}), load = commit_of(Op::LD, {});
    counter.trapped({.cause = 8, .from = Privilege::User, .begun = &call});
    counter.trapped({.cause = 5, .begun = &load});
    counter.trapped({.cause = 1});
    CHECK(of(counter.coverage(), Op::ECALL).count == 1);
    CHECK(of(counter.coverage(), Op::LD).count == 0);
    CHECK(counter.coverage().traps.at("exception 8 U>M") == 1);
}

TEST_CASE("coverage_sorts_floating_point_operands", "[frontend][coverage]") {
    CoverageCounter counter;
    Commit commit = commit_of(Op::FADD_S, {.rd = 1, .rs1 = 2, .rs2 = 3});
    commit.f = {0xffff'ffff'7fa0'0000, 0x3f80'0000, 0};  // a signalling NaN, and a number that is not boxed
    commit.rounding = 2;
    commit.fp_flags = 16;
    counter.committed(commit);
    using C = OperandClass;
    CHECK(of(counter.coverage(), Op::FADD_S).classes ==
          (seen(C::Float1 + 4) | seen(C::Float2 + 5) | seen(C::Rounding + 2) | seen(C::Flags + 4)));
}

TEST_CASE("coverage_has_names_for_all_classes_and_no_two_alike", "[frontend][coverage]") {
    for (unsigned i = 0; i < OperandClass::Count; ++i)
        for (unsigned j = 0; j < i; ++j) CHECK(class_name(i) != class_name(j));
}

TEST_CASE("coverage_files_add_up", "[frontend][coverage]") {
    const Folder folder;
    Coverage coverage;
    coverage.rows[static_cast<std::size_t>(Op::FADD_S)] = {3, seen(OperandClass::Rs1IsRs2)};
    coverage.compressed[2] = 4;
    coverage.traps["exception 2 U>M"] = 1;
    coverage.csrs[0x300] = {1, 2, 0x6000};
    add_coverage(folder.at("c.json"), coverage);
    coverage.rows[static_cast<std::size_t>(Op::FADD_S)].classes = seen(OperandClass::RdIsRs1);
    add_coverage(folder.at("c.json"), coverage);
    const Coverage sum = read_coverage(folder.at("c.json"));
    CHECK(of(sum, Op::FADD_S).count == 6);
    CHECK(of(sum, Op::FADD_S).classes == (seen(OperandClass::RdIsRs1) | seen(OperandClass::Rs1IsRs2)));
    CHECK(sum.compressed[2] == 8);
    CHECK(sum.traps.at("exception 2 U>M") == 2);
    CHECK((sum.csrs.at(0x300).writes == 4 && sum.csrs.at(0x300).changed == 0x6000));
}

TEST_CASE("what_is_no_coverage_file_is_refused", "[frontend][coverage]") {
    for (const char* text : {"", "{", "[]", "{\"hartline_coverage\": \"9\"}",
                             "{\"hartline_coverage\": \"1\", \"rows\": {\"ADD\": 1}, \"compressed\": {}}"})
        CHECK_FALSE(complaint_of([&] { parse_coverage("c.json", text); }).empty());
}

TEST_CASE("reports_name_what_was_never_executed", "[frontend][coverage]") {
    Coverage coverage;
    coverage.rows[static_cast<std::size_t>(Op::SRET)].count = 1;
    coverage.csrs[0x180].reads = 1;
    coverage.traps["exception 8 U>S"] = 1;
    const std::string text = coverage_report(coverage), html = coverage_html(coverage);
    CHECK(text.find("m: mul mulh") != std::string::npos);
    CHECK(text.find("satp read 1") != std::string::npos);
    CHECK(html.find("exception 8 U&gt;S") != std::string::npos);
    CHECK(html.find("http") == std::string::npos);  // nothing from elsewhere
}

TEST_CASE("a_recorded_run_is_the_same_run", "[frontend][coverage]") {
    const Folder folder;
    RunConfig config = exact(folder.file("elf", elf_of(finish_program(0x5555))));
    const u64 hash = run(config);
    config.commit_log = folder.at("log");
    config.coverage = folder.at("c.json");
    CHECK(run(config) == hash);
    const std::string log = read_text(config.commit_log);
    CHECK(log.find("core   0: 3 0x000000008000000c (0x0062a023) mem 0x0000000000100000 0x00005555\n") !=
          std::string::npos);
    CHECK(of(read_coverage(config.coverage), Op::SW).count == 1);
    config.commit_log = folder.at("log.gz");
    run(config);
    const std::string packed = read_text(config.commit_log);
    CHECK(packed.substr(0, 2) == "\x1f\x8b");
    CHECK(packed.size() < log.size());
    CHECK(of(read_coverage(config.coverage), Op::SW).count == 2);
}

TEST_CASE("a_full_disk_ends_the_run", "[frontend][coverage]") {
    const Folder folder;
    RunConfig config = exact(folder.file("elf", elf_of(spin_program())));
    config.commit_log = "/dev/full";
    config.max_instructions = 10'000'000;
    CHECK_THROWS_AS(run(config), HostError);
}

TEST_CASE("options_of_the_log_are_checked", "[frontend][coverage]") {
    RunConfig config;
    config.image = "x";
    config.log_window = "1M:2M";
    CHECK(complaint_of([&] { validate(config); }).find("--commit-log") != std::string::npos);
    config.commit_log = "log";
    CHECK(complaint_of([&] { validate(config); }).empty());
    CHECK(commit_filter(config).window == CommitFilter::Range{1'000'000, 2'000'000});
    for (const char* text : {"5", "7:5", "x:1", "1:1"}) {
        config.log_window = text;
        CHECK_FALSE(complaint_of([&] { validate(config); }).empty());
    }
    config.log_window.clear();
    config.log_range = "0x80000000:0x80000100,0xffffffff80000000:";
    CHECK(commit_filter(config).addresses.size() == 2);
    config.log_privilege = "MX";
    CHECK_FALSE(complaint_of([&] { validate(config); }).empty());
    config.log_privilege = "SU";
    CHECK(commit_filter(config).privileges == 0b0011);
}
