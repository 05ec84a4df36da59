// What the reports share.
#include "frontend/test/report.hpp"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <map>

namespace hartline {

std::size_t Report::failed() const {
    return static_cast<std::size_t>(std::count_if(results.begin(), results.end(), [](const TestResult& one) {
        return one.verdict != Verdict::Passed;
    }));
}

std::vector<Group> groups_of(const Report& report) {
    std::map<std::string, Group> by_name;
    for (std::size_t i = 0; i < report.tests.size(); ++i) {
        Group& group = by_name[report.tests[i].file.group];
        group.name = report.tests[i].file.group;
        group.tests.push_back(i);
        group.seconds += report.results[i].trial.seconds;
    }
    std::vector<Group> groups;
    for (auto& [name, group] : by_name) groups.push_back(std::move(group));
    return groups;
}

std::string joined(const std::vector<std::string>& reasons) {
    std::string text;
    for (const std::string& reason : reasons) text += (text.empty() ? "" : "; ") + reason;
    return text;
}

std::string hash_text(u64 hash) {
    char text[24];
    std::snprintf(text, sizeof text, "%016" PRIx64, hash);
    return text;
}
}  // namespace hartline
