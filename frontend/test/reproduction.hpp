// Tests that `hartline diff --reproducer` wrote.
#pragma once
#include <string>

namespace hartline {

// Is `path` a reproducer's run.conf?
bool is_reproducer(const std::string& path);
// Runs the instruction that it is about on both engines; the report of how they differ, empty if they do not.
// Throws InputError and HostError.
std::string reproduce(const std::string& path);
}  // namespace hartline
