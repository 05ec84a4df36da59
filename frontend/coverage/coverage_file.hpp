// Coverage as a JSON file that runs add to.
#pragma once
#include <string>

#include "cpu/coverage.hpp"

namespace hartline {

std::string coverage_text(const Coverage& coverage);
// Names that this Hartline does not have (a row that was removed) are passed over. Throws InputError.
Coverage parse_coverage(const std::string& subject, const std::string& text);
Coverage read_coverage(const std::string& path);
// Adds to what the file holds, if it is there. Throws InputError, HostError.
void add_coverage(const std::string& path, const Coverage& coverage);
}  // namespace hartline
