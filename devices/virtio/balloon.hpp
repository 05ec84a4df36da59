// virtio-balloon: a guest gives memory back to the host, when asked and of itself.
#pragma once
#include <array>
#include <functional>
#include <optional>
#include <span>

#include "devices/virtio/device.hpp"

namespace hartline {

// What a guest says about its memory. References are to "Memory Statistics Tags" of virtio 1.2.
struct BalloonReport {
    // The tags of the specification, by number; those of memory are in bytes.
    enum Tag : u16 { kSwapIn, kSwapOut, kMajorFaults, kMinorFaults, kFree, kTotal, kAvailable, kCaches };
    static constexpr unsigned kTags = 10;
    std::array<std::optional<u64>, kTags> statistics;  // what the guest does not tell is empty
    u64 target_bytes = 0;                              // that the balloon is to hold
    u64 held_bytes = 0;                                // that the guest says it holds
};

struct BalloonOptions {
    u64 target_bytes = 0;  // that the guest is asked to give, at power-on; whole 4 KiB frames
    // Told what balloon_question() asked for, on the machine's thread. Empty: nobody asks.
    std::function<void(const BalloonReport&)> report = {};
};
// The device takes records as its input, which the two functions below make.
VirtioFactory virtio_balloon(const BalloonOptions& options = {});

// A record that asks the guest to give (or take back) memory, until the balloon holds `target_bytes`.
std::array<u8, 9> balloon_target(u64 target_bytes);
// A record that asks for a report.
std::array<u8, 1> balloon_question();
}  // namespace hartline
