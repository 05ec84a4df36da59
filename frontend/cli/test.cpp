// hartline test: runs many programs and says which of them pass.
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <iostream>

#include "frontend/cli/test_options.hpp"
#include "frontend/cli/verbs.hpp"
#include "frontend/host/files.hpp"
#include "frontend/session/errors.hpp"
#include "frontend/test/report.hpp"

namespace hartline {
namespace {
constexpr int kAllPassed = 0, kSomeFailed = 1;

std::vector<TestFile> find(const TestRequest& request) {
    if (request.paths.empty())
        throw InputError("test", "no tests given", "hartline test FILE|FOLDER|GLOB…, or hartline help test");
    auto tests = filter(find_tests(request.paths), request.only);
    if (tests.empty()) throw InputError("--only", "no test has this in its name", "--list shows the names");
    return part(tests, request.shard);
}

int list(const std::vector<TestFile>& tests) {
    for (const TestFile& test : tests) std::cout << test.name << '\t' << test.path << '\n';
    return kAllPassed;
}

// rv64ui-p-add.expect, of rv64ui-p-add or rv64ui-p-add.elf
std::vector<Check> checks_beside(const TestFile& test) {
    std::filesystem::path path = test.path;
    if (path.extension() == ".elf") path.replace_extension();
    path += ".expect";
    std::error_code ignored;
    if (!std::filesystem::exists(path, ignored)) return {};
    return Expectations::read(path.string(), Expectations::Of::OneTest).checks_of(test.name);
}

// Every file of expectations is read before the first test runs.
std::vector<Test> with_checks(std::vector<TestFile> files, const std::string& expect) {
    Expectations shared;
    if (!expect.empty()) shared = Expectations::read(expect, Expectations::Of::ManyTests);
    std::vector<Test> tests;
    std::vector<std::string> names;
    for (TestFile& file : files) {
        Test test{std::move(file), {}};
        test.checks = checks_beside(test.file);
        const auto more = shared.checks_of(test.file.name);
        test.checks.insert(test.checks.end(), more.begin(), more.end());
        names.push_back(test.file.name);
        tests.push_back(std::move(test));
    }
    for (const std::string& unused : shared.unused_patterns(names))
        std::fprintf(stderr, "hartline: %s matches none of these tests\n", unused.c_str());
    return tests;
}

// One line of a terminal that is written over again and again.
void show_progress(std::size_t done, std::size_t all, std::size_t failed, const std::string& last) {
    std::fprintf(stderr, "\r\033[K%zu of %zu, %zu not passed: %.50s", done, all, failed, last.c_str());
    if (done == all) std::fputs("\r\033[K", stderr);
}

void write_text(const std::string& path, const std::string& text) {
    write_file(path, std::span(reinterpret_cast<const u8*>(text.data()), text.size()));
}

int run(const TestRequest& request, const std::vector<Test>& tests) {
    const bool terminal = ::isatty(STDERR_FILENO) == 1;
    const auto started = std::chrono::steady_clock::now();
    const auto results =
        run_tests(tests, request.plan, [&](std::size_t done, std::size_t failed, const std::string& last) {
            if (terminal) show_progress(done, tests.size(), failed, last);
        });
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - started;
    const Report report{tests, results, request.plan, took.count()};
    std::cout << summary_text(report) << std::flush;
    if (!request.junit.empty()) write_text(request.junit, junit_xml(report));
    if (!request.json.empty()) write_text(request.json, json_text(report));
    return report.failed() == 0 ? kAllPassed : kSomeFailed;
}
}  // namespace

std::string test_help() {
    return "hartline test PATH... [options]: run test programs, each in a machine of its own, and judge them.\n"
           "\n"
           "PATH is an ELF program, a folder of them or a glob. A test passes when it ends with exit code 0, by HTIF\n"
           "or the test finisher; riscv-tests' exit code is the number of the test that failed.\n"
           "\n"
           "  hartline test riscv-tests/isa --only rv64 --jobs 8 --junit results.xml\n"
           "  hartline test arch-test/elf --reference arch-test/ref\n"
           "  hartline test 'build/*.elf' --max-instructions 50M --timeout 10 --shard 1/4\n"
           "\n"
           "NAME.expect beside NAME.elf, or --expect FILE, asks for more, all of it exact:\n"
           "  expect exit=3, insns=1234, hash=0123456789abcdef     # exit also: limit, stuck\n"
           "  expect csr.mcause=2, x10=-1, hart1.pc=0x80000000\n"
           "In FILE, 'test PATTERN' lines say whose the lines below are: test rv64ui-p-*\n"
           "\n"
           "Exit codes: 0 all passed; 1 some did not; 2 bad options or files; 5 the host failed.\n"
           "\n" +
           test_options_help();
}

int verb_test(std::span<const std::string> arguments) {
    const TestRequest request = parse_test(arguments);
    if (request.help) {
        std::cout << test_help();
        return kAllPassed;
    }
    const auto files = find(request);
    if (request.list) return list(files);
    if (!request.plan.config.signature.empty() && files.size() != 1)
        throw InputError("--signature", "is for one test, and these are " + std::to_string(files.size()),
                         "name one; --reference FOLDER compares many");
    return run(request, with_checks(files, request.expect));
}
}  // namespace hartline
