// Two bounded queues between a card, on its machine's threads, and whoever serves it on a thread of his own.
#pragma once
#include <atomic>
#include <deque>
#include <mutex>
#include <vector>

#include "core/platform/waker.hpp"
#include "devices/net/backend.hpp"

namespace hartline::net {

class Link {
public:
    // Of records on their way to the card, the card's own queue included.
    static constexpr u64 kMostInbound = 1 << 20;
    static constexpr u64 kMostOutbound = 4 << 20;  // bytes of frames from the card
    static constexpr std::size_t kMostFrames = 8192;

    // `waker` (if any) is used when there is something to collect, and when there is room again.
    explicit Link(Waker* waker = nullptr) : waker_(waker) {}
    Link(const Link&) = delete;
    Link& operator=(const Link&) = delete;

    // --- the card's side
    void send(Frame frame);  // lost when the queue is full
    void taken(u64 bytes);

    // --- the server's side
    void open(Deliver deliver);
    void close();  // nothing is delivered after it
    bool is_open() const { return open_.load(std::memory_order_acquire); }
    // Has the card room for any frame? When not, the waker tells when it has.
    bool room();
    void deliver(const Frame& frame);  // lost when the card has no room
    std::deque<Frame> collect();       // what the card has sent

private:
    void wake() {
        if (waker_ != nullptr) waker_->wake();
    }

    Waker* waker_;
    std::atomic<bool> open_{false};
    std::atomic<bool> starved_{false};  // room() has said no
    std::atomic<u64> inbound_{0};
    std::mutex deliver_lock_;
    Deliver deliver_;
    std::mutex outbound_lock_;
    std::deque<Frame> outbound_;
    u64 outbound_bytes_ = 0;
};
}  // namespace hartline::net
