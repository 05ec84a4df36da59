// What the frontend throws: a complaint about the input (exit code 2), and a failure of the host (exit code
// 5).
#pragma once
#include <stdexcept>
#include <string>

namespace hartline {

// `subject: what: way out`, e.g. "disk.img: is a directory: give a raw disk image".
inline std::string complaint(const std::string& subject, const std::string& what,
                             const std::string& way_out) {
    return subject + ": " + what + (way_out.empty() ? "" : ": " + way_out);
}

// The user gave something that cannot work.
struct InputError : std::runtime_error {
    explicit InputError(const std::string& line) : std::runtime_error(line) {}
    InputError(const std::string& subject, const std::string& what, const std::string& way_out = {})
        : std::runtime_error(complaint(subject, what, way_out)) {}
};

// The host could not do what it should: disk full, file vanished.
struct HostError : std::runtime_error {
    HostError(const std::string& subject, const std::string& what, const std::string& way_out = {})
        : std::runtime_error(complaint(subject, what, way_out)) {}
};
}  // namespace hartline
