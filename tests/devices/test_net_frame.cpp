// Checksums, segmentation and its reverse, against the plain way.
#include <catch2/catch.hpp>

#include "devices/net/coalesce.hpp"
#include "tests/devices/packets.hpp"

using namespace hartline;
using namespace hartline::net;
using namespace hartline::test;

namespace {
std::vector<Frame> cut(const Frame& frame) {
    std::vector<Frame> all;
    segment(frame, [&](Frame&& piece) { all.push_back(std::move(piece)); });
    return all;
}
}  // namespace

TEST_CASE("sums are those of RFC 1071", "[net]") {
    std::mt19937_64 random(1);
    for (int i = 0; i < 3000; ++i) {
        const Bytes bytes = random_bytes(random, random() % 200);
        const auto start = static_cast<u32>(random() % 0x1'0000);
        CHECK(ones_sum(bytes, start) == plain_sum(bytes, start));
    }
}

TEST_CASE("finished checksums hold", "[net]") {
    std::mt19937_64 random(2);
    for (int i = 0; i < 1000; ++i) {
        const Packet packet = random_packet(random, 2000);
        Frame frame = packet.frame();
        REQUIRE(sound(frame));
        finish_checksum(frame);
        CHECK(packet.sums_hold(frame.bytes));
        CHECK(frame.offload.flags == 0);
        CHECK(slice(frame.bytes, packet.data(), frame.bytes.size()) == packet.payload);
    }
}

TEST_CASE("segments are what a sender without offloads would send", "[net]") {
    std::mt19937_64 random(3);
    for (int i = 0; i < 600; ++i) {
        Packet packet = random_packet(random);
        const auto step = static_cast<u16>(1 + random() % 3000);
        const std::size_t size = packet.payload.size();
        const std::vector<Frame> pieces = cut(packet.frame(step));
        if (size > std::size_t{step} * kMostSegments) {
            CHECK(pieces.empty());
            continue;
        }
        const std::size_t count = size == 0 ? 1 : (size + step - 1) / step;
        REQUIRE(pieces.size() == count);
        for (std::size_t n = 0; n < count; ++n) {
            Packet expected = packet;
            expected.payload = slice(packet.payload, n * step, std::min(size, (n + 1) * step));
            expected.seq = static_cast<u32>(packet.seq + n * step);
            expected.id = static_cast<u16>(packet.id + n);
            if (n + 1 != count) expected.flags &= 0xf6;
            if (n != 0) expected.flags &= 0x7f;
            Frame whole = expected.frame();
            finish_checksum(whole);
            REQUIRE(pieces[n].bytes == whole.bytes);
            REQUIRE(expected.sums_hold(pieces[n].bytes));
        }
    }
}

TEST_CASE("what was cut is joined to what it was", "[net]") {
    std::mt19937_64 random(4);
    unsigned joined = 0;
    for (int i = 0; i < 600; ++i) {
        Packet packet = random_packet(random, 60'000);
        packet.flags = 0x18;
        packet.ip_options = 0;
        if (packet.payload.empty()) continue;
        const auto step = static_cast<u16>(536 + random() % 3000);
        Frame whole = packet.frame(packet.payload.size() > step ? step : u16{0});
        whole.offload.header_bytes = static_cast<u16>(packet.data());
        std::vector<Frame> out;
        Coalescer coalescer([&](Frame&& frame) { out.push_back(std::move(frame)); });
        for (const Frame& piece : whole.offload.gso_size == 0 ? std::vector{whole} : cut(whole))
            coalescer.add(piece.bytes);
        coalescer.flush();
        if (packet.udp || whole.offload.gso_size == 0) continue;
        REQUIRE(out.size() == 1);
        CHECK(out[0].bytes == whole.bytes);
        CHECK(out[0].offload.gso_type == whole.offload.gso_type);
        CHECK(out[0].offload.gso_size == step);
        CHECK(sound(out[0]));
        ++joined;
    }
    CHECK(joined > 200);
}

TEST_CASE("frames of several streams keep their order and their bytes", "[net]") {
    std::mt19937_64 random(5);
    for (int game = 0; game < 200; ++game) {
        std::vector<Packet> streams(2);
        for (Packet& stream : streams) stream.tcp_options = static_cast<unsigned>(random() % 3);
        streams[1].ip6 = random() % 2 != 0;
        std::array<Bytes, 2> sent, got;
        Coalescer coalescer([&](Frame&& frame) {
            REQUIRE(sound(frame));
            Layout layout;
            REQUIRE(layout_of(frame.bytes, layout));
            const unsigned which = get32(frame.bytes, layout.transport + 4) >= 0x4000'0000 ? 1 : 0;
            const u32 seq = get32(frame.bytes, layout.transport + 4) & 0x3fff'ffff;
            REQUIRE(seq == got[which].size());
            got[which].insert(got[which].end(),
                              frame.bytes.begin() + static_cast<std::ptrdiff_t>(layout.payload),
                              frame.bytes.end());
        });
        for (int n = 0; n < 60; ++n) {
            const unsigned which = random() % 5 == 0 ? 1 : 0;
            Packet packet = streams[which];
            packet.seq = static_cast<u32>(sent[which].size() + which * 0x4000'0000);
            packet.flags = random() % 8 == 0 ? 0x18 : random() % 16 == 0 ? 0x11 : 0x10;
            packet.payload = random_bytes(random, random() % 4 == 0 ? random() % 1460 : 1460);
            sent[which].insert(sent[which].end(), packet.payload.begin(), packet.payload.end());
            Frame frame = packet.frame();
            finish_checksum(frame);
            coalescer.add(frame.bytes);
        }
        coalescer.flush();
        CHECK((got[0] == sent[0] && got[1] == sent[1]));
    }
}

TEST_CASE("work that is described wrongly is refused", "[net]") {
    Packet packet;
    packet.payload.resize(3000);
    const Frame good = packet.frame(1000);
    REQUIRE(sound(good));
    const auto with = [&](auto change) {
        Frame bad = good;
        change(bad);
        return bad;
    };
    CHECK_FALSE(sound(with([](Frame& f) { f.offload.csum_start = 13; })));
    CHECK_FALSE(sound(with([](Frame& f) { f.offload.csum_start = 0xffff; })));
    CHECK_FALSE(sound(with([](Frame& f) { f.offload.csum_offset = 0xffff; })));
    CHECK_FALSE(sound(with([](Frame& f) { f.offload.gso_size = 0; })));
    CHECK_FALSE(sound(with([](Frame& f) { f.offload.flags = 0; })));
    CHECK_FALSE(sound(with([](Frame& f) { f.bytes.resize(13); })));
    CHECK_FALSE(sound(with([](Frame& f) { f.bytes.resize(kMostFrameBytes + 1); })));
    for (const u8 type : {kGsoTcp6, kGsoUdp, u8{2}, u8{3}, u8{0x7f}, static_cast<u8>(kGsoUdp | kGsoEcn)})
        CHECK(cut(with([&](Frame& f) { f.offload.gso_type = type; })).empty());
    CHECK(cut(with([](Frame& f) {
              f.bytes[14 + 12] = 0;
              f.bytes[14] = 0x4f;
              f.bytes.resize(40);
          })).empty());
    CHECK(cut(with([](Frame& f) { f.bytes[34 + 12] = 0x40; })).empty());  // TCP header too short
    CHECK(cut(with([](Frame& f) { f.bytes[14 + 6] = 0x20; })).empty());   // a fragment
    CHECK(cut(with([](Frame& f) { f.offload.gso_size = 1; })).empty());   // too many
}

TEST_CASE("CVE-2016-1981: no header makes segmentation read beyond the frame or go on for ever", "[net]") {
    std::mt19937_64 random(6);
    unsigned served = 0;
    for (int i = 0; i < 20'000; ++i) {
        Frame frame = random_packet(random, 600).frame(static_cast<u16>(random() % 400));
        for (u64 n = random() % 4; n != 0; --n)
            frame.bytes[random() % std::min<std::size_t>(frame.bytes.size(), 80)] = static_cast<u8>(random());
        frame.bytes.resize(random() % 4 == 0 ? random() % (frame.bytes.size() + 1) : frame.bytes.size());
        if (random() % 4 == 0) frame.offload.csum_start = static_cast<u16>(random());
        if (!sound(frame)) continue;
        unsigned count = 0;
        served += segment(frame, [&](Frame&& piece) { count += sound(piece); });
        REQUIRE(count <= kMostSegments);
        Coalescer coalescer([](Frame&&) {});
        coalescer.add(frame.bytes);
        finish_checksum(frame);
    }
    CHECK(served > 5000);
}
