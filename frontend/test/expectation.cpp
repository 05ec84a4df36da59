// Reading and checking of expectations.
#include "frontend/test/expectation.hpp"

#include <fnmatch.h>

#include <algorithm>
#include <charconv>
#include <cinttypes>
#include <cstdio>

#include "cpu/peek.hpp"
#include "frontend/host/files.hpp"
#include "frontend/session/errors.hpp"

namespace hartline {
namespace {
constexpr u64 kMostBytes = 16 << 20;
constexpr unsigned kMostHarts = RunConfig::kMostHarts;
constexpr const char* kCheckWayOut = "write for example: expect exit=0, insns=1234, csr.mcause=2, x10=0xff";

std::string_view trimmed(std::string_view text) {
    const std::size_t first = text.find_first_not_of(" \t\r");
    return first == std::string_view::npos ? ""
                                           : text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

std::string in_quotes(std::string_view text) { return "'" + std::string(text) + "'"; }

// All of `digits` as a number of that base.
bool read_digits(std::string_view digits, int base, u64& value) {
    const char* end = digits.data() + digits.size();
    const auto [stop, error] = std::from_chars(digits.data(), end, value, base);
    return error == std::errc() && stop == end && !digits.empty();
}

bool read_number(std::string_view text, u64& value) {
    const bool negative = text.starts_with('-');
    if (negative) text.remove_prefix(1);
    const bool hexadecimal = text.starts_with("0x") || text.starts_with("0X");
    if (!read_digits(hexadecimal ? text.substr(2) : text, hexadecimal ? 16 : 10, value)) return false;
    if (negative && value > u64{1} << 63) return false;
    if (negative) value = ~value + 1;
    return true;
}

class CheckReader {
public:
    CheckReader(std::string where, std::string_view text) : where_(std::move(where)), text_(text) {}

    Check read() {
        const std::size_t equals = text_.find('=');
        if (equals == std::string_view::npos) refuse(in_quotes(text_) + " is no KEY=VALUE");
        key_ = trimmed(text_.substr(0, equals));
        value_ = trimmed(text_.substr(equals + 1));
        check_.where = where_;
        check_.text = std::string(key_) + "=" + std::string(value_);
        if (key_ == "insns") {
            check_.what = Check::What::Instructions;
            read_value();
        } else if (key_ == "hash") {
            read_hash();
        } else if (key_ == "exit") {
            read_exit();
        } else {
            read_register();
        }
        return check_;
    }

private:
    [[noreturn]] void refuse(const std::string& what, const std::string& way_out = kCheckWayOut) const {
        throw InputError(where_, what, way_out);
    }

    void read_value() {
        if (!read_number(value_, check_.value))
            refuse(in_quotes(value_) + " is no number for " + std::string(key_),
                   "write it in decimal or as 0x…");
    }

    void read_hash() {
        check_.what = Check::What::Hash;
        const std::string_view digits = value_.starts_with("0x") ? value_.substr(2) : value_;
        if (digits.size() > 16 || !read_digits(digits, 16, check_.value))
            refuse(in_quotes(value_) + " is no hash",
                   "take the 16 digits after state_hash= of hartline run --stats");
    }

    void read_exit() {
        check_.what = Check::What::Exit;
        if (value_ == "limit")
            check_.ending = {Ending::How::Limit};
        else if (value_ == "stuck")
            check_.ending = {Ending::How::Stuck};
        else if (u64 code = 0; read_number(value_, code) && code <= 0xffff'ffff)
            check_.ending = {Ending::How::Exit, static_cast<u32>(code)};
        else
            refuse(in_quotes(value_) + " is no way to exit", "write a code (0: power-off), limit or stuck");
    }

    void read_register() {
        check_.what = Check::What::Register;
        std::string_view reg = key_;
        if (u64 hart = 0; reg.starts_with("hart") && reg.find('.') != std::string_view::npos) {
            const std::size_t dot = reg.find('.');
            if (!read_digits(reg.substr(4, dot - 4), 10, hart) || hart >= kMostHarts)
                refuse(in_quotes(key_) + ": there is no such hart", "hart0 to hart63");
            check_.hart = static_cast<unsigned>(hart);
            reg = reg.substr(dot + 1);
        }
        if (!register_exists(reg))
            refuse(in_quotes(key_) + " is unknown",
                   "insns, hash, exit, x0 to x31, f0 to f31, pc or csr.NAME");
        check_.reg = reg;
        read_value();
    }

    std::string where_;
    std::string_view text_, key_, value_;
    Check check_;
};

void read_checks(const std::string& where, std::string_view rest, std::vector<Check>& to) {
    for (bool more = true; more;) {
        const std::size_t comma = rest.find(',');
        more = comma != std::string_view::npos;
        const std::string_view one = trimmed(rest.substr(0, comma));
        if (one.empty()) throw InputError(where, "expects nothing", kCheckWayOut);
        to.push_back(CheckReader(where, one).read());
        if (more) rest.remove_prefix(comma + 1);
    }
}

std::string hex(u64 value) {
    char text[24];
    std::snprintf(text, sizeof text, "0x%" PRIx64, value);
    return text;
}

std::string is_instead(const Check& check, const std::string& value) {
    return "expected " + check.text + ", got " + value + " (" + check.where + ")";
}
}  // namespace

Expectations Expectations::parse(const std::string& path, std::string_view text, Of of) {
    Expectations all;
    all.sections_.push_back({"*", path, {}});
    for (unsigned number = 1; !text.empty(); ++number) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        line = trimmed(line.substr(0, line.find('#')));
        if (line.empty()) continue;
        const std::string where = path + ":" + std::to_string(number);
        const std::size_t blank = std::min(line.find_first_of(" \t"), line.size());
        const std::string_view word = line.substr(0, blank), rest = trimmed(line.substr(blank));
        if (word == "expect") {
            read_checks(where, rest, all.sections_.back().checks);
        } else if (word == "test") {
            if (of == Of::OneTest)
                throw InputError(where, "'test' in a file beside its program",
                                 "for many tests: --expect FILE");
            if (rest.empty())
                throw InputError(where, "'test' names none", "write for example: test rv64ui-p-*");
            all.sections_.push_back({std::string(rest), where, {}});
        } else {
            throw InputError(where, in_quotes(word) + " is unknown", "lines begin with expect, test or #");
        }
    }
    return all;
}

Expectations Expectations::read(const std::string& path, Of of) {
    const auto bytes = read_file(path, kMostBytes, "is too large for expectations");
    return parse(path, {reinterpret_cast<const char*>(bytes.data()), bytes.size()}, of);
}

std::vector<Check> Expectations::checks_of(const std::string& test) const {
    std::vector<Check> found;
    for (const Section& section : sections_)
        if (::fnmatch(section.pattern.c_str(), test.c_str(), 0) == 0)
            found.insert(found.end(), section.checks.begin(), section.checks.end());
    return found;
}

std::vector<std::string> Expectations::unused_patterns(const std::vector<std::string>& tests) const {
    std::vector<std::string> unused;
    for (const Section& section : sections_) {
        const auto matches = [&](const std::string& test) {
            return ::fnmatch(section.pattern.c_str(), test.c_str(), 0) == 0;
        };
        if (std::none_of(tests.begin(), tests.end(), matches))
            unused.push_back(section.where + ": " + in_quotes(section.pattern));
    }
    return unused;
}

// How a test ended is told by whoever knows its conventions: here only whether it is as expected.
std::string complaint_about(const Check& check, const Trial& trial, Machine& machine) {
    switch (check.what) {
        case Check::What::Exit:
            return check.ending == trial.ending ? "" : is_instead(check, describe(trial.ending));
        case Check::What::Instructions:
            return check.value == trial.instructions ? ""
                                                     : is_instead(check, std::to_string(trial.instructions));
        case Check::What::Hash: {
            char text[24];
            std::snprintf(text, sizeof text, "%016" PRIx64, trial.hash);
            return check.value == trial.hash ? "" : is_instead(check, text);
        }
        case Check::What::Register: break;
    }
    if (check.hart >= machine.harts())
        return is_instead(check, "a machine of " + std::to_string(machine.harts()) + " harts");
    const auto value = peek(machine.hart(check.hart), check.reg);
    if (!value) return is_instead(check, "a hart without " + check.reg);
    return *value == check.value ? "" : is_instead(check, hex(*value));
}
}  // namespace hartline
