// Garbage in rings and registers: no virtio device crashes, hangs, or touches anything but RAM.
#include <catch2/catch.hpp>

#include <random>

#include "tests/devices/every_device.hpp"
#include "tests/devices/virtio_driver.hpp"
#include "tests/devices/virtio_games.hpp"

using namespace hartline;
using namespace hartline::test;
using Driver = VirtioDriver;

namespace {
struct CountingSink final : ByteSink {
    u64 bytes = 0;
    void write(std::span<const u8> more) override { bytes += more.size(); }
};

// An address that is often good, often near an edge, sometimes wild.
u64 some_address(std::mt19937_64& random, const Driver& driver) {
    switch (random() % 8) {
        case 0: return random();
        case 1: return 0x8040'0000 - random() % 64;
        case 2: return driver.rings[0].used + random() % 64;
        case 3: return driver.rings[0].desc + random() % 128;
        default: return 0x8020'0000 + random() % 0x10'0000;
    }
}
u32 some_length(std::mt19937_64& random) {
    switch (random() % 8) {
        case 0: return static_cast<u32>(random());
        case 1: return 0;
        case 2: return 16;
        case 3: return 512u * static_cast<u32>(random() % 64);
        default: return static_cast<u32>(random() % 64);
    }
}

void scribble(Driver& driver, std::mt19937_64& random, u32 number) {
    Driver::Ring& ring = driver.rings[number];
    for (u16 i = 0; i < ring.size; ++i)
        driver.set_descriptor(number, i,
                              {some_address(random, driver), some_length(random),
                               static_cast<u16>(random() % 16 == 0 ? random() : random() % 8),
                               static_cast<u16>(random() % (ring.size + (random() % 8 == 0)))});
    for (u64 at = 0x8020'0000; at < 0x8020'1000; at += 16)  // headers and indirect tables
        driver.store(
            at, Driver::Descriptor{random() % 4 == 0 ? random() % 16 : some_address(random, driver),
                                   static_cast<u32>(random() % 2048), static_cast<u16>(random() % 4), 1});
    const auto offered = random() % 16 == 0 ? random() : random() % ring.size;
    for (u64 i = 0; i < (offered & 15); ++i)
        driver.offer(number, static_cast<u16>(random() % (ring.size + 1u)));
    if (random() % 32 == 0) driver.store(ring.avail + 2, ring.avail_index = static_cast<u16>(random()));
    driver.set_used_event(static_cast<u16>(random()), number);
}

// A request as a driver would make it, but for its numbers.
void ask(Driver& driver, std::mt19937_64& random, u32 number) {
    const u64 header = 0x8020'0000 + random() % 64 * 16;
    driver.store(header,
                 std::array<u32, 4>{static_cast<u32>(random() % 16), 0, static_cast<u32>(random() % 2100),
                                    static_cast<u32>(random() % 32 == 0)});
    std::vector<Driver::Buffer> buffers{{header, random() % 32 == 0 ? some_length(random) : 16}};
    const auto add = [&](bool writable) {
        const bool wild = random() % 64 == 0;
        buffers.push_back({wild ? some_address(random, driver) : 0x8021'0000 + random() % 0x1'0000,
                           wild ? some_length(random) : 512 * static_cast<u32>(random() % 4), writable});
    };
    for (u64 i = random() % 3; i != 0; --i) add(false);
    for (u64 i = random() % 3; i != 0; --i) add(true);
    if (random() % 16 != 0) buffers.push_back({0x8023'0000, 1, true});
    if (buffers.size() > driver.rings[number].size || random() % 2 == 0)
        driver.submit_indirect(number, buffers);
    else
        driver.submit(number, buffers);
}

unsigned queues_of(std::string_view name) {
    return name == "virtio4" ? 3 : name == "virtio1" ? 6 : name == "virtio5" ? 5 : name == "virtio7" ? 3 : 1;
}

void play(Driver& driver, std::mt19937_64& random, unsigned queues) {
    const u64 features = random() % 4 == 0 ? random() : ~u64{0};
    driver.free = 0x8010'0000;
    (void)driver.negotiate(driver.offered() & features);
    for (u32 number = 0; number < queues; ++number)
        driver.set_up(number, static_cast<u16>(1u << (random() % 5)));
    if (random() % 16 == 0) driver.write64(Driver::kDesc + 0x10 * (random() % 3), random());
    driver.run();
    for (int round = 0; round < 8; ++round) {
        const u32 number = static_cast<u32>(random() % queues);
        if (random() % 8 == 0)
            scribble(driver, random, number);
        else
            for (u64 i = random() % 4; i != 0; --i) ask(driver, random, number);
        if (random() % 2 == 0) driver.device.input(bytes_of("some input"));
        if (random() % 2 == 0)  // a record of a console
            driver.device.input(std::vector<u8>{static_cast<u8>(random() % 6), static_cast<u8>(random() % 3),
                                                static_cast<u8>(random()), 1, 0, 0});
        if (random() % 4 == 0) driver.device.input(std::vector<u8>{1});   // a question to a balloon
        if (random() % 4 == 0) driver.device.input(std::vector<u8>(80));  // a frame, for a card
        driver.kick(static_cast<u32>(random() % 8 == 0 ? random() : number));
        if (random() % 2 == 0) driver.port.advance(driver.device, random() % 200'000, 1000);
        (void)driver.acknowledge();
        if (random() % 16 == 0) (void)driver.device.write(random() % 0x40 * 4, 4, random());
    }
}
}  // namespace

TEST_CASE("checklist 66: garbage rings do no harm to any virtio device") {
    CountingSink sink;
    for (const auto& [name, make] : every_device(sink)) {
        if (name.find("virtio") == std::string::npos) continue;
        INFO(name);
        std::mt19937_64 random(66);
        FakePort port;
        const auto device = make(port);
        Driver driver(port, *device);
        driver.rings.fill({0x8010'0000, 0x8010'0000, 0x8010'0000, 8});
        u64 served = 0, broken = 0;
        for (int game = 0; game < 2000; ++game) {
            play(driver, random, queues_of(name));
            broken += driver.broken();
            bool used = false;
            for (u32 number = 0; number < queues_of(name); ++number)
                used |= driver.load<u16>(driver.rings[number].used + 2) != 0;
            served += used;
            if (game % 20 == 0) {
                const auto image = save_of(*device);
                load_into(*device, image);
                REQUIRE(save_of(*device) == image);
            }
        }
        const bool silent = name == "virtio6";  // virtio-9p: its answers come from outside
        CHECK((silent || served > 500));        // the garbage is good enough to get through
        CHECK(broken > 500);
        driver.start(4, queues_of(name));  // and a reset always heals
        CHECK_FALSE(driver.broken());
    }
}

TEST_CASE("the fuzz is deterministic: twice the same garbage gives the same state") {
    const auto run = [] {
        CountingSink sink;
        std::vector<u64> hashes;
        for (const auto& [name, make] : every_device(sink)) {
            if (name.find("virtio") == std::string::npos) continue;
            std::mt19937_64 random(5);
            FakePort port;
            const auto device = make(port);
            Driver driver(port, *device);
            for (int game = 0; game < 20; ++game) play(driver, random, queues_of(name));
            hashes.push_back(hash_of(*device));
        }
        return hashes;
    };
    CHECK(run() == run());
}

TEST_CASE("the fuzzers' games end well with inputs of any kind", "[diskio]") {
    std::mt19937_64 random(12);
    for (int game = 0; game < 300; ++game) {
        std::vector<u8> input(random() % 4096);
        for (u8& byte : input) byte = static_cast<u8>(random());
        fuzz_virtio_blk(input);
        fuzz_virtio_net(input);
    }
}
