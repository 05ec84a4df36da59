// Summing up by extension, and laying it out twice.
#include "frontend/coverage/coverage_report.hpp"

#include <cstdio>
#include <vector>

#include "cpu/csr.hpp"

namespace hartline {
namespace {
struct Sum {
    std::string name;
    u64 rows = 0, run = 0;              // 32-bit and compressed rows
    u64 classes = 0, classes_seen = 0;  // of operands
    std::string missing;                // mnemonics
};

unsigned count(u64 bits) { return static_cast<unsigned>(std::popcount(bits)); }

void add_row(Sum& sum, std::string_view mnemonic, bool run) {
    ++sum.rows;
    sum.run += run;
    if (!run) sum.missing += (sum.missing.empty() ? "" : " ") + std::string(mnemonic);
}

std::vector<Sum> sums(const Coverage& coverage) {
    std::vector<Sum> all(kExtensions);
    for (std::size_t i = 0; i < kExtensions; ++i) all[i].name = kExtensionNames[i];
    for (std::size_t i = 0; i < kRows; ++i) {
        Sum& sum = all[static_cast<std::size_t>(kIsa[i].extension)];
        const u64 possible = classes_of(kIsa[i]);
        add_row(sum, kIsa[i].mnemonic, coverage.rows[i].count != 0);
        sum.classes += count(possible);
        sum.classes_seen += count(coverage.rows[i].classes & possible);
    }
    for (std::size_t i = 0; i < kCompressed.size(); ++i)
        add_row(all[static_cast<std::size_t>(kCompressed[i].extension)], kCompressed[i].mnemonic,
                coverage.compressed[i] != 0);
    std::erase_if(all, [](const Sum& sum) { return sum.rows == 0; });
    return all;
}
Sum total(const std::vector<Sum>& all) {
    Sum sum{.name = "all", .missing = {}};
    for (const Sum& each : all) {
        sum.rows += each.rows;
        sum.run += each.run;
        sum.classes += each.classes;
        sum.classes_seen += each.classes_seen;
    }
    return sum;
}

double percent(u64 part, u64 whole) {
    return whole == 0 ? 100.0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}
std::string summary_line(const Sum& sum) {
    char text[128];
    std::snprintf(text, sizeof text, "%-14s %5llu of %5llu %6.1f %%   %6.1f %%\n", sum.name.c_str(),
                  static_cast<unsigned long long>(sum.run), static_cast<unsigned long long>(sum.rows),
                  percent(sum.run, sum.rows), percent(sum.classes_seen, sum.classes));
    return text;
}

std::string hex(u64 value) {
    char text[24];
    std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(value));
    return text;
}
std::string csr_line(u16 number, const Coverage::CsrCount& csr) {
    const std::string name = csr_name(number);
    return (name.empty() ? hex(number) : name) + " read " + std::to_string(csr.reads) + ", written " +
           std::to_string(csr.writes) + ", bits changed " + hex(csr.changed);
}
std::string classes_missing(std::size_t row, const Coverage& coverage) {
    std::string list;
    const u64 missing = classes_of(kIsa[row]) & ~coverage.rows[row].classes;
    for (unsigned i = 0; i < OperandClass::Count; ++i)
        if (bit(missing, i) != 0) list += (list.empty() ? "" : " ") + class_name(i);
    return list;
}

constexpr std::string_view kHead =
    "<!DOCTYPE html><html lang=en><meta charset=utf-8><title>Hartline coverage</title><style>"
    "body{font:14px/1.4 sans-serif;margin:2em;max-width:70em}table{border-collapse:collapse;margin:1em 0}"
    "td,th{padding:.15em .6em;text-align:left;border-bottom:1px solid #ddd;vertical-align:top}"
    "td.n{text-align:right;font-variant-numeric:tabular-nums}tr.never td{background:#fdd}"
    "code{font:13px monospace}meter{width:8em}</style><h1>Coverage</h1>\n";

std::string html_cell(u64 value) { return "<td class=n>" + std::to_string(value) + "</td>"; }
std::string html_meter(u64 part, u64 whole) {
    char text[128];
    const double value = percent(part, whole);
    std::snprintf(text, sizeof text, "<td><meter max=100 value=%.1f></meter> %.1f %%</td>", value, value);
    return text;
}
// Text that markup must not see: traps and CSRs have '>' in them.
std::string escaped(const std::string& text) {
    std::string out;
    for (const char c : text)
        out += c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '&' ? "&amp;" : std::string(1, c);
    return out;
}
std::string html_row(std::size_t i, const Coverage& coverage) {
    const u64 times = coverage.rows[i].count;
    return std::string("<tr") + (times == 0 ? " class=never" : "") + "><td><code>" +
           std::string(kIsa[i].mnemonic) + "</code></td><td>" + std::string(name(kIsa[i].extension)) +
           "</td>" + html_cell(times) + "<td>" + (times == 0 ? "" : escaped(classes_missing(i, coverage))) +
           "</td></tr>\n";
}
}  // namespace

std::string coverage_report(const Coverage& coverage) {
    const auto all = sums(coverage);
    std::string text = "extension      rows executed            operand classes\n";
    for (const Sum& sum : all) text += summary_line(sum);
    text += summary_line(total(all)) + "\nnever executed:\n";
    for (const Sum& sum : all)
        if (!sum.missing.empty()) text += "  " + sum.name + ": " + sum.missing + "\n";
    text += "\ntraps:\n";
    for (const auto& [name, times] : coverage.traps)
        text += "  " + name + ": " + std::to_string(times) + "\n";
    text += "\nCSRs:\n";
    for (const auto& [number, csr] : coverage.csrs) text += "  " + csr_line(number, csr) + "\n";
    return text;
}

std::string coverage_html(const Coverage& coverage) {
    std::string page(kHead);
    const auto all = sums(coverage);
    page += "<table><tr><th>extension<th>rows<th>executed<th>rows<th>operand classes</tr>\n";
    const auto line = [&](const Sum& sum) {
        page += "<tr><td>" + sum.name + "</td>" + html_cell(sum.rows) + html_cell(sum.run) +
                html_meter(sum.run, sum.rows) + html_meter(sum.classes_seen, sum.classes) + "</tr>\n";
    };
    for (const Sum& sum : all) line(sum);
    line(total(all));
    page += "</table><h2>Traps</h2><ul>\n";
    for (const auto& [name, times] : coverage.traps)
        page += "<li>" + escaped(name) + ": " + std::to_string(times) + "</li>\n";
    page += "</ul><h2>CSRs</h2><ul>\n";
    for (const auto& [number, csr] : coverage.csrs)
        page += "<li>" + escaped(csr_line(number, csr)) + "</li>\n";
    page += "</ul><h2>Rows</h2><table><tr><th>row<th>extension<th>times<th>operand classes not seen</tr>\n";
    for (std::size_t i = 0; i < kRows; ++i) page += html_row(i, coverage);
    page += "</table><h2>Compressed rows</h2><table><tr><th>row<th>times</tr>\n";
    for (std::size_t i = 0; i < kCompressed.size(); ++i)
        page += std::string("<tr") + (coverage.compressed[i] == 0 ? " class=never" : "") + "><td><code>" +
                std::string(kCompressed[i].mnemonic) + "</code></td>" + html_cell(coverage.compressed[i]) +
                "</tr>\n";
    return page + "</table></html>\n";
}
}  // namespace hartline
