// Parsing of sizes and counts.
#include "frontend/session/size.hpp"

#include <cctype>
#include <charconv>
#include <string_view>

#include "frontend/session/errors.hpp"

namespace hartline {
namespace {
constexpr std::string_view kPrefixes = "kmgt";

struct Parsed {
    u64 value = 0;
    std::string suffix;  // in lower case
};

Parsed split(const std::string& subject, const std::string& text, const char* example) {
    const bool hex = text.starts_with("0x") || text.starts_with("0X");
    const char* first = text.data() + (hex ? 2 : 0);
    const char* last = text.data() + text.size();
    Parsed parsed;
    const auto [end, error] = std::from_chars(first, last, parsed.value, hex ? 16 : 10);
    if (error == std::errc::result_out_of_range)
        throw InputError(subject, "'" + text + "' is too large", example);
    if (error != std::errc{}) throw InputError(subject, "'" + text + "' is not a number", example);
    for (const char* at = end; at != last; ++at)
        parsed.suffix += static_cast<char>(std::tolower(static_cast<unsigned char>(*at)));
    return parsed;
}

u64 scaled(const std::string& subject, const std::string& text, u64 value, u64 factor, unsigned times) {
    for (unsigned i = 0; i < times; ++i)
        if (__builtin_mul_overflow(value, factor, &value))
            throw InputError(subject, "'" + text + "' is too large", "it must be less than 2^64");
    return value;
}
}  // namespace

u64 parse_size(const std::string& subject, const std::string& text) {
    const char* example = "write for example 512M or 4G";
    const Parsed parsed = split(subject, text, example);
    if (parsed.suffix.empty() || parsed.suffix == "b") return parsed.value;
    const std::size_t power = kPrefixes.find(parsed.suffix[0]);
    const std::string_view rest = std::string_view(parsed.suffix).substr(1);
    if (power == std::string_view::npos || !(rest.empty() || rest == "b" || rest == "ib"))
        throw InputError(subject, "'" + text + "' has an unknown unit", example);
    return scaled(subject, text, parsed.value, 1024, static_cast<unsigned>(power) + 1);
}

u64 parse_count(const std::string& subject, const std::string& text) {
    const char* example = "write for example 200M (200 million)";
    const Parsed parsed = split(subject, text, example);
    if (parsed.suffix.empty()) return parsed.value;
    const std::size_t power = kPrefixes.find(parsed.suffix[0]);
    if (power == std::string_view::npos || parsed.suffix.size() != 1)
        throw InputError(subject, "'" + text + "' has an unknown unit", example);
    return scaled(subject, text, parsed.value, 1000, static_cast<unsigned>(power) + 1);
}

std::string size_text(u64 bytes) {
    unsigned power = 0;
    while (power < kPrefixes.size() && bytes != 0 && bytes % 1024 == 0) {
        bytes /= 1024;
        ++power;
    }
    std::string text = std::to_string(bytes);
    if (power != 0) text += static_cast<char>(std::toupper(kPrefixes[power - 1]));
    return text;
}
}  // namespace hartline
