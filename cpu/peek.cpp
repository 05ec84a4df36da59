// Finding registers by name.
#include "cpu/peek.hpp"

#include <charconv>

#include "cpu/csr.hpp"
#include "cpu/hart_engine.hpp"

namespace hartline {
namespace {
constexpr unsigned kCsrNumbers = 4096;
constexpr std::string_view kCsrPrefix = "csr.";

std::optional<unsigned> csr_number(std::string_view name) {
    for (unsigned number = 0; number < kCsrNumbers; ++number)
        if (csr_name(number) == name) return number;
    return std::nullopt;
}

// The number in "x17" or "f0": two digits at most, none in front in vain.
std::optional<unsigned> numbered(std::string_view name, char letter) {
    if (name.size() < 2 || name[0] != letter || (name[1] == '0' && name.size() > 2)) return std::nullopt;
    unsigned number = 0;
    const char* end = name.data() + name.size();
    const auto [stop, error] = std::from_chars(name.data() + 1, end, number);
    if (error != std::errc() || stop != end || number > 31) return std::nullopt;
    return number;
}
}  // namespace

bool register_exists(std::string_view name) {
    if (name.starts_with(kCsrPrefix))
        return name.size() > kCsrPrefix.size() && csr_number(name.substr(kCsrPrefix.size())).has_value();
    return name == "pc" || numbered(name, 'x') || numbered(name, 'f');
}

std::optional<u64> peek(Hart& hart, std::string_view name) {
    const Cpu& cpu = dynamic_cast<HartEngine&>(hart).cpu();
    if (name == "pc") return cpu.s.pc;
    if (const auto number = numbered(name, 'x')) return cpu.s.x[*number];
    if (const auto number = numbered(name, 'f')) return cpu.s.f[*number];
    if (!name.starts_with(kCsrPrefix)) return std::nullopt;
    const auto number = csr_number(name.substr(kCsrPrefix.size()));
    u64 value = 0;
    if (!number || !csr_peek(cpu, *number, value)) return std::nullopt;
    return value;
}
}  // namespace hartline
