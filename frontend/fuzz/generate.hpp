// The generator: a random program from a seed, a category and a length, and nothing else.
#pragma once
#include "frontend/fuzz/program.hpp"

namespace hartline::fuzz {
Program generate(const Recipe& recipe);
}  // namespace hartline::fuzz
