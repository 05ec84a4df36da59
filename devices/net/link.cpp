// Bounds, and waking the server.
#include "devices/net/link.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

namespace hartline::net {
namespace {
constexpr u64 kMostRecord = kFrameRecordBytes + kMostFrameBytes;
}

Link::Link() : wake_fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (wake_fd_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
}
Link::~Link() { ::close(wake_fd_); }

void Link::wake() {
    if (woken_.exchange(true)) return;
    const u64 one = 1;
    while (::write(wake_fd_, &one, sizeof one) < 0 && errno == EINTR) {}
}

// The flag goes last: were a wake() in between to set it again, the descriptor would be read empty and no
// later one would write to it. What a wake() in between was for is there by then, to be found after this.
void Link::clear_wake() {
    u64 count = 0;
    while (::read(wake_fd_, &count, sizeof count) < 0 && errno == EINTR) {}
    woken_.store(false);
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
