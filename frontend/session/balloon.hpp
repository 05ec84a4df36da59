// A machine's balloon: what can be asked for, and what a person is told of it.
#pragma once
#include <optional>
#include <string>

#include "core/types.hpp"
#include "devices/virtio/balloon.hpp"

namespace hartline {
struct RunConfig;

struct BalloonConfig {
    bool present = false;
    u64 size = 0;  // bytes of its memory that the guest is to make do with; 0: all of it
    bool operator==(const BalloonConfig&) const = default;
};

// on, off or SIZE. Throws InputError.
BalloonConfig parse_balloon(const std::string& text);
std::string balloon_text(const BalloonConfig& config);  // parse_balloon() reads it back
// Throws InputError: SIZE is none that the machine's memory has.
void validate_balloon(const RunConfig& config);
// What `hartline run` has where nothing is asked for: one, where there is a place for it, but none in an
// exact run.
BalloonConfig default_balloon(const RunConfig& config);
// How much the balloon is to hold.
u64 balloon_bytes(const BalloonConfig& config, u64 memory);
// A line on what the balloon holds, what the guest says of its memory, and what the host has given to it.
std::string balloon_line(const BalloonReport& report, u64 memory);
}  // namespace hartline
