// Coverage for people: a text, and a page of HTML that needs nothing else.
#pragma once
#include <string>

#include "cpu/coverage.hpp"

namespace hartline {
std::string coverage_report(const Coverage& coverage);
std::string coverage_html(const Coverage& coverage);
}  // namespace hartline
