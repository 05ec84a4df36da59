// What harts that translate have done, in words.
#pragma once
#include <string>

#include "core/machine.hpp"

namespace hartline {

// Two lines of key=value, each sum over all harts. `instructions`: all that retired. Empty where no hart translates.
std::string translator_report(Machine& machine, u64 instructions);
}  // namespace hartline
