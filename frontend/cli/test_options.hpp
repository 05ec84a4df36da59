// The options of `hartline test`.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "frontend/test/runner.hpp"

namespace hartline {

struct TestRequest {
    std::vector<std::string> paths, only;
    TestPlan plan;
    Shard shard;
    std::string expect, junit, json;  // files; empty: none
    bool list = false, help = false;
};

// Throws InputError: an unknown option (and names the nearest), a value that is none.
TestRequest parse_test(std::span<const std::string> arguments);
// The table of options, for --help.
std::string test_options_help();
}  // namespace hartline
