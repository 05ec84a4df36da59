// The timer and the software interrupts.
#include <catch2/catch.hpp>

#include "devices/aclint.hpp"
#include "tests/devices/fake_port.hpp"

using namespace hartline;
using namespace hartline::test;

namespace {
struct Timer {
    FakePort port;
    std::unique_ptr<Device> device = aclint()(port);
};
constexpr u64 kMtimecmp = 0x4000, kMtime = 0xbff8;
}  // namespace

TEST_CASE("checklist 65, seen 73: mtime and mtimecmp are there whole and in 32-bit halves") {
    Timer t;
    t.port.time = 0x1'2345'6789'00;  // 100 ns a tick
    const u64 ticks = t.port.time / 100;
    CHECK(get(*t.device, kMtime, 8) == ticks);
    CHECK(get(*t.device, kMtime, 4) == (ticks & 0xffff'ffff));
    CHECK(get(*t.device, kMtime + 4, 4) == ticks >> 32);
    put(*t.device, kMtimecmp + 8, 0x1122'3344'5566'7788, 8);
    CHECK(get(*t.device, kMtimecmp + 8, 4) == 0x5566'7788);
    CHECK(get(*t.device, kMtimecmp + 12, 4) == 0x1122'3344);
    put(*t.device, kMtimecmp + 12, 0xffff'ffff, 4);
    CHECK(get(*t.device, kMtimecmp + 8, 8) == 0xffff'ffff'5566'7788);
    put(*t.device, kMtime + 4, 7, 4);
    CHECK(get(*t.device, kMtime, 8) == ((u64{7} << 32) | (ticks & 0xffff'ffff)));
    put(*t.device, kMtime, 42, 8);
    t.port.time += 250;
    CHECK(get(*t.device, kMtime, 8) >= 44);
}

TEST_CASE("checklist 65: MTIP is a level that follows mtimecmp") {
    Timer t;
    put(*t.device, kMtimecmp, 1000, 8);
    CHECK_FALSE(t.port.line(0, 7));
    t.port.advance(*t.device, 99'999);
    CHECK_FALSE(t.port.line(0, 7));
    t.port.advance(*t.device, 1);
    CHECK(t.port.line(0, 7));
    CHECK_FALSE(t.port.line(1, 7));
    put(*t.device, kMtimecmp, ~u64{0}, 8);
    CHECK_FALSE(t.port.line(0, 7));
    CHECK(t.port.events.empty());
    put(*t.device, kMtimecmp + 8, 0, 8);
    CHECK(t.port.line(1, 7));
    put(*t.device, kMtimecmp, 5000, 8);
    put(*t.device, kMtime, 4999, 8);
    CHECK_FALSE(t.port.line(0, 7));
    t.port.advance(*t.device, 100);
    CHECK(t.port.line(0, 7));
    put(*t.device, kMtime, 0, 8);
    CHECK_FALSE(t.port.line(0, 7));
}

TEST_CASE("checklist 65, seen 73: msip is one bit, and other sizes and harts do not disturb") {
    Timer t;
    put(*t.device, 4, 0xffff'ffff);
    CHECK(t.port.line(1, 3));
    CHECK_FALSE(t.port.line(0, 3));
    CHECK(get(*t.device, 4) == 1);
    put(*t.device, 4, 0);
    CHECK_FALSE(t.port.line(1, 3));
    put(*t.device, 8, 1);  // a third hart
    CHECK(get(*t.device, 8) == 0);
    u64 value = 0;
    for (u64 offset : {u64{0}, kMtimecmp, kMtime}) {
        CHECK_FALSE(t.device->read(offset, 1, value));
        CHECK_FALSE(t.device->write(offset, 2, 1));
    }
    CHECK_FALSE(t.device->write(0, 8, 1));
    CHECK(get(*t.device, 0xc000) == 0);
}

TEST_CASE("checklist 65: SSWI sends an edge and keeps nothing") {
    FakePort port;
    const auto device = aclint_sswi()(port);
    put(*device, 4, 0);
    CHECK(port.lines.empty());
    put(*device, 4, 1);
    CHECK(port.line(1, 1));
    CHECK(get(*device, 4) == 0);
    port.lines.clear();
    put(*device, 4, 0);  // does not take it back
    CHECK(port.lines.empty());
    put(*device, 8, 1);  // a third hart
    CHECK(port.lines.empty());
    u64 value = 0;
    CHECK_FALSE(device->read(0, 8, value));
}
