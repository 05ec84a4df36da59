// Our machine against somebody else's commit log.
#pragma once
#include <string>

#include "frontend/diff/commit_log.hpp"
#include "frontend/diff/stepper.hpp"

namespace hartline {

// What is known to be told otherwise by Spike, and is not compared: bits of CSRs in writes that its log
// tells.
struct CsrMask {
    unsigned number;
    u64 compared;
    const char* why;
};
// ~0 where nothing is left out.
u64 compared_bits(unsigned csr);

struct Followed {
    u64 instructions = 0;
    std::string difference;  // empty: none up to the end of the log or of the guest
    std::string end;         // why it ended
};
// Steps the machine beside the log. Throws InputError for broken lines.
Followed follow(Machine& machine, LineReader& log, const std::string& path, u64 most);
// What differs between the step that was just made and the line; empty: nothing.
std::string compare_commit(const Stepper& stepper, const CommitLine& line);
}  // namespace hartline
