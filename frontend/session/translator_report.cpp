// Adding up and printing.
#include "frontend/session/translator_report.hpp"

#include <algorithm>
#include <cinttypes>
#include <cstdio>

#include "cpu/inspect.hpp"
#include "frontend/session/errors.hpp"
#include "frontend/session/size.hpp"

namespace hartline {
namespace {
constexpr u64 kMostDumped = u64{1} << 20;  // bytes of guest code

std::string units_line(const TranslatorStats& all) {
    const double bytes = static_cast<double>(all.host_bytes);
    char text[320];
    std::snprintf(text, sizeof text,
                  "units=%" PRIu64 " unit_instructions=%" PRIu64 " host_bytes=%" PRIu64
                  " bytes_per_instruction=%.1f compile_seconds=%.3f units_dropped=%" PRIu64
                  " cache_evictions=%" PRIu64 "\n",
                  all.units, all.instructions, all.host_bytes,
                  bytes / static_cast<double>(std::max<u64>(all.instructions, 1)),
                  static_cast<double>(all.compile_ns) / 1e9, all.dropped, all.evictions);
    return text;
}

std::string course_line(const TranslatorStats& all, u64 instructions) {
    std::string line;
    const auto add = [&](const std::string& key, u64 value) {
        line += (line.empty() ? "" : " ") + key + "=" + std::to_string(value);
    };
    add("translated", all.retired);
    add("interpreted", instructions - std::min(instructions, all.retired));
    for (std::size_t i = 0; i < all.exits.size(); ++i)
        add("exits_" + std::string(TranslatorStats::kExitNames[i]), all.exits[i]);
    add("links", all.linked);
    add("jump_inserts", all.jump_inserts);
    add("load_misses", all.load_misses);
    add("store_misses", all.store_misses);
    return line + "\n";
}
}  // namespace

std::vector<DumpRange> parse_dump_ranges(const std::string& option, const std::string& text) {
    std::vector<DumpRange> ranges;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t comma = std::min(text.find(',', at), text.size());
        const std::string one = text.substr(at, comma - at);
        const std::size_t colon = one.find(':');
        DumpRange range{.from = parse_count(option, one.substr(0, colon))};
        range.end = colon == std::string::npos ? range.from + 1 : parse_count(option, one.substr(colon + 1));
        if (range.from >= range.end || range.end - range.from > kMostDumped)
            throw InputError(option, "'" + one + "' is empty or too long",
                             "write for example 0x80201000:0x80202000");
        ranges.push_back(range);
        at = comma + 1;
    }
    return ranges;
}

std::string dump_translations(Machine& machine, const DumpRange& range) {
    std::string text;
    for (unsigned i = 0; i < machine.harts() && text.empty(); ++i)
        for (u64 at = range.from, next = 0; at < range.end; at = next) {
            next = std::min(range.end, (at / kFrameBytes + 1) * kFrameBytes);
            const Hart& hart = machine.hart(i);
            const bool physical = machine.ram().contains(at, 1);
            const auto paddr = physical || inside(hart) == nullptr ? at : mapped_at(*inside(hart), at);
            if (paddr) text += translations_of(hart, {.paddr = *paddr, .bytes = next - at, .vaddr = at});
        }
    if (!text.empty()) return text;
    char line[80];
    std::snprintf(line, sizeof line, "no translation of 0x%" PRIx64 "\n", range.from);
    return line;
}

std::string translator_report(Machine& machine, u64 instructions) {
    TranslatorStats all;
    bool any = false;
    for (unsigned i = 0; i < machine.harts(); ++i) {
        const TranslatorStats* const stats = translator_stats(machine.hart(i));
        if (stats == nullptr) continue;
        all += *stats;
        any = true;
    }
    return any ? units_line(all) + course_line(all, instructions) : "";
}
}  // namespace hartline
