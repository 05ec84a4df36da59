// Joins TCP segments that follow each other to one frame, which the receiver takes in one go: the reverse of
// segment().
#pragma once
#include <functional>
#include <span>

#include "devices/net/frame.hpp"

namespace hartline::net {

class Coalescer {
public:
    using Emit = std::function<void(Frame&&)>;
    explicit Coalescer(Emit emit) : emit_(std::move(emit)) {}

    // Frames whose checksums are known to be right. Emits those that can grow no more, in the order that they
    // came in.
    void add(std::span<const u8> frame);
    // Emits what is kept back.
    void flush();

private:
    bool joins(std::span<const u8> frame, const Layout& layout) const;
    void begin(std::span<const u8> frame, const Layout& layout);
    void join(std::span<const u8> frame, const Layout& layout);

    Emit emit_;
    Frame frame_;  // kept back; empty: none
    Layout layout_;
    u64 step_ = 0;      // payload of each segment but the last
    u32 next_seq_ = 0;  // of what would follow
    unsigned joined_ = 0;
};
}  // namespace hartline::net
