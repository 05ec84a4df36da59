// hartline coverage: adds up what runs exercised, and tells it.
#include <iostream>

#include "frontend/cli/verbs.hpp"
#include "frontend/coverage/coverage_file.hpp"
#include "frontend/coverage/coverage_report.hpp"
#include "frontend/host/files.hpp"
#include "frontend/session/errors.hpp"

namespace hartline {
namespace {
constexpr const char* kUse = "hartline coverage FILE… [--html FILE]";

}  // namespace

std::string coverage_help() {
    return std::string(kUse) +
           ": what the runs that wrote these files exercised: rows of the instruction\n"
           "table and classes of their operands, traps, CSRs. Files come from hartline run --coverage FILE, which\n"
           "adds to what is there. With --html also a page, which needs no other files.\n";
}

int verb_coverage(std::span<const std::string> arguments) {
    Coverage sum;
    std::string html;
    bool any = false;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        const std::string& argument = arguments[i];
        if (argument == "--help" || argument == "-h") {
            std::cout << coverage_help();
            return 0;
        }
        if (argument == "--html") {
            if (i + 1 == arguments.size()) throw InputError("coverage", "--html names no file", kUse);
            html = arguments[++i];
        } else if (argument.starts_with("--")) {
            throw InputError("coverage", "unknown option '" + argument + "'", kUse);
        } else {
            sum.merge(read_coverage(argument));
            any = true;
        }
    }
    if (!any) throw InputError("coverage", "no file given", kUse);
    std::cout << coverage_report(sum);
    if (html.empty()) return 0;
    const std::string page = coverage_html(sum);
    write_file(html, std::span(reinterpret_cast<const u8*>(page.data()), page.size()));
    return 0;
}
}  // namespace hartline
