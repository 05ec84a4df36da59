// Adding up and printing.
#include "frontend/session/translator_report.hpp"

#include <algorithm>
#include <cinttypes>
#include <cstdio>

#include "cpu/inspect.hpp"

namespace hartline {
namespace {
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
