// Bounds, and waking the server.
#include "devices/net/link.hpp"

#include <algorithm>
#include <utility>

namespace hartline::net {
namespace {
constexpr u64 kMostRecord = kFrameRecordBytes + kMostFrameBytes;
}

void Link::send(Frame frame) {
    if (!is_open()) return;
    {
        const std::lock_guard lock(outbound_lock_);
        if (outbound_.size() >= kMostFrames || outbound_bytes_ + frame.bytes.size() > kMostOutbound) return;
        outbound_bytes_ += frame.bytes.size();
        outbound_.push_back(std::move(frame));
    }
    wake();
}

std::deque<Frame> Link::collect() {
    const std::lock_guard lock(outbound_lock_);
    outbound_bytes_ = 0;
    return std::exchange(outbound_, {});
}

// A replay's records were never counted here, so the count ends at zero.
void Link::taken(u64 bytes) {
    u64 before = inbound_.load();
    while (!inbound_.compare_exchange_weak(before, before - std::min(before, bytes))) {}
    if (starved_.load() && inbound_.load() + kMostRecord <= kMostInbound && starved_.exchange(false)) wake();
}

bool Link::room() {
    if (inbound_.load() + kMostRecord <= kMostInbound) return true;
    starved_.store(true);
    return inbound_.load() + kMostRecord <= kMostInbound;
}

void Link::open(Deliver deliver) {
    const std::lock_guard lock(deliver_lock_);
    deliver_ = std::move(deliver);
    open_.store(true, std::memory_order_release);
}

void Link::close() {
    const std::lock_guard lock(deliver_lock_);
    open_.store(false, std::memory_order_release);
    deliver_ = nullptr;
}

void Link::deliver(const Frame& frame) {
    const std::vector<u8> record = record_of(frame);
    const std::lock_guard lock(deliver_lock_);
    if (!deliver_ || frame.bytes.size() > kMostFrameBytes || inbound_.load() + record.size() > kMostInbound)
        return;
    inbound_ += record.size();
    deliver_(record);
}
}  // namespace hartline::net
