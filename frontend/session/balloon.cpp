// The option --balloon, and the line that Ctrl-A b shows.
#include "frontend/session/balloon.hpp"

#include "core/platform/memory.hpp"
#include "frontend/session/config.hpp"
#include "frontend/session/errors.hpp"
#include "frontend/session/size.hpp"

namespace hartline {
namespace {
std::string mib(u64 bytes) { return std::to_string(bytes >> 20) + " MiB"; }
}  // namespace

BalloonConfig parse_balloon(const std::string& text) {
    if (text == "off") return {};
    if (text == "on") return {.present = true};
    const bool number = !text.empty() && text[0] >= '0' && text[0] <= '9';
    const u64 size = number ? parse_size("--balloon", text) : 0;
    if (size == 0)
        throw InputError("--balloon", "'" + text + "' cannot be",
                         "choose on, off, or what is left to the guest: 512M for example");
    return {.present = true, .size = size};
}

std::string balloon_text(const BalloonConfig& config) {
    if (!config.present) return "off";
    return config.size == 0 ? "on" : size_text(config.size);
}

void validate_balloon(const RunConfig& config) {
    if (!config.balloon || config.balloon->size == 0) return;
    const u64 size = config.balloon->size;
    if (size < RunConfig::kLeastMemory || size > config.memory || size % kFrameBytes != 0)
        throw InputError("--balloon", size_text(size) + " cannot be left of " + size_text(config.memory),
                         "choose between 16M and what --memory is, in steps of 4K");
}

BalloonConfig default_balloon(const RunConfig& config) {
    RunConfig with = config;
    with.balloon = BalloonConfig{.present = true};
    return {.present = !config.deterministic && buses_have_room(with)};
}

u64 balloon_bytes(const BalloonConfig& config, u64 memory) {
    return config.size == 0 || config.size > memory ? 0 : memory - config.size;
}

std::string balloon_line(const BalloonReport& report, u64 memory) {
    std::string line = "hartline: balloon holds " + mib(report.held_bytes) + " of " + mib(memory);
    if (report.held_bytes != report.target_bytes) line += " (" + mib(report.target_bytes) + " are asked for)";
    const auto add = [&](const char* text, BalloonReport::Tag tag) {
        if (const auto value = report.statistics[tag]) line += text + mib(*value);
    };
    add("; the guest has ", BalloonReport::kTotal);
    add(", free ", BalloonReport::kFree);
    add(", available ", BalloonReport::kAvailable);
    return line + "; Hartline has " + mib(resident_mib() << 20) + " of the host's memory";
}
}  // namespace hartline
