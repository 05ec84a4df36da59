// What `hartline test` tells: a table for people, JUnit XML and JSON for machines.
#pragma once
#include <string>
#include <vector>

#include "frontend/test/runner.hpp"

namespace hartline {

struct Report {
    const std::vector<Test>& tests;
    const std::vector<TestResult>& results;  // of each
    const TestPlan& plan;
    double seconds = 0;  // of wall time, for all

    std::size_t failed() const;
};

// A line a group, a total, and below it each test that failed: why, and the last that it wrote. (table.cpp)
std::string summary_text(const Report& report);
// `<testsuites>` with a `<testsuite>` a group. (junit.cpp)
std::string junit_xml(const Report& report);
// (json.cpp)
std::string json_text(const Report& report);

// --- for all three (report.cpp)
struct Group {
    std::string name;
    std::vector<std::size_t> tests;  // indices
    double seconds = 0;              // of its tests, one after another
};
std::vector<Group> groups_of(const Report& report);
std::string joined(const std::vector<std::string>& reasons);
std::string hash_text(u64 hash);
}  // namespace hartline
