// The balloon: giving pages, reporting free ones, statistics, and drivers that lie.
#include <catch2/catch.hpp>

#include "devices/virtio/balloon.hpp"
#include "devices/virtio/mmio.hpp"
#include "tests/devices/virtio_driver.hpp"

using namespace hartline;
using namespace hartline::test;
using Driver = VirtioDriver;

namespace {
constexpr u32 kInflate = 0, kDeflate = 1, kStatistics = 2, kReports = 3;
constexpr u64 kStatsVq = 1 << 1, kPoison = 1 << 4;
constexpr u64 kPage = 0x8030'0000;  // an address that tests put something to

struct Rig {
    FakePort port;
    std::optional<BalloonReport> report;
    std::unique_ptr<Device> device;
    Driver driver;
    u64 buffer;
    explicit Rig(u64 without = Driver::kEventIdx, u64 target = 0)
        : device(virtio_mmio(virtio_balloon(
              {.target_bytes = target, .report = [this](const BalloonReport& r) { report = r; }}))(port)),
          driver(port, *device),
          buffer(driver.alloc(0x2'0000)) {
        driver.start(8, 4, without);
        for (u64 at = kPage; at < kPage + 0x4000; at += 0x1000) driver.store(at, at);
    }
    void inflate(const std::vector<u32>& pages) {
        for (std::size_t i = 0; i < pages.size(); ++i) driver.store(buffer + 4 * i, pages[i]);
        driver.submit(kInflate, {{buffer, static_cast<u32>(4 * pages.size())}});
        driver.kick(kInflate);
    }
    // The driver brings statistics: one of this tag and value.
    void tell(u16 tag, u64 value) {
        driver.store(buffer, tag);
        driver.store(buffer + 2, value);
        driver.submit(kStatistics, {{buffer, 10}});
        driver.kick(kStatistics);
    }
    bool zero(u64 at) { return driver.load<u64>(at) == 0; }
};
}  // namespace

TEST_CASE("balloon: pages that are given read as zero, and their neighbours stay", "[balloon]") {
    Rig r;
    r.inflate({kPage >> 12, (kPage >> 12) + 1, (kPage >> 12) + 3});
    CHECK(r.driver.collect(kInflate));
    CHECK(r.driver.acknowledge());
    CHECK((r.zero(kPage) && r.zero(kPage + 0x1000) && r.zero(kPage + 0x3000)));
    CHECK(r.driver.load<u64>(kPage + 0x2000) == kPage + 0x2000);
    r.driver.store(kPage, u64{7});  // taken back by a touch; the driver tells afterwards
    r.driver.submit(kDeflate, {{r.buffer, 4}});
    r.driver.kick(kDeflate);
    CHECK(r.driver.collect(kDeflate));
    CHECK(r.driver.load<u64>(kPage) == 7);
}

TEST_CASE("balloon: reported pages read as zero, unless the guest wants its poison in them", "[balloon]") {
    Rig r;
    r.driver.submit(kReports, {{kPage, 0x1000, true}, {kPage + 0x1800, 0x1800, true}});
    r.driver.kick(kReports);
    CHECK(r.driver.collect(kReports)->length == 0);
    CHECK((r.zero(kPage) && r.zero(kPage + 0x2000)));
    CHECK(r.driver.load<u64>(kPage + 0x1000) == kPage + 0x1000);  // only whole pages go
    put(*r.device, Driver::kConfig + 12, 0xaaaa'aaaa);
    r.driver.submit(kReports, {{kPage + 0x3000, 0x1000, true}});
    r.driver.kick(kReports);
    CHECK(r.driver.collect(kReports));
    CHECK(r.driver.load<u64>(kPage + 0x3000) == kPage + 0x3000);
}

TEST_CASE("balloon: queues keep no number for what was not negotiated", "[balloon]") {
    Rig r(Driver::kEventIdx | kStatsVq | kPoison);
    r.driver.submit(kStatistics, {{kPage, 0x1000, true}});  // now the queue of reports
    r.driver.kick(kStatistics);
    CHECK(r.driver.collect(kStatistics));
    CHECK(r.zero(kPage));
}

TEST_CASE("balloon: the target is a record, shown in the configuration and kept by a reset of the driver",
          "[balloon]") {
    Rig r(Driver::kEventIdx, 0x10'0000);
    CHECK(get(*r.device, Driver::kConfig) == 0x100);
    r.device->input(balloon_target(0x20'0000));
    CHECK(get(*r.device, Driver::kConfig) == 0x200);
    CHECK(r.driver.acknowledge());
    put(*r.device, Driver::kConfig + 4, 0x123);
    r.driver.reg(Driver::kStatus, 0);
    CHECK(get(*r.device, Driver::kConfig) == 0x200);
    CHECK(get(*r.device, Driver::kConfig + 4) == 0);
    r.device->input(balloon_target(~u64{0}));
    CHECK(get(*r.device, Driver::kConfig) == r.port.ram.frames());
    r.device->reset();
    CHECK(get(*r.device, Driver::kConfig) == 0x100);
}

TEST_CASE("balloon: statistics are asked for by giving the buffer back", "[balloon]") {
    Rig r;
    r.tell(BalloonReport::kFree, 1000);
    CHECK_FALSE(r.driver.collect(kStatistics));
    CHECK_FALSE(r.report);
    r.device->input(balloon_question());
    CHECK(r.driver.collect(kStatistics));
    CHECK_FALSE(r.report);
    r.tell(BalloonReport::kTotal, 5000);
    REQUIRE(r.report);
    CHECK(r.report->statistics[BalloonReport::kTotal] == 5000);
    CHECK_FALSE(r.report->statistics[BalloonReport::kFree]);
    r.report.reset();
    r.tell(99, 1);  // an unknown tag, and a second buffer: the first comes back
    CHECK(r.driver.collect(kStatistics));
    CHECK_FALSE(r.report);
}

TEST_CASE("balloon: a question has an answer where no driver is", "[balloon]") {
    Rig r;
    r.driver.reg(Driver::kStatus, 0);
    r.device->input(balloon_question());
    CHECK(r.report);
}

TEST_CASE("CVE-2016-7422: balloon: page numbers and lengths beyond RAM touch nothing", "[balloon]") {
    Rig r;
    r.inflate({0, 0xffff'ffff, 0x8040'0000 >> 12, (0x8000'0000 >> 12) - 1, 0x8000'0000 >> 12});
    CHECK(r.driver.collect(kInflate));
    CHECK_FALSE(r.driver.broken());
    r.driver.submit(kReports, {{0x803f'f000, 0x2000, true}});
    r.driver.kick(kReports);
    CHECK(r.driver.broken());
}

TEST_CASE("CVE-2016-4453: balloon: one chain's work is bounded", "[balloon]") {
    Rig r;
    r.driver.submit(kInflate, {{r.buffer, 0x1'0004}});
    r.driver.kick(kInflate);
    CHECK(r.driver.broken());
    Rig many;
    std::vector<Driver::Buffer> all(100, {0x8000'0000, 4 << 20, true});  // 400 MiB of 4
    for (auto& piece : all) piece.address = 0x8000'0000;
    many.driver.store(0x8000'0000, u64{5});
    many.driver.submit_indirect(kReports, all);
    many.driver.kick(kReports);
    CHECK(many.zero(0x8000'0000));
}

TEST_CASE("CVE-2021-3748: balloon: the kept buffer is forgotten when its queue is reset", "[balloon]") {
    Rig r;
    r.tell(BalloonReport::kFree, 1);
    r.driver.start(8, 4);
    r.device->input(balloon_question());
    CHECK(r.report);
    CHECK_FALSE(r.driver.collect(kStatistics));
}

TEST_CASE("CVE-2013-4534: balloon: a snapshot's numbers are checked", "[balloon]") {
    Rig r;
    r.tell(BalloonReport::kFree, 1);
    const auto image = save_of(*r.device);
    Rig other;
    load_into(*other.device, image);
    CHECK(save_of(*other.device) == image);
    unsigned refused = 0;
    for (std::size_t at = 0; at < image.size(); ++at) {
        auto bad = image;
        bad[at] ^= 0xff;
        try {
            load_into(*other.device, bad);
        } catch (const ArchiveError&) {
            ++refused;
        }
    }
    CHECK(refused > 20);
}
