// The NVMe controller, driven as Linux does, and by garbage.
#include <catch2/catch.hpp>

#include <random>

#include "tests/devices/nvme_rig.hpp"

using namespace hartline;
using namespace hartline::test;

namespace {
using Rig = NvmeRig;
using Command = NvmeCommand;
}  // namespace

TEST_CASE("nvme: registers are those of 1.4, and a bad start is fatal", "[pci][nvme]") {
    Rig r;
    CHECK(get(*r.high, 0, 8) == 0x0000'0020'0f01'03ff);
    CHECK(get(*r.high, 8) == 0x1'0400);
    CHECK(get(*r.high, 0x1c) == 0);
    r.enable();
    CHECK(get(*r.high, 0x1c) == 1);
    put(*r.high, 0x14, 0x4001);  // shutdown
    CHECK(get(*r.high, 0x1c) == 9);
    CHECK(r.disk->flushes == 1);
    r.enable(1);
    CHECK(get(*r.high, 0x1c) == 2);
    put(*r.high, 0x14, 0);
    put(*r.high, 0x24, 0xf'000f);
    put(*r.high, 0x28, r.kHigh, 8);  // not RAM
    put(*r.high, 0x14, 1);
    CHECK(get(*r.high, 0x1c) == 2);
    put(*r.high, 0x1000, 3);
    put(*r.high, 0x14, 0);
    CHECK(get(*r.high, 0x1c) == 0);
}

TEST_CASE("nvme: identification, features and logs", "[pci][nvme]") {
    Rig r;
    r.start();
    std::array<u8, 4096> data{};
    CHECK(r.ask(0, {.opcode_id = 6, .prp1 = kData, .dword = {1}}) == 0);
    REQUIRE(r.port.ram.read(kData, data));
    CHECK(std::string(data.begin() + 4, data.begin() + 24) == "serial              ");
    CHECK(data[77] == 8);
    CHECK(r.ask(0, {.opcode_id = 6, .nsid = 1, .prp1 = kData}) == 0);
    REQUIRE(r.port.ram.read(kData, data));
    CHECK((data[0] == 0 && data[1] == 0x20));  // 8192 blocks
    CHECK(data[130] == 9);
    CHECK(r.ask(0, {.opcode_id = 6, .nsid = 2, .prp1 = kData}) == 0x400b);
    CHECK(r.ask(0, {.opcode_id = 6, .prp1 = kData, .dword = {2}}) == 0);
    CHECK(r.ask(0, {.opcode_id = 6, .nsid = 1, .prp1 = kData, .dword = {3}}) == 0);
    CHECK(r.ask(0, {.opcode_id = 6, .nsid = 1, .prp1 = kData, .dword = {0x77}}) == 0x4002);
    r.submit(0, {.opcode_id = 9, .dword = {7, 0x7f'007f}});
    CHECK(r.take(0).result == 0xf'000f);
    r.submit(0, {.opcode_id = 10, .dword = {6}});
    CHECK(r.take(0).result == 1);
    CHECK(r.ask(0, {.opcode_id = 2, .prp1 = kData, .dword = {127 << 16 | 2}}) == 0);
    REQUIRE(r.port.ram.read(kData, data));
    CHECK((data[1] | data[2] << 8) == 310);
    CHECK(r.ask(0, {.opcode_id = 2, .prp1 = kData, .dword = {127 << 16 | 9}}) == 0x4109);
    CHECK(r.ask(0, {.opcode_id = 2, .prp1 = kData, .dword = {127 << 16 | 2, 0, 516}}) == 0x4002);
    CHECK(r.ask(0, {.opcode_id = 0x55}) == 0x4001);
    for (int i = 0; i < 4; ++i) r.submit(0, {.opcode_id = 12});
    CHECK(r.ask(0, {.opcode_id = 12}) == 0x4105);
}

TEST_CASE("nvme: blocks are written and read by pages and lists of them", "[pci][nvme]") {
    Rig r;
    r.start();
    std::vector<u8> data(0x1'0000);
    std::mt19937 random(1);
    for (u8& byte : data) byte = static_cast<u8>(random());
    REQUIRE(r.port.ram.write(kData, data));
    for (u64 page = 0; page < 16; ++page)
        REQUIRE(r.port.ram.write(kList + 8 * page, kData + 4096 * (page + 1)));
    CHECK(r.ask(1, Rig::blocks(1, kData, kList, 16, 128)) == 0);
    CHECK(std::equal(data.begin(), data.end(), r.disk->data.begin() + 16 * 512));
    CHECK(r.lines[1].irq == false);
    CHECK(r.ask(1, Rig::blocks(2, kData + 0x2'0200, kData + 0x2'1000, 17, 9)) == 0);
    std::vector<u8> back(9 * 512);
    REQUIRE(r.port.ram.read(kData + 0x2'0200, back));
    CHECK(std::equal(back.begin(), back.end(), data.begin() + 512));
    CHECK(r.ask(1, {.opcode_id = 0, .nsid = ~0u}) == 0);
    CHECK(r.disk->flushes == 1);
    CHECK(r.ask(1, Rig::blocks(8, 0, 0, 16, 8)) == 0);
    CHECK(r.disk->zeroes == 1);
    REQUIRE(r.port.ram.write(kData, std::array<u32, 4>{0, 8, 32, 0}));
    CHECK(r.ask(1, {.opcode_id = 9, .nsid = 1, .prp1 = kData, .dword = {0, 4}}) == 0);
    CHECK(r.disk->discards == 1);
    CHECK(r.disk->data[32 * 512] == 0);
}

TEST_CASE("nvme: ranges, lists and addresses outside are refused", "[pci][nvme]") {
    Rig r;
    r.start();
    CHECK(r.ask(1, Rig::blocks(2, kData, 0, 8192, 1)) == 0x4080);
    CHECK(r.ask(1, {.opcode_id = 2, .nsid = 1, .prp1 = kData, .dword = {~0u, ~0u, 7}}) == 0x4080);
    CHECK(r.ask(1, Rig::blocks(2, kData, kList, 0, 4096)) == 0x4002);  // beyond MDTS
    CHECK(r.ask(1, Rig::blocks(2, kData + 1, 0, 0, 1)) == 0x4013);
    CHECK(r.ask(1, Rig::blocks(2, kData, kData + 4, 0, 16)) == 0x4013);
    CHECK(r.ask(1, Rig::blocks(2, kData, kList + 4, 0, 64)) == 0x4013);
    CHECK(r.ask(1, Rig::blocks(2, 0x10, 0, 0, 1)) == 0x4004);
    CHECK(r.ask(1, {.opcode_id = 2, .nsid = 2, .prp1 = kData}) == 0x400b);
    CHECK(r.ask(1, {.opcode_id = 0x4002, .nsid = 1, .prp1 = kData}) == 0x4002);  // SGLs
    CHECK(r.ask(0, {.opcode_id = 1, .prp1 = kIo, .dword = {15 << 16 | 1, 1 << 16 | 1}}) == 0x4101);
    CHECK(r.ask(0, {.opcode_id = 1, .prp1 = kIo, .dword = {15 << 16 | 2, 2 << 16 | 1}}) == 0x4100);
    CHECK(r.ask(0, {.opcode_id = 5, .prp1 = kIo, .dword = {15 << 16 | 2, 99 << 16 | 1}}) == 0x4108);
    CHECK(r.ask(0, {.opcode_id = 5, .prp1 = kIo, .dword = {2, 1}}) == 0x4102);
    CHECK(r.ask(0, {.opcode_id = 4, .dword = {1}}) == 0x410c);
    CHECK(r.ask(0, {.opcode_id = 0, .dword = {1}}) == 0);
    CHECK(r.ask(0, {.opcode_id = 4, .dword = {1}}) == 0);
}

TEST_CASE("nvme: a read-only disk is never written", "[pci][nvme]") {
    Rig r(true);
    r.start();
    for (u32 opcode : {1u, 8u}) CHECK(r.ask(1, Rig::blocks(opcode, kData, 0, 0, 1)) == 0x4182);
}

TEST_CASE("CVE-2021-3929: DMA to the controller's own registers is refused", "[pci][nvme]") {
    Rig r;
    r.start();
    CHECK(r.ask(1, Rig::blocks(2, r.kHigh, 0, 0, 1)) == 0x4004);
    CHECK(r.ask(1, Rig::blocks(2, kData, r.kHigh + 0x1000, 0, 16)) == 0x4004);
    CHECK(get(*r.high, 0x1c) == 1);
}

TEST_CASE("CVE-2021-3748: nothing in flight is completed after a reset", "[pci][nvme]") {
    Rig r;
    r.start();
    REQUIRE(r.port.ram.write(kIo, Rig::blocks(2, kData, 0, 0, 1)));
    put(*r.high, 0x1008, 1);
    put(*r.high, 0x14, 0);
    r.port.advance(*r.device, 10'000'000);
    u64 entry = 0;
    REQUIRE(r.port.ram.read(kIoDone + 8, entry));
    CHECK(entry == 0);
}

TEST_CASE("nvme: completions wait for room, and the pin is high while some are not taken", "[pci][nvme]") {
    Rig r;
    r.start();
    for (int i = 0; i < 20; ++i) r.submit(1, {.opcode_id = 0, .nsid = 1});
    CHECK(r.lines[1].irq);
    put(*r.high, 0x0c, 1);
    CHECK_FALSE(r.lines[1].irq);
    put(*r.high, 0x10, 1);
    for (int i = 0; i < 20; ++i) CHECK((r.take(1).status & 1) == (i < 16));
    CHECK_FALSE(r.lines[1].irq);
}

TEST_CASE("CVE-2016-4453: garbage in queues and registers is bounded and harmless", "[pci][nvme]") {
    std::mt19937_64 random(11);
    Rig r;
    u64 served = 0;
    for (int game = 0; game < 400; ++game) {
        r.map(0);
        r.enable();
        (void)r.ask(0, {.opcode_id = 5, .prp1 = kIoDone, .dword = {15 << 16 | 1, 3}});
        (void)r.ask(0, {.opcode_id = 1, .prp1 = kIo, .dword = {15 << 16 | 1, 1 << 16 | 1}});
        for (u64 at = 0; at < 0x1000; at += 8)
            REQUIRE(
                r.port.ram.write(kList + at, random() % 8 == 0 ? random() : kData + random() % 16 * 4096));
        for (int i = 0; i < 40; ++i) {
            Command c{.opcode_id = static_cast<u32>(random() % 16 | (random() % 32 == 0 ? 0x100 : 0)),
                      .nsid = static_cast<u32>(random() % 8 != 0),
                      .prp1 = random() % 16 == 0 ? random() : kData + random() % 8 * 512,
                      .prp2 = random() % 16 == 0  ? random()
                              : random() % 2 == 0 ? kData
                                                  : kList};
            for (u32& word : c.dword) word = static_cast<u32>(random() % 4 == 0 ? random() : random() % 32);
            r.submit(static_cast<unsigned>(random() % 8 != 0), c);
            if (random() % 4 == 0) served += (r.take(1).status >> 1) == 0;
            if (random() % 16 == 0) (void)r.high->write(random() % 0x1100 & ~u64{3}, 4, random() % 64);
            if (random() % 64 == 0) (void)r.high->write(random() % 0x4000 & ~u64{7}, 8, random());
        }
        if (game % 10 == 0) {
            const auto image = save_of(*r.device);
            load_into(*r.device, image);
            REQUIRE(save_of(*r.device) == image);
            auto mutated = image;
            mutated[random() % mutated.size()] = static_cast<u8>(random());
            try {
                load_into(*r.device, mutated);
            } catch (const ArchiveError&) {
                r.device->reset();  // as the machine does
            }
            r.port.advance(*r.device, 100'000, 100);
        }
    }
    CHECK(served > 100);
}
