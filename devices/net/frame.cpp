// Checksums and segmentation in software.
#include "devices/net/frame.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "devices/net/bytes.hpp"

namespace hartline::net {
namespace {
constexpr u16 kIp4 = 0x0800, kIp6 = 0x86dd, kVlan = 0x8100, kVlanOuter = 0x88a8;
constexpr u64 kIp4Bytes = 20, kIp6Bytes = 40, kTcpBytes = 20, kUdpBytes = 8;
constexpr u8 kFin = 1, kPsh = 8, kCwr = 0x80;  // of byte 13 of a TCP header

u16 fold(u64 sum) {
    while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<u16>(sum);
}

// RFC 8200, "IPv6 Extension Headers": hop-by-hop, routing and destination options, each with its own length.
bool skip_extensions(std::span<const u8> frame, u64& at, u8& next) {
    while (next == 0 || next == 43 || next == 60) {
        if (frame.size() < at + 8) return false;
        next = frame[at];
        at += 8 + u64{8} * frame[at + 1];
    }
    return at <= frame.size();
}

bool network_layout(std::span<const u8> frame, Layout& layout) {
    u64 at = kEthernetBytes;
    if (frame.size() < at) return false;
    u16 type = get16(frame, at - 2);
    for (int tags = 0; tags < 2 && (type == kVlan || type == kVlanOuter); ++tags) {
        at += kVlanBytes;
        if (frame.size() < at) return false;
        type = get16(frame, at - 2);
    }
    layout.network = at;
    layout.ip6 = type == kIp6;
    if (type == kIp4) {
        if (frame.size() < at + kIp4Bytes || frame[at] >> 4 != 4) return false;
        const u64 header = u64{4} * (frame[at] & 15);
        layout.protocol = frame[at + 9];
        layout.transport = at + header;
        constexpr u16 kFragment = 0x3fff;  // more to come, or not the first
        return header >= kIp4Bytes && (get16(frame, at + 6) & kFragment) == 0;
    }
    if (type != kIp6 || frame.size() < at + kIp6Bytes || frame[at] >> 4 != 6) return false;
    layout.protocol = frame[at + 6];
    layout.transport = at + kIp6Bytes;
    return skip_extensions(frame, layout.transport, layout.protocol);
}

// The length fields and the header's checksum, for a packet of `frame`'s length.
void set_network_length(std::span<u8> frame, const Layout& layout) {
    const u64 at = layout.network;
    if (layout.ip6) return put16(frame, at + 4, static_cast<u16>(frame.size() - at - kIp6Bytes));
    put16(frame, at + 2, static_cast<u16>(frame.size() - at));
    put16(frame, at + 10, 0);
    put16(frame, at + 10, static_cast<u16>(~ones_sum(frame.subspan(at, layout.transport - at))));
}

void set_transport_checksum(std::span<u8> frame, const Layout& layout) {
    const u64 field = layout.transport + (layout.protocol == kTcp ? 16 : 6);
    put16(frame, field, 0);
    const std::span<const u8> covered = frame.subspan(layout.transport);
    const u16 sum = ones_sum(covered, pseudo_sum(frame, layout, covered.size()));
    put16(frame, field, sum == 0xffff ? u16{0xffff} : static_cast<u16>(~sum));
}

bool type_fits(u8 gso_type, const Layout& layout) {
    switch (gso_type & ~kGsoEcn) {
        case kGsoTcp4: return layout.protocol == kTcp && !layout.ip6;
        case kGsoTcp6: return layout.protocol == kTcp && layout.ip6;
        case kGsoUdp: return layout.protocol == kUdp && (gso_type & kGsoEcn) == 0;
        default: return false;
    }
}

struct Piece {
    u64 offset, bytes;  // of the payload
    unsigned number;
    bool last;
};

Frame cut(const Frame& whole, const Layout& layout, const Piece& piece) {
    Frame frame;
    const auto from = whole.bytes.begin();
    const auto headers = static_cast<std::ptrdiff_t>(layout.payload);
    const auto start = headers + static_cast<std::ptrdiff_t>(piece.offset);
    frame.bytes.reserve(layout.payload + piece.bytes);
    frame.bytes.assign(from, from + headers);
    frame.bytes.insert(frame.bytes.end(), from + start,
                       from + start + static_cast<std::ptrdiff_t>(piece.bytes));
    const std::span<u8> bytes = frame.bytes;
    if (!layout.ip6) {
        const u64 id = layout.network + 4;
        put16(bytes, id, static_cast<u16>(get16(bytes, id) + piece.number));
    }
    set_network_length(bytes, layout);
    const u64 transport = layout.transport;
    if (layout.protocol == kTcp) {
        put32(bytes, transport + 4, static_cast<u32>(get32(bytes, transport + 4) + piece.offset));
        u8& flags = bytes[transport + 13];
        if (!piece.last) flags &= static_cast<u8>(~(kFin | kPsh));
        if (piece.number != 0) flags &= static_cast<u8>(~kCwr);
    } else {
        put16(bytes, transport + 4, static_cast<u16>(bytes.size() - transport));
    }
    set_transport_checksum(bytes, layout);
    return frame;
}
}  // namespace

bool layout_of(std::span<const u8> frame, Layout& layout) {
    if (!network_layout(frame, layout)) return false;
    const u64 at = layout.transport;
    if (layout.protocol == kTcp) {
        if (frame.size() < at + kTcpBytes) return false;
        layout.payload = at + u64{4} * (frame[at + 12] >> 4);
        return layout.payload >= at + kTcpBytes && layout.payload <= frame.size();
    }
    layout.payload = at + kUdpBytes;
    return layout.protocol == kUdp && layout.payload <= frame.size();
}

// Sums 32-bit words as the host has them: the sum of swapped words is the swapped sum (RFC 1071, "Byte Order
// Independence").
u16 ones_sum(std::span<const u8> bytes, u64 start) {
    u64 sum = 0;
    const u8* at = bytes.data();
    std::size_t left = bytes.size();
    for (; left >= 4; left -= 4, at += 4) {
        u32 word = 0;
        std::memcpy(&word, at, 4);
        sum += word;
    }
    std::array<u8, 4> tail{};
    std::copy_n(at, left, tail.begin());
    sum += std::bit_cast<u32>(tail);
    const u16 folded = fold(sum);
    const u16 big =
        std::endian::native == std::endian::little ? static_cast<u16>(folded << 8 | folded >> 8) : folded;
    return fold(start + big);
}

u64 pseudo_sum(std::span<const u8> frame, const Layout& layout, u64 bytes) {
    const u64 addresses = layout.network + (layout.ip6 ? 8 : 12);
    return ones_sum(frame.subspan(addresses, layout.ip6 ? 32 : 8)) + u64{layout.protocol} + (bytes >> 16) +
           (bytes & 0xffff);
}

bool sound(const Frame& frame) {
    const Offload& offload = frame.offload;
    const u64 size = frame.bytes.size();
    if (size < kEthernetBytes || size > kMostFrameBytes) return false;
    if ((offload.flags & kNeedsCsum) != 0 &&
        (offload.csum_start < kEthernetBytes || u64{offload.csum_start} + offload.csum_offset + 2 > size))
        return false;
    // "Device Requirements: Packet Transmission": segments are cut only where checksums are filled in.
    return offload.gso_type == kGsoNone || ((offload.flags & kNeedsCsum) != 0 && offload.gso_size != 0);
}

void finish_checksum(Frame& frame) {
    const Offload offload = std::exchange(frame.offload, {});
    if ((offload.flags & kNeedsCsum) == 0) return;
    const std::span<u8> bytes = frame.bytes;
    const auto sum = static_cast<u16>(~ones_sum(bytes.subspan(offload.csum_start)));
    put16(bytes, u64{offload.csum_start} + offload.csum_offset, sum == 0 ? u16{0xffff} : sum);
}

bool segment(const Frame& frame, const std::function<void(Frame&&)>& emit) {
    Layout layout;
    const u64 step = frame.offload.gso_size;
    if (!sound(frame) || !layout_of(frame.bytes, layout) || !type_fits(frame.offload.gso_type, layout))
        return false;
    const u64 payload = frame.bytes.size() - layout.payload;
    if (payload > step * kMostSegments || layout.payload - layout.network + step > 65535) return false;
    Piece piece{0, 0, 0, false};
    do {
        piece.bytes = std::min(step, payload - piece.offset);
        piece.last = piece.offset + piece.bytes == payload;
        emit(cut(frame, layout, piece));
        piece.offset += piece.bytes;
        ++piece.number;
    } while (!piece.last);
    return true;
}
}  // namespace hartline::net
