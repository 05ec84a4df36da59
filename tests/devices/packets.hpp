// Packets for tests, made the plain way, and their checks: what the code under test is compared with.
#pragma once
#include <algorithm>
#include <random>
#include <vector>

#include "devices/net/bytes.hpp"
#include "devices/net/frame.hpp"

namespace hartline::test {
using net::Frame;
using Bytes = std::vector<u8>;

// RFC 1071, word by word.
inline u16 plain_sum(const Bytes& bytes, u32 sum = 0) {
    for (std::size_t i = 0; i < bytes.size(); i += 2)
        sum += static_cast<u32>(bytes[i] << 8) + (i + 1 < bytes.size() ? bytes[i + 1] : 0u);
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<u16>(sum);
}
inline Bytes slice(const Bytes& bytes, std::size_t from, std::size_t to) {
    return {bytes.begin() + static_cast<std::ptrdiff_t>(from),
            bytes.begin() + static_cast<std::ptrdiff_t>(to)};
}

struct Packet {
    bool ip6 = false, udp = false;
    unsigned vlans = 0;
    unsigned ip_options = 0, tcp_options = 0;  // in words of 4 bytes
    u32 seq = 1000;
    u16 id = 7;
    u8 flags = 0x10;  // of TCP: ACK
    Bytes payload;

    std::size_t network() const { return 14 + 4 * vlans; }
    std::size_t transport() const { return network() + (ip6 ? 40 : 20 + 4 * ip_options); }
    std::size_t data() const { return transport() + (udp ? 8 : 20 + 4 * tcp_options); }
    // The whole, with right lengths and IP checksum; the transport's sum is that of the pseudo-header only.
    Bytes bytes() const {
        Bytes all(data());
        for (u8 i = 0; i < 12; ++i) all[i] = static_cast<u8>(2 + 16 * i);
        for (unsigned tag = 0; tag < vlans; ++tag) net::put16(all, 12 + 4 * tag, 0x8100);
        net::put16(all, network() - 2, ip6 ? 0x86dd : 0x0800);
        all.insert(all.end(), payload.begin(), payload.end());
        put_network(all);
        const std::size_t at = transport();
        net::put16(all, at, 4000);
        net::put16(all, at + 2, 80);
        if (udp) {
            net::put16(all, at + 4, static_cast<u16>(all.size() - at));
        } else {
            net::put32(all, at + 4, seq);
            net::put32(all, at + 8, 77);
            all[at + 12] = static_cast<u8>((5 + tcp_options) << 4);
            all[at + 13] = flags;
            net::put16(all, at + 14, 512);
            std::fill_n(all.begin() + static_cast<std::ptrdiff_t>(at) + 20, 4 * tcp_options, u8{1});
        }
        net::put16(all, checksum_at(), pseudo(all));
        return all;
    }
    std::size_t checksum_at() const { return transport() + (udp ? 6 : 16); }
    u16 pseudo(const Bytes& all) const {
        Bytes header = slice(all, network() + (ip6 ? 8 : 12), network() + (ip6 ? 40 : 20));
        const auto length = static_cast<u32>(all.size() - transport());
        for (const u32 part : {length >> 16, length & 0xffff, u32{udp ? net::kUdp : net::kTcp}}) {
            header.push_back(static_cast<u8>(part >> 8));
            header.push_back(static_cast<u8>(part));
        }
        return plain_sum(header);
    }
    // Is every sum of a packet of this shape right?
    bool sums_hold(const Bytes& all) const {
        const bool network_holds = ip6 || plain_sum(slice(all, network(), transport())) == 0xffff;
        return network_holds && plain_sum(slice(all, transport(), all.size()), pseudo(all)) == 0xffff;
    }
    Frame frame(u16 gso_size = 0) const {
        Frame made;
        made.bytes = bytes();
        made.offload.flags = net::kNeedsCsum;
        made.offload.csum_start = static_cast<u16>(transport());
        made.offload.csum_offset = udp ? 6 : 16;
        made.offload.gso_size = gso_size;
        if (gso_size != 0) made.offload.gso_type = udp ? net::kGsoUdp : ip6 ? net::kGsoTcp6 : net::kGsoTcp4;
        return made;
    }

private:
    void put_network(Bytes& all) const {
        const std::size_t at = network();
        const auto rest = static_cast<u16>(all.size() - at);
        const u8 protocol = udp ? net::kUdp : net::kTcp;
        if (ip6) {
            all[at] = 0x60;
            net::put16(all, at + 4, static_cast<u16>(rest - 40));
            all[at + 6] = protocol;
            for (u8 i = 8; i < 40; ++i) all[at + i] = static_cast<u8>(i * 37);
            return;
        }
        all[at] = static_cast<u8>(0x40 | (5 + ip_options));
        net::put16(all, at + 2, rest);
        net::put16(all, at + 4, id);
        all[at + 8] = 64;
        all[at + 9] = protocol;
        for (u8 i = 12; i < 20; ++i) all[at + i] = static_cast<u8>(i * 51);
        std::fill_n(all.begin() + static_cast<std::ptrdiff_t>(at) + 20, 4 * ip_options, u8{1});
        net::put16(all, at + 10, static_cast<u16>(~plain_sum(slice(all, at, transport()))));
    }
};

inline Bytes random_bytes(std::mt19937_64& random, std::size_t count) {
    Bytes bytes(count);
    for (u8& byte : bytes) byte = static_cast<u8>(random());
    return bytes;
}
inline Packet random_packet(std::mt19937_64& random, std::size_t most = 20'000) {
    Packet packet;
    packet.ip6 = random() % 2 != 0;
    packet.udp = random() % 3 == 0;
    packet.vlans = static_cast<unsigned>(random() % 3);
    packet.ip_options = static_cast<unsigned>(random() % 3);
    packet.tcp_options = static_cast<unsigned>(random() % 6);
    packet.seq = static_cast<u32>(random());
    packet.id = static_cast<u16>(random());
    packet.flags = static_cast<u8>(0x10 | (random() & 0x89));  // CWR, PSH, FIN
    packet.payload = random_bytes(random, random() % most);
    return packet;
}
}  // namespace hartline::test
