// What the program can do: one function a verb, each in a file of its name.
#pragma once
#include <span>
#include <string>

namespace hartline {
int verb_run(std::span<const std::string> arguments);
int verb_test(std::span<const std::string> arguments);
int verb_diff(std::span<const std::string> arguments);
int verb_fuzz(std::span<const std::string> arguments);
int verb_coverage(std::span<const std::string> arguments);
int verb_image(std::span<const std::string> arguments);
int verb_isa(std::span<const std::string> arguments);
std::string run_help();
std::string test_help();
std::string diff_help();
std::string fuzz_help();
std::string image_help();
}  // namespace hartline
