// The watchdog, driven as Linux does, and by garbage.
#include <libfdt.h>
#include <catch2/catch.hpp>

#include <random>

#include "devices/watchdog.hpp"
#include "tests/devices/fake_port.hpp"

using namespace hartline;
using namespace hartline::test;

namespace {
constexpr u64 kIrqEnable = 0x00, kIrqStatus = 0x04, kSoftReset = 0x08, kControl = 0x10, kConfig = 0x14,
              kMode = 0x18, kOutput = 0x1c;
constexpr u32 kKey = 0x16aa'0000, kRestart = 0xa57 << 1 | 1;
constexpr u64 kMs = 1'000'000, kSecond = 1000 * kMs;

struct Rig {
    FakePort port;
    unsigned told = 0;
    std::unique_ptr<Device> device;
    explicit Rig(WatchdogAction action = WatchdogAction::Reset)
        : device(watchdog(action, [this] { ++told; })(port)) {}
    void set(u64 at, u32 value) { put(*device, at, value); }
    u64 read(u64 at) { return get(*device, at); }
    void start(u32 interval) {
        set(kConfig, kKey | 1);
        set(kMode, kKey | interval << 4 | 1);
    }
    // Does it act within so long?
    bool acts(u64 ns) {
        port.advance(*device, ns);
        return port.stop.has_value();
    }
};
}  // namespace

TEST_CASE("watchdog: every interval is as long as the manual says", "[watchdog]") {
    const u64 half_seconds[] = {1, 2, 4, 6, 8, 10, 12, 16, 20, 24, 28, 32};
    for (u32 interval = 0; interval < 12; ++interval) {
        Rig r;
        r.start(interval);
        CHECK_FALSE(r.acts(half_seconds[interval] * 500 * kMs - 1));
        CHECK(r.acts(1));
        CHECK(r.told == 1);
    }
    Rig r;
    r.set(kConfig, kKey | 1 | 1 << 8);  // the other oscillator is 2.4 % faster
    r.set(kMode, kKey | 1 << 4 | 1);
    CHECK_FALSE(r.acts(976'562'499));
    CHECK(r.acts(1));
}

TEST_CASE("watchdog: restarts put it off, and only with their key", "[watchdog]") {
    Rig r;
    r.start(1);
    for (int i = 0; i < 10; ++i) {
        CHECK_FALSE(r.acts(999 * kMs));
        r.set(kControl, kRestart);
    }
    CHECK_FALSE(r.acts(999 * kMs));
    for (const u32 wrong : {0u, 1u, 0xa57u << 1, 0xa56u << 1 | 1, 0xffff'ffffu}) r.set(kControl, wrong);
    CHECK(r.acts(kMs));
}

TEST_CASE("watchdog: mode and action are written with their key", "[watchdog]") {
    Rig r;
    for (const u32 key : {0u, 0x16ab'0000u, 0x96aa'0000u}) {
        r.set(kMode, key | 0x11);
        r.set(kConfig, key | 2);
        r.set(kSoftReset, key | 1);
    }
    CHECK(r.read(kMode) == 0);
    CHECK(r.read(kConfig) == 1);
    CHECK_FALSE(r.acts(100 * kSecond));
    r.start(1);
    CHECK(r.read(kMode) == 0x11);
    r.set(kMode, kKey | 0xc1);  // a reserved interval
    CHECK(r.read(kMode) == 0x11);
    r.set(kMode, kKey | 0xb1);
    CHECK_FALSE(r.acts(15 * kSecond));
    r.set(kMode, kKey);  // disabled
    CHECK_FALSE(r.acts(100 * kSecond));
    CHECK(r.port.events.empty());
    r.set(kSoftReset, kKey);
    CHECK_FALSE(r.port.stop);
    r.set(kSoftReset, kKey | 1);
    CHECK(r.port.stop);
}

TEST_CASE("watchdog: a shorter interval counts from where the count began", "[watchdog]") {
    Rig r;
    r.start(0xb);
    CHECK_FALSE(r.acts(3 * kSecond));
    r.set(kMode, kKey | 4 << 4 | 1);
    CHECK_FALSE(r.acts(kSecond - 1));
    CHECK(r.acts(1));
}

TEST_CASE("watchdog: it does what it was asked for", "[watchdog]") {
    using Kind = StopRequest::Kind;
    for (const auto& [action, kind] : {std::pair{WatchdogAction::Reset, Kind::Reset},
                                       {WatchdogAction::PowerOff, Kind::PowerOff},
                                       {WatchdogAction::Pause, Kind::Pause}}) {
        Rig r(action);
        r.start(0);
        REQUIRE(r.acts(kSecond));
        CHECK(r.port.stop->kind == kind);
        CHECK(r.port.stop->code == 0);
    }
    Rig r(WatchdogAction::None);
    r.start(0);
    CHECK_FALSE(r.acts(100 * kSecond));
    CHECK(r.told == 1);  // the count stays at its end
    r.set(kControl, kRestart);
    CHECK_FALSE(r.acts(kSecond));
    CHECK(r.told == 2);
    CHECK((r.read(kMode) & 1) == 1);
}

TEST_CASE("watchdog: an interrupt instead, and it is taken back", "[watchdog]") {
    Rig r;
    r.set(kConfig, kKey | 2);
    r.set(kMode, kKey | 1);
    CHECK_FALSE(r.acts(kSecond));
    CHECK(r.told == 0);
    CHECK(r.read(kIrqStatus) == 1);
    CHECK_FALSE(r.port.irq);
    r.set(kIrqEnable, 1);
    CHECK(r.port.irq);
    r.set(kIrqStatus, 0);
    CHECK(r.port.irq);
    r.set(kIrqStatus, 1);
    CHECK_FALSE(r.port.irq);
    CHECK(r.read(kIrqStatus) == 0);
}

TEST_CASE("watchdog: a snapshot counts on", "[watchdog]") {
    Rig r;
    r.start(2);
    r.port.advance(*r.device, 1500 * kMs);
    Rig other;
    other.port.time = r.port.time;
    other.port.events = r.port.events;
    load_into(*other.device, save_of(*r.device));
    CHECK(hash_of(*other.device) == hash_of(*r.device));
    other.set(kMode, kKey | 2 << 4 | 1);
    CHECK_FALSE(other.acts(500 * kMs - 1));
    CHECK(other.acts(1));
}

TEST_CASE("watchdog: where nothing is done about it, it is told of each, once in 10 s", "[watchdog]") {
    Rig r(WatchdogAction::None);
    for (int i = 0; i < 3; ++i) r.set(kSoftReset, kKey | 1);
    CHECK(r.told == 1);
    r.device->reset();
    r.set(kSoftReset, kKey | 1);
    CHECK(r.told == 2);
    r.start(0xb);  // 16 s
    r.port.advance(*r.device, 100 * kSecond);
    CHECK(r.told == 3);  // the count stays at its end
    r.set(kControl, kRestart);
    r.port.advance(*r.device, 16 * kSecond);
    CHECK(r.told == 4);
    r.set(kMode, kKey | 1);  // half a second
    for (int i = 0; i < 100; ++i) {
        r.set(kControl, kRestart);
        r.port.advance(*r.device, kSecond);
    }
    CHECK(r.told == 13);
    Rig paused(WatchdogAction::Pause);
    for (int i = 0; i < 3; ++i) paused.set(kSoftReset, kKey | 1);
    CHECK(paused.told == 3);
}

TEST_CASE("watchdog: its node is what Linux' driver looks for", "[watchdog]") {
    Rig r;
    DeviceTree tree;
    const u32 controller = tree.new_phandle();
    tree.begin("");
    r.device->describe_node(tree, {0x400'0000, 64, controller, {}});
    tree.end();
    const auto blob = tree.finish();
    const int node = fdt_path_offset(blob.data(), "/watchdog@4000000");
    REQUIRE(node >= 0);
    CHECK(fdt_node_check_compatible(blob.data(), node, "allwinner,sun20i-d1-wdt") == 0);
    CHECK(fdt_stringlist_count(blob.data(), node, "clock-names") == 2);
    int bytes = 0;
    const auto* const clocks = static_cast<const fdt32_t*>(fdt_getprop(blob.data(), node, "clocks", &bytes));
    REQUIRE(bytes == 8);
    for (int i = 0; i < 2; ++i)
        CHECK(fdt_node_check_compatible(blob.data(),
                                        fdt_node_offset_by_phandle(blob.data(), fdt32_to_cpu(clocks[i])),
                                        "fixed-clock") == 0);
}

TEST_CASE("watchdog: garbage does no harm, and mutated snapshots throw or load", "[watchdog]") {
    std::mt19937_64 random(3);
    Rig r(WatchdogAction::None);
    for (int step = 0; step < 200'000; ++step) {
        const unsigned bytes = 1u << random() % 4;
        const u64 at = random() % 0x24 / bytes * bytes;
        u64 value = random() >> random() % 64;
        if (random() % 2 == 0) value = (value & 0xffff) | kKey;
        const bool taken = r.device->write(at, bytes, value);
        REQUIRE(taken == (bytes == 4));
        REQUIRE(r.device->read(at, bytes, value) == taken);
        REQUIRE((!taken || value <= 0xffff));
        r.port.advance(*r.device, random() % kSecond, 10);
        if (step % 100 != 0) continue;
        auto image = save_of(*r.device);
        image[random() % image.size()] ^= static_cast<u8>(1u << random() % 8);
        try {
            load_into(*r.device, image);
        } catch (const ArchiveError&) {
            r.device->reset();
        }
    }
    CHECK(r.read(kOutput) <= 0xfff);
    r.device->reset();
    CHECK(hash_of(*r.device) == hash_of(*Rig().device));
}
