// Running many tests, each in a machine of its own, several at a time; and judging how each ended.
#pragma once
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "frontend/test/discovery.hpp"
#include "frontend/test/engine.hpp"
#include "frontend/test/expectation.hpp"
#include "frontend/test/trial.hpp"

namespace hartline {

enum class Verdict : u8 {
    Passed,
    Exit,         // with another exit code than expected
    Expectation,  // what a file expects is not so
    Signature,    // differs from the reference
    Timeout,
    Limit,
    Stuck,
    Error,  // it could not be run, or not be judged
};
inline constexpr std::size_t kVerdicts = 8;
std::string_view name(Verdict verdict);

struct Test {
    TestFile file;
    std::vector<Check> checks;
};

struct TestResult {
    Verdict verdict = Verdict::Passed;  // that of the first reason
    std::vector<std::string> reasons;   // one a thing that is wrong
    Trial trial;                        // on the first engine; all zero where it did not run
    std::string console;                // the last that it wrote
    u64 console_lost = 0;               // bytes before that
};

struct TestPlan {
    RunConfig config;                                          // but for the image
    double timeout = 60;                                       // seconds each, of wall time
    unsigned jobs = 1;                                         // at a time
    std::vector<EngineKind> engines{EngineKind::Interpreter};  // more than one: their ends must be equal
    std::string reference;  // folder of signatures; empty: none are compared
};

// Never throws for what a test does or is: that is in its result.
TestResult run_test(const Test& test, const TestPlan& plan);

using Progress = std::function<void(std::size_t done, std::size_t failed, const std::string& last)>;
// Results in the order of `tests`. `progress` is called after each, from one thread at a time.
std::vector<TestResult> run_tests(const std::vector<Test>& tests, const TestPlan& plan,
                                  const Progress& progress);
}  // namespace hartline
