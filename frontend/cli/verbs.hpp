// What the program can do: one function a verb, each in a file of its name.
#pragma once
#include <span>
#include <string>
#include <vector>

namespace hartline {
int verb_run(std::span<const std::string> arguments);
int verb_test(std::span<const std::string> arguments);
int verb_diff(std::span<const std::string> arguments);
int verb_fuzz(std::span<const std::string> arguments);
int verb_coverage(std::span<const std::string> arguments);
int verb_image(std::span<const std::string> arguments);
int verb_isa(std::span<const std::string> arguments);
int verb_help(std::span<const std::string> about);
std::string run_help();
std::string test_help();
std::string diff_help();
std::string fuzz_help();
std::string image_help();
std::string coverage_help();
std::string isa_help();
std::vector<std::string> verb_names();
std::string version();
}  // namespace hartline
