// hartline help: every verb has its own, and what is none is refused.
#include <iostream>
#include <sstream>

#include "frontend/cli/verbs.hpp"
#include "support.hpp"

using namespace hartline;
using test::complaint_of;

namespace {
// What it prints; empty when it does not end well.
std::string help_on(const std::vector<std::string>& about) {
    std::ostringstream out;
    auto* const before = std::cout.rdbuf(out.rdbuf());
    const int code = verb_help(about);
    std::cout.rdbuf(before);
    return code == 0 ? out.str() : "";
}
}  // namespace

TEST_CASE("every_verb_has_help_of_its_own", "[frontend]") {
    for (const std::string& verb : verb_names())
        if (verb != "help") CHECK(help_on({verb}).starts_with("hartline " + verb));
    CHECK(help_on({}) == help_on({"help"}));
    CHECK(help_on({"image", "create"}) == help_on({"image"}));
}

TEST_CASE("help_on_what_is_no_verb_is_refused", "[frontend]") {
    const auto complaint = [](const std::string& verb) {
        return complaint_of([&] { (void)verb_help(std::vector<std::string>{verb}); });
    };
    CHECK(complaint("runn") == "help: 'runn' is no verb of hartline: did you mean hartline help run?");
    CHECK(complaint("xyzzy") == "help: 'xyzzy' is no verb of hartline: hartline help lists them");
}
