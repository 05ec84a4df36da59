// Boot ROM, finisher, clock of the day, and the board's table.
#include <catch2/catch.hpp>

#include "devices/board.hpp"
#include "devices/finisher.hpp"
#include "devices/rom.hpp"
#include "devices/rtc.hpp"
#include "tests/devices/fake_port.hpp"

using namespace hartline;
using namespace hartline::test;

TEST_CASE("the ROM reads at every size, is zero past its contents, and cannot be written") {
    FakePort port;
    const auto device = rom({1, 2, 3, 4, 5}, 0x1000)(port);
    CHECK(device->executable());
    CHECK(get(*device, 0, 8) == 0x05'0403'0201);
    CHECK(get(*device, 4, 1) == 5);
    CHECK(get(*device, 0xff8, 8) == 0);
    u64 value = 0;
    CHECK_FALSE(device->read(0xffc, 8, value));
    CHECK_FALSE(device->write(0, 4, 1));
    CHECK_THROWS_AS(rom(std::vector<u8>(9), 8), std::invalid_argument);
}

TEST_CASE("a snapshot of a machine with another ROM is refused") {
    FakePort port;
    const auto one = rom({1}, 16)(port), other = rom({2}, 16)(port), longer = rom({1}, 32)(port);
    const auto image = save_of(*one);
    CHECK_NOTHROW(load_into(*one, image));
    CHECK_THROWS_AS(load_into(*other, image), ArchiveError);
    CHECK_THROWS_AS(load_into(*longer, image), ArchiveError);
}

TEST_CASE("checklist 67: the finisher powers off with its code, or restarts") {
    FakePort port;
    const auto device = finisher()(port);
    put(*device, 0, 0);
    put(*device, 4, 0x5555);
    CHECK_FALSE(port.stop);
    put(*device, 0, 0x5555);
    REQUIRE(port.stop);
    CHECK((port.stop->kind == StopRequest::Kind::PowerOff && port.stop->code == 0));
    put(*device, 0, 0x3333 | 42 << 16);
    CHECK((port.stop->kind == StopRequest::Kind::PowerOff && port.stop->code == 42));
    put(*device, 0, 0x3333, 2);
    CHECK(port.stop->code == 1);
    put(*device, 0, 0x7777);
    CHECK(port.stop->kind == StopRequest::Kind::Reset);
    CHECK_FALSE(device->write(0, 8, 0x5555));
    CHECK_FALSE(device->write(0, 1, 0x55));
}

namespace {
struct Clock {
    static constexpr u64 kBase = 1'700'000'000'123'456'789;
    FakePort port;
    std::unique_ptr<Device> device = rtc(kBase)(port);
    u64 time() {
        const u64 low = get(*device, 0);
        return get(*device, 4) << 32 | low;
    }
};
}  // namespace

TEST_CASE("the clock of the day is its base plus virtual time, with the high half latched") {
    Clock c;
    CHECK(c.time() == Clock::kBase);
    c.port.time = 5'000'000'000;
    const u64 low = get(*c.device, 0);
    c.port.time += u64{1} << 33;
    CHECK((get(*c.device, 4) << 32 | low) == Clock::kBase + 5'000'000'000);
    put(*c.device, 4, 0x1234);  // Linux sets high, then low
    put(*c.device, 0, 0x5678);
    CHECK(c.time() == 0x1234'0000'5678);
    c.port.time += 1000;
    CHECK(c.time() == 0x1234'0000'5678 + 1000);
    c.device->reset();
    c.port.time = 0;
    CHECK(c.time() == Clock::kBase);
    u64 value = 0;
    CHECK_FALSE(c.device->read(0, 8, value));
}

TEST_CASE("the alarm interrupts once at its time") {
    Clock c;
    const u64 when = Clock::kBase + 1'000'000;
    put(*c.device, 0x10, 1);
    put(*c.device, 0x0c, when >> 32);
    CHECK(get(*c.device, 0x18) == 0);
    put(*c.device, 0x08, when & 0xffff'ffff);
    CHECK(get(*c.device, 0x18) == 1);
    c.port.advance(*c.device, 999'999);
    CHECK_FALSE(c.port.irq);
    c.port.advance(*c.device, 1);
    CHECK(c.port.irq);
    CHECK(get(*c.device, 0x18) == 0);
    put(*c.device, 0x1c, 1);
    CHECK_FALSE(c.port.irq);
    put(*c.device, 0x08, 0);  // in the past: at once
    CHECK(c.port.irq);
    put(*c.device, 0x10, 0);
    CHECK_FALSE(c.port.irq);
    put(*c.device, 0x1c, 1);
    put(*c.device, 0x0c, 0xffff'ffff);
    put(*c.device, 0x08, 0);
    put(*c.device, 0x14, 1);
    CHECK(get(*c.device, 0x18) == 0);
    CHECK(c.port.events.empty());
}

TEST_CASE("the board is QEMU's virt") {
    static_assert(place_of("uart").base == 0x1000'0000 && place_of("uart").irq == 10);
    static_assert(place_of("plic").base == 0xc00'0000);
    static_assert(virtio_place(7).base == 0x1000'8000 && virtio_place(7).irq == 8);
    CHECK_THROWS_AS(place_of("toaster"), std::out_of_range);
    CHECK_THROWS_AS(virtio_place(8), std::out_of_range);
}
