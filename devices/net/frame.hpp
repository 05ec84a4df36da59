// Ethernet frames with work still to do on them: checksums to fill in, segments to cut.
//
// The work is described as virtio does it, which is also how Linux' TAP describes it. References are to
// "Network Device" of virtio 1.2.
#pragma once
#include <array>
#include <functional>
#include <span>
#include <vector>

#include "core/types.hpp"

namespace hartline::net {

using Mac = std::array<u8, 6>;

// The head of `struct virtio_net_hdr`, little-endian as a guest's.
struct Offload {
    u8 flags = 0;
    u8 gso_type = 0;
    u16 header_bytes = 0;  // a hint, never relied on
    u16 gso_size = 0;      // payload bytes of a segment
    u16 csum_start = 0;    // from there to the end is summed,
    u16 csum_offset = 0;   // and the sum goes there, counted from csum_start
};
static_assert(sizeof(Offload) == 10);

inline constexpr u8 kNeedsCsum = 1, kDataValid = 2;                         // of Offload::flags
inline constexpr u8 kGsoNone = 0, kGsoTcp4 = 1, kGsoTcp6 = 4, kGsoUdp = 5;  // of Offload::gso_type
inline constexpr u8 kGsoEcn = 0x80;                                         // with one of the TCPs

inline constexpr u64 kEthernetBytes = 14, kVlanBytes = 4;
// The longest: an IP packet of 64 KiB, tagged twice.
inline constexpr u64 kMostFrameBytes = 65535 + kEthernetBytes + 2 * kVlanBytes;
inline constexpr unsigned kMostSegments = 2048;  // that one frame is cut into

struct Frame {
    Offload offload;
    std::vector<u8> bytes;
};

// Where the packet in a frame has its parts. Only what was checked to lie inside.
struct Layout {
    u64 network = 0;    // offset of the IP header
    u64 transport = 0;  // offset of the TCP or UDP header
    u64 payload = 0;
    u8 protocol = 0;  // kTcp, kUdp
    bool ip6 = false;
};
inline constexpr u8 kTcp = 6, kUdp = 17;
// Of a TCP or UDP packet that is no fragment. What its length fields say is not looked at. false: it is none.
bool layout_of(std::span<const u8> frame, Layout& layout);

// The sum of "Internet checksum" (RFC 1071) over bytes, folded, not complemented.
u16 ones_sum(std::span<const u8> bytes, u64 start = 0);
// That of the pseudo-header in front of a transport header with `bytes` from there on (RFC 9293, RFC 8200).
u64 pseudo_sum(std::span<const u8> frame, const Layout& layout, u64 bytes);

// Are the numbers in the frame's Offload possible for its bytes?
bool sound(const Frame& frame);
// Fills the checksum in, if it is wanted. The frame is sound().
void finish_checksum(Frame& frame);
// Cuts a frame with a gso_type into frames without, whose checksums are filled in. false: the frame is no
// such packet, or would be too many; nothing was emitted.
bool segment(const Frame& frame, const std::function<void(Frame&&)>& emit);
}  // namespace hartline::net
