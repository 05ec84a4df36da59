// HTIF as riscv-tests, fesvr's programs and OpenSBI use it.
#include <catch2/catch.hpp>

#include "devices/htif.hpp"
#include "tests/devices/fake_port.hpp"

using namespace hartline;
using namespace hartline::test;

namespace {
constexpr u64 kTohost = 0x8000'1000, kFromhost = 0x8000'1040, kBlock = 0x8000'2000;

struct Program : private Ram::Listener {
    FakePort port;
    Sink sink;
    std::unique_ptr<Device> device = htif(sink, kTohost, kFromhost)(port);
    Program() {
        port.ram.set_listener(this);
        port.ram.mark(port.ram.frame_of(kTohost), Ram::kWatched);
    }
    void ram_written(u64 paddr, u64 bytes, u8) override {
        if (paddr < kTohost + 8 && kTohost < paddr + bytes)
            device->watched_write(paddr, static_cast<unsigned>(bytes));
    }
    void ram_moved(u64) override {}
    u64 word(u64 at) {
        u64 value = 0;
        CHECK(port.ram.read(at, value));
        return value;
    }
    void tohost(u64 value) { CHECK(port.ram.write(kTohost, value)); }
    void call(std::array<u64, 8> block) {
        CHECK(port.ram.write(kBlock, block));
        CHECK(port.ram.write(kFromhost, u64{0}));
        tohost(kBlock);
    }
};
}  // namespace

TEST_CASE("exit codes come out, by one store or by two halves") {
    Program p;
    p.tohost(1);
    REQUIRE(p.port.stop);
    CHECK(p.port.stop->code == 0);
    CHECK(p.word(kTohost) == 0);
    p.port.stop.reset();
    CHECK(p.port.ram.write(kTohost, u32{7 << 1 | 1}));
    CHECK_FALSE(p.port.stop);
    CHECK(p.port.ram.write(kTohost + 4, u32{0}));
    REQUIRE(p.port.stop);
    CHECK(p.port.stop->code == 7);
    p.port.stop.reset();
    CHECK(p.port.ram.write(kTohost, u32{9 << 1 | 1}));
    p.port.advance(*p.device, 999);
    CHECK_FALSE(p.port.stop);
    p.port.advance(*p.device, 1);
    REQUIRE(p.port.stop);
    CHECK(p.port.stop->code == 9);
    p.port.stop.reset();
    p.tohost(0xffff'ffff'ffff);
    CHECK(p.port.stop->code == 0xffff'ffff);
}

TEST_CASE("system calls write and exit; others are not there") {
    Program p;
    CHECK(p.port.ram.write(0x8000'3000, bytes_of("hello")));
    p.call({64, 1, 0x8000'3000, 5});
    CHECK(p.sink.text == "hello");
    CHECK(p.word(kBlock) == 5);
    CHECK(p.word(kFromhost) == 1);
    p.call({64, 7, 0x8000'3000, 5});
    CHECK(static_cast<i64>(p.word(kBlock)) == -9);
    p.call({64, 1, 0x10, 5});
    CHECK(static_cast<i64>(p.word(kBlock)) == -14);
    p.call({64, 2, 0x803f'fffe, 5});
    CHECK(static_cast<i64>(p.word(kBlock)) == -14);
    p.call({64, 1, 0x8000'0000, ~u64{0}});
    CHECK(p.word(kBlock) == 65536);
    p.call({1234});
    CHECK(static_cast<i64>(p.word(kBlock)) == -38);
    p.call({93, 3});
    REQUIRE(p.port.stop);
    CHECK(p.port.stop->code == 3);
}

TEST_CASE("wild pointers, unknown devices and a block in tohost itself do nothing bad") {
    Program p;
    p.tohost(0x10);
    p.tohost(0xffff'ffff'fff8);
    p.tohost(u64{5} << 56 | 2);
    p.tohost(u64{1} << 56 | u64{9} << 48);
    p.tohost(kTohost);
    CHECK(static_cast<i64>(p.word(kTohost)) == -38);  // its answer, which is no command
    CHECK_FALSE(p.port.stop);
    CHECK(p.sink.text.empty());
    FakePort port;  // addresses that are not RAM
    Sink sink;
    const auto device = htif(sink, 0x10, 0x20)(port);
    device->watched_write(0x10, 8);
    device->input(bytes_of("x"));
    CHECK_FALSE(port.stop);
}

TEST_CASE("characters go out, and come in when there are some and fromhost is free") {
    Program p;
    p.tohost(u64{1} << 56 | u64{1} << 48 | 'A');
    CHECK(p.sink.text == "A");
    p.tohost(u64{1} << 56);
    CHECK(p.word(kFromhost) == 0);
    load_into(*p.device, save_of(*p.device));  // it waits on after a snapshot
    p.device->input(bytes_of("xy"));
    CHECK(p.word(kFromhost) == (u64{1} << 56 | 0x100 | 'x'));
    p.tohost(u64{1} << 56);
    CHECK(p.word(kFromhost) == (u64{1} << 56 | 0x100 | 'x'));
    CHECK(p.port.ram.write(kFromhost, u64{0}));
    p.port.advance(*p.device, 1'000'000);
    CHECK(p.word(kFromhost) == (u64{1} << 56 | 0x100 | 'y'));
    p.device->input(bytes_of(std::string(5000, 'z')));
    CHECK(p.device->input_room() == 0);
}
