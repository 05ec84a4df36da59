// What may be joined, and how: as "generic receive offload" of Linux does it.
#include "devices/net/coalesce.hpp"

#include <algorithm>
#include <utility>

#include "devices/net/bytes.hpp"

namespace hartline::net {
namespace {
constexpr u8 kPsh = 8, kAck = 0x10;
constexpr u64 kMostPacket = 65535;
constexpr u64 kFlags = 13;  // of a TCP header

bool same(std::span<const u8> a, std::span<const u8> b, u64 at, u64 bytes) {
    return std::equal(a.begin() + static_cast<std::ptrdiff_t>(at),
                      a.begin() + static_cast<std::ptrdiff_t>(at + bytes),
                      b.begin() + static_cast<std::ptrdiff_t>(at));
}

// A whole TCP segment with data, and nothing unusual: no options of IP, no flags but ACK and PSH, no padding.
bool joinable(std::span<const u8> frame, const Layout& layout) {
    if (layout.protocol != kTcp || layout.payload == frame.size()) return false;
    const u64 ip = layout.network, header = layout.transport - ip;
    const u64 packet = layout.ip6 ? get16(frame, ip + 4) + u64{40} : get16(frame, ip + 2);
    return header == (layout.ip6 ? 40 : 20) && packet == frame.size() - ip &&
           (frame[layout.transport + kFlags] & ~kPsh) == kAck;
}
}  // namespace

// What must be equal: all but lengths, checksums, IPv4's identification, the sequence number and PSH.
bool Coalescer::joins(std::span<const u8> frame, const Layout& layout) const {
    const std::span<const u8> kept = frame_.bytes;
    const u64 ip = layout.network, tcp = layout.transport, data = frame.size() - layout.payload;
    if (kept.empty() || layout.transport != layout_.transport || layout.payload != layout_.payload ||
        layout.ip6 != layout_.ip6 || data > step_ || kept.size() - ip + data > kMostPacket ||
        (kept.size() - layout.payload) % step_ != 0 || (kept[tcp + kFlags] & kPsh) != 0 ||
        get32(frame, tcp + 4) != next_seq_)
        return false;
    const bool network = layout.ip6 ? same(kept, frame, ip, 4) && same(kept, frame, ip + 6, 34)
                                    : same(kept, frame, ip, 2) && same(kept, frame, ip + 6, 4) &&
                                          same(kept, frame, ip + 12, 8);
    return same(kept, frame, 0, ip) && network && same(kept, frame, tcp, 4) &&
           same(kept, frame, tcp + 8, 5) && same(kept, frame, tcp + 14, 2) &&
           same(kept, frame, tcp + 18, layout.payload - tcp - 18);
}

void Coalescer::begin(std::span<const u8> frame, const Layout& layout) {
    frame_.bytes.reserve(kMostFrameBytes);
    frame_.bytes.assign(frame.begin(), frame.end());
    frame_.offload = {};
    layout_ = layout;
    step_ = frame.size() - layout.payload;
    next_seq_ = static_cast<u32>(get32(frame, layout.transport + 4) + step_);
    joined_ = 1;
}

void Coalescer::join(std::span<const u8> frame, const Layout& layout) {
    const u64 data = frame.size() - layout.payload;
    frame_.bytes.insert(frame_.bytes.end(), frame.begin() + static_cast<std::ptrdiff_t>(layout.payload),
                        frame.end());
    if ((frame[layout.transport + kFlags] & kPsh) != 0) frame_.bytes[layout.transport + kFlags] |= kPsh;
    next_seq_ = static_cast<u32>(next_seq_ + data);
    ++joined_;
}

void Coalescer::add(std::span<const u8> frame) {
    Layout layout;
    if (!layout_of(frame, layout) || !joinable(frame, layout)) {
        flush();
        emit_({{.flags = kDataValid}, {frame.begin(), frame.end()}});
    } else if (joins(frame, layout)) {
        join(frame, layout);
    } else {
        flush();
        begin(frame, layout);
    }
}

void Coalescer::flush() {
    if (frame_.bytes.empty()) return;
    Frame done = std::exchange(frame_, {});
    done.offload.flags = kDataValid;
    if (joined_ > 1) {
        const std::span<u8> bytes = done.bytes;
        const u64 ip = layout_.network, tcp = layout_.transport;
        done.offload = {.flags = kNeedsCsum,
                        .gso_type = layout_.ip6 ? kGsoTcp6 : kGsoTcp4,
                        .header_bytes = static_cast<u16>(layout_.payload),
                        .gso_size = static_cast<u16>(step_),
                        .csum_start = static_cast<u16>(tcp),
                        .csum_offset = 16};
        if (layout_.ip6) {
            put16(bytes, ip + 4, static_cast<u16>(bytes.size() - tcp));
        } else {
            put16(bytes, ip + 2, static_cast<u16>(bytes.size() - ip));
            put16(bytes, ip + 10, 0);
            put16(bytes, ip + 10, static_cast<u16>(~ones_sum(bytes.subspan(ip, tcp - ip))));
        }
        put16(bytes, tcp + 16, ones_sum({}, pseudo_sum(bytes, layout_, bytes.size() - tcp)));
    }
    emit_(std::move(done));
}
}  // namespace hartline::net
