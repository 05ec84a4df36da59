// virtio-net: frames both ways, offloads, control, and what a guest may do wrong.
#include <catch2/catch.hpp>

#include "tests/devices/net_card.hpp"

using namespace hartline;
using namespace hartline::net;
using namespace hartline::test;
using Driver = VirtioDriver;

namespace {
constexpr unsigned kMrgRxbuf = 15, kGuestCsum = 1, kGuestTso4 = 7, kHostTso4 = 11, kHostUso = 56;
constexpr u64 kWithout = Driver::kEventIdx;

Packet stream(std::size_t bytes) {
    std::mt19937_64 random(bytes);
    Packet packet;
    packet.payload = random_bytes(random, bytes);
    return packet;
}
}  // namespace

TEST_CASE("the card shows its address, its link and its MTU", "[net]") {
    NetCard card;
    CHECK(card.driver.reg(0x08) == 1);
    CHECK(get(*card.device, Driver::kConfig) == 0x1200'5452);
    CHECK(get(*card.device, Driver::kConfig + 4, 2) == 0x5634);
    CHECK(get(*card.device, Driver::kConfig + 6, 2) == 1);
    CHECK(get(*card.device, Driver::kConfig + 10, 2) == 1500);
    CHECK(get(*card.device, Driver::kConfig + 12, 4) == 0);
}

TEST_CASE("a frame lies behind its header in the guest's buffer", "[net]") {
    NetCard card;
    card.start();
    const u64 at = card.room(2048);
    const Frame frame = NetCard::plain(100);
    card.receive(frame);
    const auto used = card.driver.collect();
    REQUIRE(used);
    CHECK(used->length == 112);
    CHECK(card.load(at, 12) == Bytes{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0});
    CHECK(card.load(at + 12, 100) == frame.bytes);
    CHECK(card.driver.acknowledge());
    CHECK(card.network->credit == record_of(frame).size());
}

TEST_CASE("a driver without VERSION_1 and MRG_RXBUF has a header of ten bytes", "[net]") {
    NetCard card;
    card.start(kWithout | Driver::kVersion1 | NetCard::feature(kMrgRxbuf));
    const u64 at = card.room(2048);
    const Frame frame = NetCard::plain(60);
    card.receive(frame);
    CHECK(card.driver.collect()->length == 70);
    CHECK(card.load(at + 10, 60) == frame.bytes);
}

TEST_CASE("a large frame is spread over mergeable buffers, whole or not at all", "[net]") {
    NetCard card;
    card.start();
    const Frame frame = NetCard::plain(1000);
    std::vector<u64> at;
    for (const u32 bytes : {300u, 400u}) at.push_back(card.room(bytes));
    card.receive(frame);
    CHECK_FALSE(card.driver.collect());  // 700 bytes of room: none is used
    at.push_back(card.room(500));
    card.driver.kick(NetCard::kReceive);
    Bytes got;
    const std::array<u32, 3> lengths{300, 400, 312};
    for (std::size_t i = 0; i < 3; ++i) {
        const auto used = card.driver.collect();
        REQUIRE(used);
        CHECK(used->length == lengths[i]);
        const Bytes part = card.load(at[i], lengths[i]);
        got.insert(got.end(), part.begin(), part.end());
    }
    CHECK(got[10] == 3);  // num_buffers
    CHECK(slice(got, 12, got.size()) == frame.bytes);
    CHECK_FALSE(card.driver.collect());
}

TEST_CASE("CVE-2020-16843: receiving goes on when the guest gives buffers again", "[net]") {
    NetCard card;
    card.start(0);  // with event indices
    for (int i = 0; i < 50; ++i) card.receive(NetCard::plain(200));
    CHECK_FALSE(card.driver.collect());
    unsigned got = 0;
    for (int i = 0; i < 50; ++i) {
        card.driver.free = 0x8018'0000;
        card.room(2048);
        card.driver.kick(NetCard::kReceive);
        got += card.driver.collect().has_value();
    }
    CHECK(got == 50);
}

TEST_CASE("CVE-2020-27174: what waits for the guest is bounded, and the rest is lost", "[net]") {
    NetCard card;
    card.start();
    const Frame frame = NetCard::plain(60'000);
    for (int i = 0; i < 1000; ++i) card.receive(frame);
    CHECK(save_of(*card.device).size() < (2 << 20));
    CHECK(card.network->credit >= 980 * frame.bytes.size());
    const Frame tiny = NetCard::plain(14);
    for (int i = 0; i < 20'000; ++i) card.receive(tiny);
    CHECK(save_of(*card.device).size() < (2 << 20));
}

TEST_CASE("a frame that fits no buffer is lost, and the next is not", "[net]") {
    NetCard card;
    SECTION("one buffer a frame") {
        card.start(kWithout | NetCard::feature(kMrgRxbuf));
        card.room(512);
        card.receive(NetCard::plain(1000));
        CHECK_FALSE(card.driver.collect());
        card.receive(NetCard::plain(100));
        CHECK(card.driver.collect());
    }
    SECTION("a whole queue of small ones") {
        card.start(kWithout, 4);
        for (int i = 0; i < 4; ++i) card.room(64);
        card.receive(NetCard::plain(1000));
        card.receive(NetCard::plain(100));
        CHECK(card.driver.collect()->length == 64);
        CHECK(card.driver.collect()->length == 48);
        CHECK_FALSE(card.driver.collect());
    }
}

TEST_CASE("CVE-2023-6693: a buffer without room for the header breaks the device, not its memory", "[net]") {
    NetCard card;
    card.start();
    card.room(11);
    card.receive(NetCard::plain(100));
    CHECK(card.driver.broken());
    card.start();
    card.driver.submit(NetCard::kTransmit, {{card.driver.alloc(11), 11}});
    card.driver.kick(NetCard::kTransmit);
    CHECK(card.driver.broken());
    CHECK(card.network->sent.empty());
}

TEST_CASE("CVE-2021-3748: a reset forgets what waits, and buffers are not touched after it", "[net]") {
    NetCard card;
    card.start();
    card.room(300);
    card.receive(NetCard::plain(1000));  // waits for more buffers
    card.driver.reg(Driver::kStatus, 0);
    CHECK(card.network->credit == kFrameRecordBytes + 1000);
    const Bytes before = card.load(0x8010'0000, 0x1000);
    card.receive(NetCard::plain(100));
    CHECK(card.load(0x8010'0000, 0x1000) == before);
    card.driver.free = 0x8010'0000;
    card.start();
    CHECK(card.takes(NetCard::plain(100)));
}

TEST_CASE("a received frame has its work done where the guest did not offer to", "[net]") {
    NetCard card;
    const Packet packet = stream(5000);
    const Frame frame = packet.frame(1448);
    SECTION("all is left to the guest") {
        card.start();
        const u64 at = card.room(8192);
        card.receive(frame);
        REQUIRE(card.driver.collect());
        Bytes header = NetCard::header(frame.offload);
        header[10] = 1;
        CHECK(card.load(at, 12) == header);
        CHECK(card.load(at + 12, frame.bytes.size()) == frame.bytes);
    }
    SECTION("segments are cut, sums are filled in") {
        card.start(kWithout | NetCard::feature(kGuestTso4));
        for (int i = 0; i < 5; ++i) card.room(2048);
        card.receive(frame);
        std::size_t bytes = 0, count = 0;
        for (; const auto used = card.driver.collect(); ++count) bytes += used->length - 12;
        CHECK(count == 4);
        CHECK(bytes == 5000 + 4 * packet.data());
        CHECK(card.network->credit == record_of(frame).size());
    }
    SECTION("only the sum") {
        card.start(kWithout | NetCard::feature(kGuestCsum));
        const u64 at = card.room(8192);
        Frame small = packet.frame();
        card.receive(small);
        REQUIRE(card.driver.collect());
        CHECK(card.load(at, 1)[0] == 0);
        finish_checksum(small);
        CHECK(card.load(at + 12, small.bytes.size()) == small.bytes);
    }
    SECTION("as the guest switches it while it runs") {
        card.start();
        CHECK(card.command(5, 0, {0, 0, 0, 0, 0, 0, 0, 0}) == 0);
        card.room(8192);
        card.receive(frame);
        CHECK(card.driver.collect()->length == 12 + packet.data() + 1448);
        CHECK(card.command(5, 0, {0, 1, 0, 0, 0, 0, 0, 0}) == 0);  // TSO6 alone
        CHECK(card.command(5, 0, {1, 0, 0, 0, 0, 0, 0, 0}) == 1);  // not one of the guest's
        CHECK(card.command(5, 0, {0, 0, 0, 0}) == 1);
    }
}

TEST_CASE("frames go out with the work that is left on them", "[net]") {
    NetCard card;
    card.start();
    const Frame frame = stream(30'000).frame(1448);
    card.transmit(frame);
    REQUIRE(card.network->sent.size() == 1);
    CHECK(card.network->sent[0].bytes == frame.bytes);
    CHECK(card.network->sent[0].offload.gso_size == 1448);
    REQUIRE(card.driver.collect(NetCard::kTransmit));
    // In many pieces, the header cut in two.
    Bytes all = NetCard::header(frame.offload);
    all.insert(all.end(), frame.bytes.begin(), frame.bytes.end());
    const u64 at = card.place(all);
    card.driver.submit_indirect(
        NetCard::kTransmit,
        {{at, 5}, {at + 5, 20}, {at + 25, 10'000}, {at + 10'025, static_cast<u32>(all.size()) - 10'025}});
    card.driver.kick(NetCard::kTransmit);
    REQUIRE(card.network->sent.size() == 2);
    CHECK(card.network->sent[1].bytes == frame.bytes);
}

TEST_CASE("CVE-2016-7421: frames that lie are lost, one by one", "[net]") {
    NetCard card;
    card.start(kWithout | NetCard::feature(kHostTso4));
    const Frame good = stream(3000).frame();
    const auto lost = [&](auto change) {
        Frame bad = good;
        change(bad);
        card.transmit(bad);
        card.driver.free = 0x8018'0000;
        const bool given_back = card.driver.collect(NetCard::kTransmit).has_value();
        return card.network->sent.empty() && given_back && !card.driver.broken();
    };
    CHECK(lost([](Frame& f) { f.offload.csum_start = 60'000; }));
    CHECK(lost([](Frame& f) { f.offload.csum_offset = 0xffff; }));
    CHECK(lost([](Frame& f) { f.offload.gso_type = kGsoTcp4, f.offload.gso_size = 100; }));  // not accepted
    CHECK(lost([](Frame& f) { f.offload.gso_type = kGsoTcp6, f.offload.gso_size = 0; }));
    CHECK(lost([](Frame& f) { f.offload.gso_type = 0x80; }));
    CHECK(lost([](Frame& f) { f.offload.gso_type = 3; }));
    CHECK(lost([](Frame& f) { f.bytes.resize(13); }));
    CHECK(lost([](Frame& f) { f.bytes.resize(kMostFrameBytes + 1); }));
    card.transmit(good);
    CHECK(card.network->sent.size() == 1);
}

TEST_CASE("CVE-2015-6815: a full queue is no more work a kick than its bound", "[net]") {
    NetCard card;
    card.start(kWithout, 256);
    const u64 at = card.place(Bytes(60'012));
    for (int i = 0; i < 256; ++i) card.driver.submit(NetCard::kTransmit, {{at, 60'012}});
    card.driver.kick(NetCard::kTransmit);
    CHECK(card.network->sent.size() < 100);
    card.port.advance(*card.device, 1'000'000);
    CHECK(card.network->sent.size() == 256);
}

TEST_CASE("the driver chooses what it receives", "[net]") {
    NetCard card;
    card.start();
    const Mac other{0x52, 0x54, 0, 0, 0, 9}, group{1, 0, 0x5e, 0, 0, 1},
        all{0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    CHECK(card.takes(NetCard::plain(60, other)));  // promiscuous until it is told otherwise
    CHECK(card.command(0, 0, {0}) == 0);
    CHECK_FALSE(card.takes(NetCard::plain(60, other)));
    CHECK_FALSE(card.takes(NetCard::plain(60, group)));
    CHECK(card.takes(NetCard::plain(60)));
    CHECK(card.takes(NetCard::plain(60, all)));
    SECTION("modes") {
        CHECK(card.command(0, 1, {1}) == 0);
        CHECK(card.takes(NetCard::plain(60, group)));
        CHECK(card.command(0, 2, {1}) == 0);
        CHECK(card.takes(NetCard::plain(60, other)));
        CHECK(card.command(0, 3, {1}) == 0);
        CHECK_FALSE(card.takes(NetCard::plain(60, group)));
        CHECK(card.command(0, 5, {1}) == 0);
        CHECK_FALSE(card.takes(NetCard::plain(60, all)));
        CHECK(card.command(0, 6, {1}) == 1);
        CHECK(card.command(0, 0, {2}) == 1);
        CHECK(card.command(0, 0, {}) == 1);
    }
    SECTION("tables") {
        CHECK(card.command(1, 0, {1, 0, 0, 0, 0x52, 0x54, 0, 0, 0, 9, 1, 0, 0, 0, 1, 0, 0x5e, 0, 0, 1}) == 0);
        CHECK(card.takes(NetCard::plain(60, other)));
        CHECK(card.takes(NetCard::plain(60, group)));
        CHECK(card.command(1, 0, {0, 0, 0, 0, 0, 0, 0, 0}) == 0);
        CHECK_FALSE(card.takes(NetCard::plain(60, group)));
    }
    SECTION("an address of its own") {
        CHECK(card.command(1, 1, {0x52, 0x54, 0, 0, 0, 9}) == 0);
        CHECK(card.takes(NetCard::plain(60, other)));
        CHECK_FALSE(card.takes(NetCard::plain(60)));
        CHECK(get(*card.device, Driver::kConfig + 4, 2) == 0x0900);
        CHECK(card.command(1, 1, {0x52, 0x54}) == 1);
    }
    SECTION("VLANs") {
        Frame tagged = NetCard::plain(60);
        put16(tagged.bytes, 12, 0x8100);
        put16(tagged.bytes, 14, 0x2005);
        CHECK_FALSE(card.takes(tagged));
        CHECK(card.command(2, 0, {5, 0}) == 0);
        CHECK(card.takes(tagged));
        CHECK(card.command(2, 1, {5, 0}) == 0);
        CHECK_FALSE(card.takes(tagged));
        CHECK(card.command(2, 0, {0, 0x10}) == 1);
    }
}

TEST_CASE("CVE-2014-0150: tables of addresses lie about their length in vain", "[net]") {
    NetCard card;
    card.start();
    CHECK(card.command(1, 0, {0xff, 0xff, 0xff, 0xff}) == 1);
    CHECK(card.command(1, 0, {0xab, 0xaa, 0xaa, 0x2a, 1, 2, 3, 4, 5, 6, 0, 0, 0, 0}) == 1);
    CHECK(card.command(1, 0, {2, 0, 0, 0, 1, 2, 3, 4, 5, 6, 0, 0, 0, 0}) == 1);
    CHECK(card.command(1, 0, {}) == 1);
    CHECK(card.command(1, 0, {0, 0, 0, 0}) == 1);
    CHECK(card.command(1, 0, {0, 0, 0, 0, 0, 0, 0, 0, 9}) == 1);
    // More than are kept: all of the kind are taken.
    Bytes many{200, 0, 0, 0};
    many.resize(4 + 200 * 6);
    many.insert(many.end(), 4, 0);
    CHECK(card.command(0, 0, {0}) == 0);
    CHECK(card.command(1, 0, many) == 0);
    CHECK(card.takes(NetCard::plain(60, {2, 2, 2, 2, 2, 2})));
}

TEST_CASE("CVE-2024-6505: control commands that were not offered are refused", "[net]") {
    NetCard card;
    card.start();
    CHECK(card.command(4, 0, {1, 0}) == 1);           // multiqueue
    CHECK(card.command(4, 1, Bytes(64, 0xff)) == 1);  // RSS
    CHECK(card.command(3, 0, {}) == 1);               // nothing was announced
    CHECK(card.command(99, 0, {}) == 1);
    CHECK(card.command(0, 0, Bytes(100'000)) == 1);
    CHECK_FALSE(card.driver.broken());
    card.driver.submit(NetCard::kControl, {{card.driver.alloc(1), 1}});
    card.driver.kick(NetCard::kControl);
    CHECK(card.driver.broken());
}

TEST_CASE("link and announcements come through the door and are told to the guest", "[net]") {
    NetCard card;
    card.start();
    (void)card.driver.acknowledge();
    card.device->input(record_of(RecordKind::LinkDown));
    CHECK(get(*card.device, Driver::kConfig + 6, 2) == 0);
    CHECK(card.driver.acknowledge());
    CHECK_FALSE(card.takes(NetCard::plain(60)));
    card.transmit(NetCard::plain(60));
    CHECK(card.network->sent.empty());
    card.device->input(record_of(RecordKind::LinkUp));
    card.device->input(record_of(RecordKind::Announce));
    CHECK(get(*card.device, Driver::kConfig + 6, 2) == 3);
    CHECK(card.command(3, 0, {}) == 0);
    CHECK(get(*card.device, Driver::kConfig + 6, 2) == 1);
}

TEST_CASE("records that are none do nothing", "[net]") {
    NetCard card;
    card.start();
    card.room(2048);
    std::mt19937_64 random(8);
    for (int i = 0; i < 2000; ++i) {
        Bytes record = random_bytes(random, random() % 40);
        if (!record.empty()) record[0] %= 6;
        card.device->input(record);
    }
    CHECK_FALSE(card.driver.broken());
}

TEST_CASE("a saved card goes on with what waits in it", "[net]") {
    NetCard card;
    card.start();
    for (int i = 0; i < 5; ++i) card.receive(NetCard::plain(100 + static_cast<std::size_t>(i)));
    CHECK(card.command(0, 0, {0}) == 0);
    const auto image = save_of(*card.device);
    NetCard other;
    REQUIRE(other.port.ram.write(0x8010'0000, card.load(0x8010'0000, 0x1'0000)));
    load_into(*other.device, image);
    CHECK(save_of(*other.device) == image);
    other.driver.rings = card.driver.rings;
    other.driver.free = card.driver.free;
    for (u32 i = 0; i < 5; ++i) {
        other.room(2048);
        other.driver.kick(NetCard::kReceive);
        CHECK(other.driver.collect()->length == 112 + i);
    }
    CHECK_FALSE(other.takes(NetCard::plain(60, {2, 2, 2, 2, 2, 2})));
    CHECK(other.network->credit == kFrameRecordBytes + 60);  // what it never had it does not give back
}

TEST_CASE("garbage from guest and network alike does no harm to the card", "[net]") {
    std::mt19937_64 random(9);
    unsigned sent = 0, received = 0;
    for (int game = 0; game < 400; ++game) {
        NetCard card;
        const u64 without = random() % 2 == 0 ? kWithout : random();
        if (!card.driver.negotiate(card.driver.offered() & ~without)) continue;
        for (u32 number = 0; number < 3; ++number)
            card.driver.set_up(number, static_cast<u16>(1u << random() % 6));
        card.driver.run();
        for (int round = 0; round < 30; ++round) {
            const u32 number = static_cast<u32>(random() % 3);
            Frame frame =
                random_packet(random, 3000).frame(static_cast<u16>(random() % 2 * (random() % 1500)));
            if (random() % 4 == 0) frame.bytes[random() % frame.bytes.size()] = static_cast<u8>(random());
            if (random() % 8 == 0) frame.offload.csum_start = static_cast<u16>(random());
            if (random() % 8 == 0) frame.offload.gso_type = static_cast<u8>(random());
            card.driver.free = 0x8018'0000;
            const bool small = card.driver.rings[number].size < 2;
            if (number == 0) {
                for (u64 n = random() % 4; n != 0; --n) card.room(static_cast<u32>(12 + random() % 4000));
                card.receive(frame);
                card.driver.kick(0);
            } else if (number == 1) {
                card.transmit(frame);
            } else if (!small) {
                const Bytes data = random_bytes(random, 2 + random() % 60);
                card.driver.submit(
                    2, {{card.place(data), static_cast<u32>(data.size())}, {card.driver.alloc(1), 1, true}});
                card.driver.kick(2);
            }
            if (random() % 4 == 0) card.port.advance(*card.device, random() % 100'000, 1000);
            if (random() % 32 == 0) load_into(*card.device, save_of(*card.device));
        }
        sent += !card.network->sent.empty();
        received += card.driver.load<u16>(card.driver.rings[0].used + 2) != 0;
        for (const Frame& frame : card.network->sent) REQUIRE(sound(frame));
    }
    CHECK(sent > 100);
    CHECK(received > 100);
}
