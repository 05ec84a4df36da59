// JUnit's XML, as build servers read it.
#include <cstdio>

#include "frontend/test/report.hpp"

namespace hartline {
namespace {
// The length of the well-formed UTF-8 sequence at the start of `text`; 0: there is none.
// Unicode, "Well-Formed UTF-8 Byte Sequences"
std::size_t sequence_length(std::string_view text) {
    const auto byte = [&](std::size_t i) {
        return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u;
    };
    const auto follows = [&](std::size_t i) { return (byte(i) & 0xc0) == 0x80; };
    const unsigned first = byte(0);
    if (first < 0x80) return 1;
    if (first >= 0xc2 && first <= 0xdf) return follows(1) ? 2 : 0;
    if (first >= 0xe0 && first <= 0xef) {
        const bool overlong = first == 0xe0 && byte(1) < 0xa0, surrogate = first == 0xed && byte(1) > 0x9f;
        const bool not_xml = first == 0xef && byte(1) == 0xbf && byte(2) >= 0xbe;
        return follows(1) && follows(2) && !overlong && !surrogate && !not_xml ? 3 : 0;
    }
    if (first < 0xf0 || first > 0xf4) return 0;
    const bool beyond = (first == 0xf0 && byte(1) < 0x90) || (first == 0xf4 && byte(1) > 0x8f);
    return follows(1) && follows(2) && follows(3) && !beyond ? 4 : 0;
}

// What a guest wrote may be any bytes; XML takes few of the control characters, and only good UTF-8.
std::string escaped(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        const char c = text[0];
        std::size_t length = sequence_length(text);
        if (c == '<')
            out += "&lt;";
        else if (c == '>')
            out += "&gt;";
        else if (c == '&')
            out += "&amp;";
        else if (c == '"')
            out += "&quot;";
        else if (length == 0 || (static_cast<unsigned char>(c) < ' ' && c != '\n' && c != '\t' && c != '\r'))
            out += '?';
        else if (c == '\n' || c == '\t' || c == '\r')
            out += "&#" + std::to_string(static_cast<int>(c)) + ";";
        else
            out += text.substr(0, length);
        text.remove_prefix(length == 0 ? 1 : length);
    }
    return out;
}

std::string seconds_text(double seconds) {
    char text[32];
    std::snprintf(text, sizeof text, "%.3f", seconds);
    return text;
}

struct Counts {
    std::size_t failures = 0, errors = 0;
};

Counts count(const Report& report, const std::vector<std::size_t>& tests) {
    Counts counts;
    for (const std::size_t i : tests) {
        counts.errors += report.results[i].verdict == Verdict::Error;
        counts.failures +=
            report.results[i].verdict != Verdict::Error && report.results[i].verdict != Verdict::Passed;
    }
    return counts;
}

std::string counts_text(const Counts& counts, std::size_t tests, double seconds) {
    return "tests=\"" + std::to_string(tests) + "\" failures=\"" + std::to_string(counts.failures) +
           "\" errors=\"" + std::to_string(counts.errors) + "\" time=\"" + seconds_text(seconds) + "\"";
}

std::string test_case(const Test& test, const TestResult& result) {
    std::string text = "    <testcase classname=\"" + escaped(test.file.group) + "\" name=\"" +
                       escaped(test.file.name) + "\" file=\"" + escaped(test.file.path) + "\" time=\"" +
                       seconds_text(result.trial.seconds) + "\"";
    if (result.verdict == Verdict::Passed) return text + "/>\n";
    const char* element = result.verdict == Verdict::Error ? "error" : "failure";
    text += std::string(">\n      <") + element + " type=\"" + std::string(name(result.verdict)) +
            "\" message=\"" + escaped(joined(result.reasons)) + "\"/>\n";
    if (!result.console.empty()) text += "      <system-out>" + escaped(result.console) + "</system-out>\n";
    return text + "    </testcase>\n";
}
}  // namespace

std::string junit_xml(const Report& report) {
    Counts all;
    std::string suites;
    for (const Group& group : groups_of(report)) {
        const Counts counts = count(report, group.tests);
        all.failures += counts.failures;
        all.errors += counts.errors;
        suites += "  <testsuite name=\"" + escaped(group.name) + "\" " +
                  counts_text(counts, group.tests.size(), group.seconds) + ">\n";
        for (const std::size_t i : group.tests) suites += test_case(report.tests[i], report.results[i]);
        suites += "  </testsuite>\n";
    }
    return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"hartline\" " +
           counts_text(all, report.tests.size(), report.seconds) + ">\n" + suites + "</testsuites>\n";
}
}  // namespace hartline
