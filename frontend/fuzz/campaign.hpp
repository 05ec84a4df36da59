// Many random programs, each run twice and compared.
#pragma once
#include <functional>
#include <optional>

#include "frontend/fuzz/judge.hpp"

namespace hartline::fuzz {

struct Campaign {
    std::vector<Category> categories;
    u64 seed = 1;
    u64 programs = 10;  // a category
    u64 length = 100'000;
    Engine against;
    std::string keep;  // folder for failing programs; empty: the current one
    unsigned jobs = 1;
    double seconds = 0;  // of wall time; 0: until all programs ran
    bool reduce = true;  // failing programs
};

struct Tally {
    u64 programs = 0, instructions = 0, random_instructions = 0, different = 0, unfinished = 0;
};
using Report = std::function<void(const std::string& line)>;

// The tallies by category, in the order asked for.
std::vector<Tally> run_campaign(const Campaign& campaign, const Report& report);
// Shrinks one program and leaves it in campaign.keep; false: it does not fail.
bool reduce_program(const Campaign& campaign, const Recipe& recipe, const Report& report);
}  // namespace hartline::fuzz
