// Another program of the host, run to its end or to a time limit.
#pragma once
#include <string>
#include <vector>

namespace hartline::fuzz {
// The exit code; -1: it took too long and was killed, or a signal ended it. What it prints goes to `output`.
// Throws HostError when it cannot be started.
int run_process(const std::vector<std::string>& command, const std::string& output, double seconds);
}  // namespace hartline::fuzz
