// Shrinking a program while something holds.
#pragma once
#include <functional>

#include "frontend/fuzz/program.hpp"

namespace hartline::fuzz {
// Does the program still fail with these instructions of its body?
using StillFails = std::function<bool(const Program&, const std::vector<bool>& keep)>;
struct Reduced {
    Program program;  // with fewer turns, perhaps
    std::vector<bool> keep;
    std::size_t left() const;
};
// Delta debugging (Zeller, Hildebrandt 2002) over the instructions; groups stay whole: a part of one may fail
// for reasons of its own.
Reduced reduce(Program program, const StillFails& still_fails);
}  // namespace hartline::fuzz
