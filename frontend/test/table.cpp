// The summary for people.
#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstdio>
#include <numeric>

#include "frontend/test/report.hpp"

namespace hartline {
namespace {
constexpr std::size_t kMostConsoleLines = 20;

[[gnu::format(printf, 2, 3)]] void print(std::string& to, const char* format, ...) {
    char line[256];
    va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    to += line;
}

class Table {
public:
    explicit Table(const Report& report) : report_(report), groups_(groups_of(report)) {
        for (const TestResult& result : report.results)
            used_[static_cast<std::size_t>(result.verdict)] = true;
        for (const Group& group : groups_) width_ = std::max(width_, static_cast<int>(group.name.size()));
    }

    std::string text() {
        head();
        for (const Group& group : groups_) row(group);
        Group all{"total", std::vector<std::size_t>(report_.tests.size()), 0};
        std::iota(all.tests.begin(), all.tests.end(), std::size_t{0});
        for (const Group& group : groups_) all.seconds += group.seconds;
        if (groups_.size() > 1) row(all);
        return text_ + last_line(all);
    }

private:
    void head() {
        print(text_, "%-*s %6s", width_, "group", "tests");
        for (std::size_t v = 0; v < kVerdicts; ++v)
            if (used_[v]) print(text_, " %9s", std::string(name(static_cast<Verdict>(v))).c_str());
        print(text_, " %10s %9s\n", "M insns", "seconds");
    }

    u64 instructions(const Group& group) const {
        u64 sum = 0;
        for (const std::size_t i : group.tests) sum += report_.results[i].trial.instructions;
        return sum;
    }

    void row(const Group& group) {
        std::array<std::size_t, kVerdicts> counts{};
        for (const std::size_t i : group.tests)
            ++counts[static_cast<std::size_t>(report_.results[i].verdict)];
        text_ += group.name + std::string(static_cast<std::size_t>(width_) - group.name.size(), ' ');
        print(text_, " %6zu", group.tests.size());
        for (std::size_t v = 0; v < kVerdicts; ++v)
            if (used_[v]) print(text_, " %9s", counts[v] == 0 ? "." : std::to_string(counts[v]).c_str());
        print(text_, " %10.1f %9.2f\n", static_cast<double>(instructions(group)) / 1e6, group.seconds);
    }

    std::string last_line(const Group& all) const {
        std::string line;
        const std::size_t failed = report_.failed();
        print(line, "%zu of %zu passed", all.tests.size() - failed, all.tests.size());
        if (failed != 0) print(line, ", %zu failed", failed);
        print(line, ": %.2f s with %u jobs\n", report_.seconds, report_.plan.jobs);
        return line;
    }

    const Report& report_;
    const std::vector<Group> groups_;
    std::array<bool, kVerdicts> used_{true};  // verdicts that occur have a column
    int width_ = 5;
    std::string text_;
};

// The last lines, without what would steer a terminal.
std::string console_text(const TestResult& result) {
    std::string_view rest = result.console;
    while (!rest.empty() && (rest.back() == '\n' || rest.back() == '\r')) rest.remove_suffix(1);
    if (rest.empty()) return "";
    std::size_t from = rest.size(), lines = 0;
    while (from > 0 && (rest[from - 1] != '\n' || ++lines < kMostConsoleLines)) --from;
    std::string text = from > 0 || result.console_lost > 0 ? "      | …\n" : "";
    text += "      | ";
    for (const char c : rest.substr(from)) {
        if (c == '\n')
            text += "\n      | ";
        else if (c == '\t' || (static_cast<unsigned char>(c) >= ' ' && c != 0x7f))
            text += c;
        else if (c != '\r')
            text += '?';
    }
    return text + "\n";
}
}  // namespace

std::string summary_text(const Report& report) {
    std::string text;
    for (std::size_t i = 0; i < report.tests.size(); ++i) {
        const TestResult& result = report.results[i];
        if (result.verdict == Verdict::Passed) continue;
        const TestFile& file = report.tests[i].file;
        text += (text.empty() ? "not passed:\n  " : "  ") + file.name + "  " +
                std::string(name(result.verdict)) + "\n";
        if (!result.reasons.at(0).starts_with(file.path + ":")) text += "      " + file.path + "\n";
        for (const std::string& reason : result.reasons) text += "      " + reason + "\n";
        text += console_text(result);
    }
    return Table(report).text() + text;
}
}  // namespace hartline
