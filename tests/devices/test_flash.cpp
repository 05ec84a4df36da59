// CFI flash: commands, what they refuse, where contents are kept.
#include <catch2/catch.hpp>

#include <random>

#include "core/machine.hpp"
#include "devices/flash.hpp"
#include "tests/core/toy.hpp"
#include "tests/devices/every_device.hpp"
#include "tests/devices/memory_file.hpp"

using namespace hartline;
using namespace hartline::test;

namespace {
constexpr u64 kVariables = kFlashBankBytes;  // the bank that is written to

struct Rig {
    FakePort port;
    std::unique_ptr<Device> device;
    explicit Rig(std::shared_ptr<HostFile> file = nullptr) {
        std::vector<u8> code(kFlashSectorBytes + 5);
        for (std::size_t i = 0; i < code.size(); ++i) code[i] = static_cast<u8>(i * 7);
        device = flash({FlashBankConfig{.contents = code, .read_only = true},
                        FlashBankConfig{.contents = {1, 2, 3, 4}, .file = std::move(file)}})(port);
    }
    u64 read(u64 offset, unsigned bytes = 4) {
        u64 value = 0;
        REQUIRE(device->read(offset, bytes, value));
        return value;
    }
    void write(u64 offset, u64 value, unsigned bytes = 4) { REQUIRE(device->write(offset, bytes, value)); }
    void program(u64 offset, u32 value) {
        write(offset, 0x0040'0040);
        write(offset, value);
    }
    void array(u64 offset) { write(offset, 0x00ff'00ff); }
};
}  // namespace

TEST_CASE("flash: the array is read by every size, and erased where nothing was", "[flash]") {
    Rig rig;
    CHECK(rig.read(0) == 0x150e0700);
    CHECK(rig.read(2, 1) == 0x0e);
    CHECK(rig.read(0, 8) == 0x312a231c'150e0700);
    CHECK(rig.read(kFlashSectorBytes + 8) == 0xffff'ffff);
    CHECK(rig.read(kVariables) == 0x0403'0201);
    CHECK(rig.read(2 * kFlashBankBytes - 8, 8) == ~u64{0});
}

TEST_CASE("flash: identity and query are both chips', lane by lane", "[flash]") {
    Rig rig;
    rig.write(0, 0x0090'0090);
    CHECK(rig.read(0) == 0x0089'0089);
    CHECK(rig.read(4) == 0x0018'0018);
    CHECK(rig.read(0, 8) == 0x0018'0018'0089'0089);
    CHECK(rig.read(8) == 0);  // no lock
    rig.write(0x55 * 4, 0x98, 1);
    CHECK(rig.read(0x10 * 4) == 0x0051'0051);
    CHECK(rig.read(0x11 * 4, 1) == 'R');
    CHECK(rig.read(0x11 * 4 + 2, 2) == 'R');
    CHECK(rig.read(0x13 * 4, 2) == 1);  // Intel's command set
    CHECK((rig.read(0x27 * 4, 1) == 24 && rig.read(0x2d * 4, 1) == 127 && rig.read(0x30 * 4, 1) == 2));
    CHECK(rig.read(0x52 * 4) == 0);
    CHECK(rig.read(kFlashBankBytes - 4) == 0);
    CHECK(rig.read(kVariables) == 0x0403'0201);  // the other bank is not concerned
    rig.array(0);
    CHECK(rig.read(0) == 0x150e0700);
}

TEST_CASE("flash: programming clears bits, erasing sets a sector's", "[flash]") {
    Rig rig;
    rig.program(kVariables + 0x100, 0x1234'5678);
    CHECK(rig.read(kVariables) == 0x0080'0080);
    rig.program(kVariables + 0x100, 0xff00'ff0f);
    rig.array(kVariables);
    CHECK(rig.read(kVariables + 0x100) == 0x1200'5608);
    rig.write(kVariables + 0x200, 0x20);
    rig.write(kVariables + 0x200, 0xd0);
    CHECK(rig.read(kVariables, 2) == 0x80);
    rig.array(kVariables);
    CHECK(rig.read(kVariables + 0x100, 8) == ~u64{0});
    CHECK(rig.read(kVariables) == 0xffff'ffff);
}

TEST_CASE("flash: a buffer is programmed when it is confirmed", "[flash]") {
    Rig rig;
    rig.write(kVariables + 0x1000, 0x00e8'00e8);
    rig.write(kVariables + 0x1000, 0x0001'0001);
    rig.write(kVariables + 0x1008, 0xaabb'ccdd);
    rig.write(kVariables + 0x1004, 0x1122'3344);
    rig.write(kVariables + 0x1000, 0x00d0'00d0);
    CHECK(rig.read(kVariables) == 0x0080'0080);
    rig.array(kVariables);
    CHECK(rig.read(kVariables + 0x1000, 8) == 0x1122'3344'ffff'ffff);
    CHECK(rig.read(kVariables + 0x1008) == 0xaabb'ccdd);
}

TEST_CASE("CVE-2015-3456: a buffer's count and place are bounded", "[flash]") {
    Rig rig;
    for (const u32 count : {0x400u, 0xffffu, 0xffff'ffffu}) {
        rig.write(kVariables, 0xe8);
        rig.write(kVariables, count);
        CHECK(rig.read(kVariables) == 0x00b0'00b0);
        rig.write(kVariables, 0x50);
    }
    rig.write(2 * kFlashBankBytes - 4, 0xe8);
    rig.write(2 * kFlashBankBytes - 4, 0x3ff);
    for (int i = 0; i < 0x400; ++i) rig.write(2 * kFlashBankBytes - 4, 0);
    rig.write(kVariables, 0xd0);
    CHECK(rig.read(kVariables) == 0x0080'0080);
    rig.write(kVariables, 0xe8);
    rig.write(kVariables, 0);
    rig.write(kVariables + 0x2000, 0);  // astray
    rig.write(kVariables, 0xd0);
    CHECK(rig.read(kVariables) == 0x00b0'00b0);
    rig.array(kVariables);
    CHECK(rig.read(kVariables) == 0x0403'0201);
    CHECK(rig.read(kVariables + 0x2000) == 0xffff'ffff);
}

TEST_CASE("flash: sequences that are none are told, and end", "[flash]") {
    Rig rig;
    rig.write(kVariables, 0x20);
    rig.write(kVariables, 0x12);
    CHECK(rig.read(kVariables) == 0x00b0'00b0);
    rig.write(kVariables, 0x50);
    CHECK(rig.read(kVariables) == 0x0403'0201);
    rig.write(kVariables, 0x60);
    rig.write(kVariables, 0xd0);
    rig.write(kVariables, 0x70);
    CHECK(rig.read(kVariables) == 0x0080'0080);
}

TEST_CASE("flash: the code's bank takes no change", "[flash]") {
    Rig rig;
    rig.program(0x100, 0);
    CHECK(rig.read(0) == 0x0092'0092);
    rig.write(0x100, 0x20);
    rig.write(0x100, 0xd0);
    CHECK(rig.read(0) == 0x00b2'00b2);
    rig.array(0);
    CHECK(rig.read(0) == 0x150e0700);
}

TEST_CASE("flash: pages are fixed while they are the code's array", "[flash]") {
    Rig rig;
    REQUIRE(rig.device->fixed_page(0x1000) != nullptr);
    CHECK(rig.device->fixed_page(0x1000)[2] == static_cast<u8>(0x1002 * 7));
    CHECK(rig.device->fixed_page(kVariables) == nullptr);
    rig.write(0, 0x98);
    CHECK(rig.device->fixed_page(0x1000) == nullptr);
    rig.array(0);
    CHECK(rig.device->fixed_page(0x1000) != nullptr);
    rig.write(0, 0x98);
    rig.device->reset();
    CHECK(rig.device->fixed_page(0x1000) != nullptr);
}

TEST_CASE("flash: what is programmed outlives a reset, and is in the file", "[flash]") {
    const auto file = std::make_shared<MemoryFile>();
    Rig rig(file);
    rig.program(kVariables + 0x40, 0xdead'beef);
    rig.device->reset();
    CHECK(rig.read(kVariables + 0x40) == 0xdead'beef);
    std::array<u8, 4> kept{};
    REQUIRE(file->read(0x40, kept));
    CHECK(kept == std::array<u8, 4>{0xef, 0xbe, 0xad, 0xde});
}

TEST_CASE("flash: a snapshot has what was programmed, and the file follows it", "[flash]") {
    Rig rig;
    rig.program(kVariables + 0x40, 0xdead'beef);
    rig.program(2 * kFlashBankBytes - 4, 0x1111'2222);
    rig.write(kVariables, 0xe8);
    rig.write(kVariables, 3);
    const auto file = std::make_shared<MemoryFile>();
    Rig other(file);
    other.program(kVariables + kFlashSectorBytes, 0);
    const std::vector<u8> before = file->data;
    load_into(*other.device, save_of(*rig.device));
    const bool kept_file = file->data == before;  // something behind it may be wrong yet; 32 MiB are not told
    CHECK(kept_file);
    other.device->loaded();
    CHECK(hash_of(*other.device) == hash_of(*rig.device));
    other.device->reset();
    CHECK(other.read(kVariables + 0x40) == 0xdead'beef);
    CHECK(other.read(kVariables + kFlashSectorBytes) == 0xffff'ffff);
    std::array<u8, 4> kept{};
    REQUIRE(file->read(kFlashBankBytes - 4, kept));
    CHECK(kept == std::array<u8, 4>{0x22, 0x22, 0x11, 0x11});
}

namespace {
// A machine that has nothing but flash.
struct FlashMachine {
    Machine machine{{.ram_bytes = 1 << 20}};
    std::shared_ptr<MemoryFile> file = std::make_shared<MemoryFile>(std::vector<u8>(kFlashBankBytes, 0xff));
    Device* device = nullptr;
    FlashMachine() {
        machine.add_hart([](HartPort& port, unsigned number) {
            return std::make_unique<toy::CountingHart>(port, number);
        });
        device = &machine.attach(0x2000'0000, 0, flash({FlashBankConfig{}, FlashBankConfig{.file = file}}));
    }
    void program(u64 offset, u32 value) {
        REQUIRE(device->write(kVariables + offset, 4, 0x0040'0040));
        REQUIRE(device->write(kVariables + offset, 4, value));
    }
};
}  // namespace

TEST_CASE("flash: a snapshot that is refused changes neither contents nor the file", "[flash]") {
    FlashMachine saved, other;
    saved.program(0x40, 0xdead'beef);
    saved.program(5 * kFlashSectorBytes, 0);
    other.program(0x80, 0x1111'2222);
    const auto image = saved.machine.save();
    other.machine.reset();
    const u64 before = other.machine.hash();
    const auto kept = other.file->data;
    const auto is_as_before = [&] { return other.machine.hash() == before && other.file->data == kept; };
    for (const std::size_t cut : {image.size() - 1, image.size() / 2}) {
        CHECK_THROWS_WITH(other.machine.load(std::span(image).first(cut)), Catch::Contains("truncated"));
        CHECK(is_as_before());
    }
    other.file->fail_from = other.file->calls + 3;
    other.file->fail_to = other.file->fail_from + 1;
    CHECK_THROWS_WITH(other.machine.load(image), Catch::Contains("cannot be written"));
    CHECK(is_as_before());
    other.machine.load(image);
    CHECK(other.machine.hash() == saved.machine.hash());
    CHECK(other.file->data[0x40] == 0xef);
}

TEST_CASE("flash: random accesses keep it sane, and snapshots equal", "[flash]") {
    std::mt19937_64 random(9);
    const u8 commands[] = {0x10, 0x20, 0x40, 0x50, 0x60, 0x70, 0x90, 0x98, 0xe8, 0xd0, 0xff, 0x00, 0x03};
    Rig rig;
    for (int i = 0; i < 20'000; ++i) {
        const unsigned bytes = 1u << (random() % 4);
        const u64 offset =
            (random() % 3 == 0 ? random() % (2 * kFlashBankBytes) : random() % 0x80 + kVariables) / bytes *
            bytes;
        const u64 value = random() % 4 == 0 ? random() : commands[random() % std::size(commands)];
        if (random() % 3 == 0)
            (void)rig.read(offset, bytes);
        else
            rig.write(offset, value, bytes);
        if (i % 4000 != 0) continue;
        Rig other;
        load_into(*other.device, save_of(*rig.device));
        other.device->loaded();
        REQUIRE(save_of(*other.device) == save_of(*rig.device));
    }
}
