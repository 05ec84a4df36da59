// The verbs of the command line: a file each. They return the exit code, and throw InputError and HostError.
#pragma once
#include <span>
#include <string>

namespace hartline {
int verb_run(std::span<const std::string> arguments);  // run.cpp
int verb_isa(std::span<const std::string> arguments);  // isa.cpp
int verb_fuzz(std::span<const std::string> arguments);  // fuzz.cpp
std::string fuzz_help();                               // fuzz.cpp
std::string run_help();                                // run.cpp
}  // namespace hartline
