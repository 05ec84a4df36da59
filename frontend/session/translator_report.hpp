// What harts that translate have done, in words.
#pragma once
#include <string>
#include <vector>

#include "core/machine.hpp"

namespace hartline {

// Two lines of key=value, each sum over all harts. `instructions`: all that retired. Empty where no hart
// translates.
std::string translator_report(Machine& machine, u64 instructions);

// Guest code whose translations are to be shown: [from, end).
struct DumpRange {
    u64 from = 0, end = 0;
};
// ADDRESS or FROM:TO, and more of them behind commas. Throws InputError.
std::vector<DumpRange> parse_dump_ranges(const std::string& option, const std::string& text);
// What translates it on the first hart that has some. Addresses in RAM are physical; all others are virtual,
// in the address space that the hart is in now.
std::string dump_translations(Machine& machine, const DumpRange& range);
}  // namespace hartline
