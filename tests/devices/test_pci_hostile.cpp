// Configuration spaces, MSI-X and every function's registers against drivers that mean harm.
#include <catch2/catch.hpp>

#include <random>

#include "devices/nvme/nvme.hpp"
#include "devices/virtio/block.hpp"
#include "devices/virtio/console.hpp"
#include "devices/virtio/entropy.hpp"
#include "devices/virtio/net.hpp"
#include "devices/virtio/ninep.hpp"
#include "devices/virtio/pci.hpp"
#include "tests/devices/every_device.hpp"
#include "tests/devices/pci_rig.hpp"

using namespace hartline;
using namespace hartline::test;

namespace {
struct Function {
    const char* name;
    unsigned wide;  // its 64-bit base address register
    std::function<DeviceFactory(pci::PciSlot)> make;
};

std::vector<Function> every_function(ByteSink& sink) {
    const auto disk = [] { return std::make_shared<MemoryDisk>(1 << 20); };
    const auto over = [](VirtioFactory make) {
        return [make](pci::PciSlot slot) { return virtio_pci(slot, make); };
    };
    return {{"block", 4, over(virtio_block(disk()))},
            {"console", 4, over(virtio_console(sink))},
            {"entropy", 4, over(virtio_entropy(7))},
            {"net", 4, over(virtio_net(std::make_shared<NoNetwork>()))},
            {"9p", 4, over(virtio_ninep(std::make_shared<share::SilentChannel>(), "share0"))},
            {"nvme", 0, [disk](pci::PciSlot slot) { return nvme_controller(slot, disk()); }}};
}
constexpr u64 kRings = 0x8010'0000;

// As a driver begins, with its queues in memory that is full of garbage. true: the device runs.
bool bring_up(PciRig& r, bool virtio, std::mt19937_64& random) {
    const auto somewhere = [&] { return kRings + random() % 2 * 0x1000; };
    if (!virtio) {
        put(*r.high, 0x14, 0);
        put(*r.high, 0x24, 63 * 0x1'0001);
        put(*r.high, 0x28, somewhere(), 8);
        put(*r.high, 0x30, somewhere(), 8);
        put(*r.high, 0x14, 0x0046'0001);
        put(*r.high, 0x1000, random() % 64);
        return get(*r.high, 0x1c) == 1;
    }
    for (const u64 status : {0, 1, 3}) put(*r.high, 0x14, status, 1);
    for (const u64 word : {0, 1}) {
        put(*r.high, 0x00, word);
        put(*r.high, 0x08, word);
        put(*r.high, 0x0c, (get(*r.high, 0x04) & random()) | word);
    }
    put(*r.high, 0x14, 11, 1);
    for (u64 queue = 0; queue < get(*r.high, 0x12, 2); ++queue) {
        put(*r.high, 0x16, queue, 2);
        put(*r.high, 0x18, 8, 2);
        put(*r.high, 0x20, kRings + 0x400, 8);
        put(*r.high, 0x28, kRings, 8);
        put(*r.high, 0x30, somewhere(), 8);
        put(*r.high, 0x1c, 1, 2);
    }
    // Chains that may be served: of parts in memory, few, linked to one another.
    REQUIRE(r.port.ram.write(kRings + 2, static_cast<u16>(random() % 9)));
    for (u64 entry = 0; entry < 8; ++entry) {
        const u64 link = random() % 4 | (random() % 8) << 16;
        REQUIRE(r.port.ram.write(kRings + 4 + 2 * entry, static_cast<u16>(random() % 9)));
        REQUIRE(
            r.port.ram.write(kRings + 0x400 + 16 * entry,
                             std::array<u64, 2>{kRings + random() % 0x2000, random() % 4096 | link << 32}));
    }
    put(*r.high, 0x14, 15, 1);
    const bool runs = get(*r.high, 0x14, 1) == 15;
    for (u64 queue = 0; queue < 4; ++queue) put(*r.high, 0x3000 + 4 * queue, queue, 2);
    return runs;
}
}  // namespace

TEST_CASE("CVE-2020-13791: the end of a configuration space is its end, by every size", "[pci]") {
    Sink sink;
    for (const Function& function : every_function(sink)) {
        INFO(function.name);
        PciRig r(function.make);
        const u64 hash = hash_of(*r.device);
        for (const unsigned bytes : {1u, 2u, 4u, 8u})
            for (u64 at = 0x100; at < 0x1000; at += bytes) {
                REQUIRE(r.config(at, bytes) == 0);
                r.config(at, ~u64{0}, bytes);
            }
        CHECK(hash_of(*r.device) == hash);
        CHECK(r.config(0xf8, 8) >> 32 == r.config(0xfc, 4));
    }
}

TEST_CASE("CVE-2019-15034: capabilities are inside of the configuration space, linked once, and named",
          "[pci]") {
    Sink sink;
    for (const Function& function : every_function(sink)) {
        INFO(function.name);
        PciRig r(function.make);
        CHECK((r.config(6, 2) & 0x10) != 0);
        u64 seen = 0;
        for (u64 at = r.config(0x34, 1); at != 0; at = r.config(at + 1, 1)) {
            REQUIRE((at >= 0x40 && at % 4 == 0 && at < 0xfc));
            REQUIRE(bit(seen, static_cast<unsigned>(at / 4)) == 0);
            seen |= u64{1} << (at / 4);
            const u64 id = r.config(at, 1);
            REQUIRE((id == 0x09 || id == 0x10 || id == 0x11));
        }
        CHECK(std::popcount(seen) >= 2);
    }
}

TEST_CASE("pci: what identifies a function and its layout is read-only", "[pci]") {
    Sink sink;
    for (const Function& function : every_function(sink)) {
        INFO(function.name);
        PciRig r(function.make);
        std::array<u64, 64> before{};
        for (u64 at = 0; at < 256; at += 4) before[at / 4] = r.config(at);
        for (const u64 value : {~u64{0}, u64{0}})
            for (u64 at = 0; at < 256; at += 4) r.config(at, value, 4);
        for (const u64 at : {0x00u, 0x08u, 0x2cu, 0x34u}) CHECK(r.config(at) == before[at / 4]);
        CHECK(r.config(0x0e, 2) == before[3] >> 16);  // header type, BIST
        CHECK(r.config(0x3d, 1) == (before[15] >> 8 & 0xff));
        for (u64 at = r.config(0x34, 1); at != 0; at = r.config(at + 1, 1))
            CHECK(r.config(at, 2) == (before[at / 4] & 0xffff));
        for (u64 at = 0; at < 256; at += 4)
            if (at < 0x10 || at > 0x24) CHECK(r.config(at) == before[at / 4]);  // all writable bits were 0
    }
}

TEST_CASE("CVE-2020-27821: beyond its vectors a table of MSI-X is empty", "[pci]") {
    PciRig r([](pci::PciSlot slot) { return virtio_pci(slot, virtio_entropy(7)); });
    r.map(4);
    const u64 vectors = (r.config(r.capability(0x11) + 2, 2) & 0x7ff) + 1;
    const u64 hash = hash_of(*r.device);
    for (const unsigned bytes : {4u, 8u})
        for (u64 at = 16 * vectors; at < 0x1000; at += bytes) {
            REQUIRE(get(*r.memory, at, bytes) == 0);
            put(*r.memory, at, ~u64{0}, bytes);
        }
    for (const unsigned bytes : {1u, 2u})
        for (u64 at = 0; at < 0x1000; at += bytes) {
            REQUIRE(get(*r.memory, at, bytes) == 0);
            put(*r.memory, at, ~u64{0}, bytes);
        }
    CHECK(hash_of(*r.device) == hash);
}

TEST_CASE("pci: base address registers anywhere, over each other or in one another, are harmless", "[pci]") {
    std::mt19937_64 random(21);
    PciRig r([](pci::PciSlot slot) { return virtio_pci(slot, virtio_entropy(7)); });
    FakePort other_port;
    const auto other = nvme_controller({r.bus, 2}, std::make_shared<MemoryDisk>(1 << 20))(other_port);
    constexpr u64 kEdges[] = {0,           0x4000'0000,   0x7fff'c000,   0x8000'0000,
                              0xffff'c000, 0x4'0000'0000, 0x7'ffff'c000, ~u64{0}};
    for (int step = 0; step < 20'000; ++step) {
        const u64 base = random() % 2 == 0 ? kEdges[random() % std::size(kEdges)] : random();
        const u64 slot = (1 + random() % 2) << 15, bar = 0x10 + 4 * (random() % 6);
        put(*r.ecam, slot + bar, base & 0xffff'ffff);
        put(*r.ecam, slot + bar + 4, base >> 32);
        put(*r.ecam, slot + 4, random() % 8, 2);
        const unsigned bytes = 1u << random() % 4;
        Device& window = random() % 2 == 0 ? *r.high : *r.memory;
        const u64 at = (random() % 4 == 0 ? window.size() - 8 : random() % 0x8000) / bytes * bytes;
        u64 value = 0;
        REQUIRE(window.read(at, bytes, value));
        REQUIRE((bytes == 8 || value >> (8 * bytes) == 0));
        REQUIRE(window.write(at, bytes, random()));
    }
}

TEST_CASE("pci: random drivers do no harm to any function, nor leave a mark after a reset", "[pci]") {
    Sink sink;
    std::mt19937_64 random(22);
    for (const Function& function : every_function(sink)) {
        INFO(function.name);
        PciRig r(function.make);
        const u64 fresh = hash_of(*r.device);
        unsigned ran = 0;
        for (int game = 0; game < 150; ++game) {
            r.map(function.wide);
            for (u64 at = 0; at < 0x2000; at += 8)
                REQUIRE(r.port.ram.write(0x8010'0000 + at,
                                         random() % 4 == 0 ? random() : 0x8010'0000 + random() % 0x1ff8));
            ran += bring_up(r, function.wide == 4, random);
            for (int step = 0; step < 150; ++step) {
                const unsigned bytes = 1u << random() % 4;
                u64 value = random() >> random() % 64;
                if (random() % 3 == 0) value = 0x8010'0000 + random() % 0x2000 / 64 * 64;
                if (random() % 3 == 0) value = 1u << random() % 16;
                const u64 at = random() % (random() % 2 == 0 ? 0x40u : 0x4000u) / bytes * bytes;
                if (random() % 8 == 0) REQUIRE(r.ecam->write(r.kFunction + at % 256, bytes, value));
                if (random() % 16 == 0) r.map(function.wide);
                REQUIRE((random() % 8 == 0 ? *r.memory : *r.high).write(at, bytes, value));
                REQUIRE(r.high->read(at, bytes, value));
                if (random() % 4 == 0) r.port.advance(*r.device, random() % 100'000, 100);
                if (random() % 32 == 0) r.device->input(bytes_of("abc"));
            }
            const auto image = save_of(*r.device);
            load_into(*r.device, image);
            REQUIRE(save_of(*r.device) == image);
        }
        r.port.events.clear();
        r.device->reset();
        CHECK(hash_of(*r.device) == fresh);
        CHECK(ran > 5);  // others ask for features that do not go together
    }
}
