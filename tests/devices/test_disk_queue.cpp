// Disk requests on the threads of a pool: order, lateness, resets, failures.
#include <catch2/catch.hpp>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <random>

#include "devices/storage/disk_queue.hpp"
#include "devices/virtio/block.hpp"
#include "devices/virtio/mmio.hpp"
#include "tests/devices/memory_disk.hpp"
#include "tests/devices/virtio_driver.hpp"

using namespace hartline;
using namespace hartline::test;
using Driver = VirtioDriver;
using Kind = DiskRequest::Kind;

namespace {
// A disk whose calls wait until they are let through, and take a random while.
struct SlowDisk final : BlockBackend {
    MemoryDisk disk{1 << 20};
    std::mutex lock;
    std::condition_variable opened, came;
    bool open = true;
    unsigned at_once = 0, most_at_once = 0;
    std::atomic<unsigned> calls = 0;
    std::atomic<int> fails_with = 0;

    void shut() {
        const std::lock_guard held(lock);
        open = false;
    }
    void let_through() {
        const std::lock_guard held(lock);
        open = true;
        opened.notify_all();
    }
    // Until so many calls have come at once, however busy the host is. Returns how many have.
    unsigned await(unsigned calls_at_once) {
        std::unique_lock held(lock);
        came.wait_for(held, std::chrono::seconds(20), [&] { return most_at_once >= calls_at_once; });
        return most_at_once;
    }
    template <class Act>
    bool slowly(Act act) {
        {
            std::unique_lock held(lock);
            most_at_once = std::max(most_at_once, ++at_once);
            came.notify_all();
            opened.wait(held, [&] { return open; });
        }
        std::this_thread::sleep_for(std::chrono::microseconds(++calls * 7919 % 50));
        const std::lock_guard held(lock);
        --at_once;
        if (fails_with != 0) errno = fails_with;
        return act() && fails_with == 0;
    }
    u64 bytes() const override { return disk.bytes(); }
    bool read_only() const override { return false; }
    bool read(u64 offset, std::span<u8> out) override {
        return slowly([&] { return disk.read(offset, out); });
    }
    bool write(u64 offset, std::span<const u8> in) override {
        return slowly([&] { return disk.write(offset, in); });
    }
    bool flush() override {
        return slowly([&] { return disk.flush(); });
    }
    bool discard(u64 offset, u64 size) override {
        return slowly([&] { return disk.discard(offset, size); });
    }
    bool zero(u64 offset, u64 size) override {
        return slowly([&] { return disk.zero(offset, size); });
    }
};

// Declared behind a queue whose end waits for the disk: lets it end where an assertion leaves the test, too.
struct LetThrough {
    SlowDisk& disk;
    ~LetThrough() { disk.let_through(); }
};

std::shared_ptr<DiskRequest> request(Kind kind, u64 offset, u64 bytes, u8 value = 0) {
    auto made = std::make_shared<DiskRequest>(DiskRequest{.kind = kind, .offset = offset, .bytes = bytes});
    made->make_room();
    std::ranges::fill(made->span(), value);
    return made;
}

// A device on a slow disk, and a driver.
struct Rig {
    FakePort port;
    std::shared_ptr<SlowDisk> disk = std::make_shared<SlowDisk>();
    std::vector<std::string> told;
    std::unique_ptr<Device> device;
    std::unique_ptr<Driver> driver;
    u64 header = 0, data = 0, status = 0;

    explicit Rig(bool exact = true) {
        BlockOptions options;
        options.pool = std::make_shared<IoPool>();
        options.exact = exact;
        options.failed = [this](const std::string& text) { told.push_back(text); };
        device = virtio_mmio(virtio_block(disk, options))(port);
        driver = std::make_unique<Driver>(port, *device);
        header = driver->alloc(16 * 16);
        data = driver->alloc(16 * 4096);
        status = driver->alloc(16);
        driver->start(64);
    }
    ~Rig() { disk->let_through(); }
    void submit(u32 type, u64 sector, unsigned slot, u32 bytes = 4096) {
        driver->store(header + 16 * slot, std::array<u64, 2>{type, sector});
        driver->store(status + slot, u8{0xee});
        std::vector<Driver::Buffer> all{{header + 16 * slot, 16}};
        if (bytes != 0) all.push_back({data + 4096 * slot, bytes, type == 0});
        all.push_back({status + slot, 1, true});
        driver->submit(0, all);
        driver->kick();
    }
    u8 status_of(unsigned slot) { return driver->load<u8>(status + slot); }
};
enum : u32 { kIn = 0, kOut = 1, kFlush = 4 };
}  // namespace

TEST_CASE("requests that overlap keep their order, others run side by side", "[diskio]") {
    const auto disk = std::make_shared<SlowDisk>();
    DiskQueue queue(disk, std::make_shared<IoPool>());
    std::mt19937_64 random(1);
    std::vector<u8> model(1 << 16);
    for (int round = 0; round < 30; ++round) {
        std::vector<std::pair<std::shared_ptr<DiskRequest>, std::vector<u8>>> reads;
        for (int i = 0; i < 40; ++i) {
            const u64 offset = random() % 120 * 512, bytes = (random() % 8 + 1) * 512;
            const auto at = model.begin() + static_cast<i64>(offset);
            const auto kind = static_cast<Kind>(random() % 5);
            const auto one = request(kind, offset, bytes, static_cast<u8>(random()));
            if (kind == Kind::Read) reads.push_back({one, {at, at + static_cast<i64>(bytes)}});
            if (kind == Kind::Write) std::ranges::copy(one->span(), at);
            if (kind == Kind::Discard || kind == Kind::Zero) std::fill_n(at, bytes, u8{0});
            queue.put(one);
        }
        for (const auto& [read, expected] : reads) {
            queue.wait(*read);
            CHECK(read->ok);
            CHECK(std::ranges::equal(read->span(), expected));
        }
    }
    queue.drain();
    CHECK(std::equal(model.begin(), model.end(), disk->disk.data.begin()));
    CHECK(disk->most_at_once > 1);
}

TEST_CASE("a flush is done after every change before it", "[diskio]") {
    const auto disk = std::make_shared<SlowDisk>();
    DiskQueue queue(disk, std::make_shared<IoPool>());
    const LetThrough at_end{*disk};
    disk->shut();
    const auto write = request(Kind::Write, 0, 512, 1), flush = request(Kind::Flush, 0, 0);
    queue.put(write);
    queue.put(flush);
    REQUIRE(disk->await(1) == 1);
    std::this_thread::sleep_for(std::chrono::milliseconds(2));  // the flush could begin by now
    CHECK(disk->await(1) == 1);
    CHECK_FALSE(queue.done(*flush));
    disk->let_through();
    queue.wait(*flush);
    CHECK(queue.done(*write));
    CHECK(disk->disk.flushes == 1);
}

TEST_CASE("CVE-2016-7421: what is asked for and forgotten is bounded, too", "[diskio]") {
    const auto disk = std::make_shared<MemoryDisk>(1 << 20);
    DiskQueue queue(disk, nullptr);
    for (u64 held = 0; held <= DiskQueue::kMostBytes; held += 1 << 20)
        queue.put(request(Kind::Write, 0, 1 << 20, 1));
    CHECK(disk->data[0] == 1);  // the last had to wait for the first
    queue.drain();
    for (std::size_t i = 0; i <= DiskQueue::kMostRequests; ++i) queue.put(request(Kind::Flush, 0, 0));
    CHECK(disk->flushes == 1);

    FakePort port;
    const auto device = virtio_mmio(virtio_block(disk))(port);
    Driver driver(port, *device);
    const u64 header = driver.alloc(16), status = driver.alloc(1), data = 0x8030'0000;
    driver.store(header, std::array<u64, 2>{1, 0});
    driver.store(data, u8{2});
    for (int i = 0; i < 300; ++i) {
        driver.start(16);
        driver.submit(0, {{header, 16}, {data, 1 << 20}, {status, 1, true}});
        driver.kick();
        driver.reg(Driver::kStatus, 0);
    }
    CHECK(disk->data[0] == 2);
}

TEST_CASE("one pool serves several disks, and what is queued is done at the end", "[diskio]") {
    const auto pool = std::make_shared<IoPool>(2);
    const auto one = std::make_shared<SlowDisk>(), two = std::make_shared<SlowDisk>();
    {
        DiskQueue first(one, pool), second(two, pool);
        for (u64 i = 0; i < 50; ++i) {
            first.put(request(Kind::Write, i * 512, 512, 7));
            second.put(request(Kind::Write, i * 512, 512, 8));
        }
    }
    CHECK((one.use_count() == 1 && two.use_count() == 1));  // the disks are closed
    for (u64 i = 0; i < 50; ++i) CHECK((one->disk.data[i * 512] == 7 && two->disk.data[i * 512] == 8));
}

TEST_CASE("nothing of a request reaches the guest before its time, however fast the host", "[diskio]") {
    Rig r;
    std::ranges::fill(r.disk->disk.data, u8{5});
    r.submit(kIn, 0, 0);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    CHECK(r.driver->load<u8>(r.data) == 0);
    CHECK(r.status_of(0) == 0xee);
    r.port.advance(*r.device, 1'000'000);
    CHECK(r.driver->load<u8>(r.data) == 5);
    CHECK(r.status_of(0) == 0);
}

TEST_CASE("a host that is late is waited for, unseen", "[diskio]") {
    Rig r;
    r.disk->shut();
    r.submit(kOut, 0, 0);
    const std::jthread later([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        r.disk->let_through();
    });
    const u64 due = r.port.events.begin()->second.first;
    r.port.advance(*r.device, due - r.port.time);
    CHECK(r.driver->collect());
    CHECK(r.status_of(0) == 0);
}

TEST_CASE("without exact times a late request holds nobody up", "[diskio]") {
    Rig r(false);
    r.disk->shut();
    r.submit(kIn, 8, 0);
    r.port.advance(*r.device, 1'000'000, 100);
    CHECK_FALSE(r.driver->collect());
    CHECK_FALSE(r.port.events.empty());
    r.disk->let_through();
    for (int i = 0; i < 1000 && r.status_of(0) != 0; ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        r.port.advance(*r.device, 100'000);
    }
    CHECK(r.driver->collect());
}

TEST_CASE("what is written is what the guest had when it asked", "[diskio]") {
    Rig r;
    r.disk->shut();
    r.driver->store(r.data, u64{0x1111});
    r.submit(kOut, 0, 0);
    r.driver->store(r.data, u64{0x2222});
    r.disk->let_through();
    r.port.advance(*r.device, 1'000'000);
    CHECK(r.disk->disk.data[0] == 0x11);
}

TEST_CASE("CVE-2021-3748: a reset at every point of a request leaves memory and ring alone", "[diskio]") {
    for (const u32 type : {kIn, kOut, kFlush})
        for (unsigned point = 0; point < 4; ++point)
            for (const bool whole : {true, false}) {
                Rig r;
                std::ranges::fill(r.disk->disk.data, u8{9});
                if (point == 0) r.disk->shut();  // the host has begun at most
                r.driver->store(r.data, u64{0x3333});
                r.submit(type, 0, 0, type == kFlush ? 0 : 4096);
                if (point == 1) std::this_thread::sleep_for(std::chrono::milliseconds(2));
                if (point == 2) r.port.advance(*r.device, 10'000);
                if (point == 3) r.disk->fails_with = EIO;
                if (whole)
                    r.driver->reg(Driver::kStatus, 0);
                else
                    r.driver->reg(Driver::kQueueReady, 0);
                CHECK(r.port.events.empty());
                r.disk->let_through();
                r.device->on_event(0x100);  // one that was on its way
                r.port.advance(*r.device, 1'000'000);
                CHECK(r.driver->load<u64>(r.data) == 0x3333);
                CHECK(r.status_of(0) == 0xee);
                CHECK(r.driver->load<u16>(r.driver->rings[0].used + 2) == 0);
                r.disk->fails_with = 0;
                r.driver->start(64);
                r.submit(kIn, 0, 1);  // behind what was forgotten
                r.port.advance(*r.device, 1'000'000);
                CHECK(r.status_of(1) == 0);
                CHECK(r.driver->load<u8>(r.data + 4096) == (type == kOut ? 0x33 : 9));
            }
}

TEST_CASE("a snapshot waits for the host, and keeps what was read", "[diskio]") {
    Rig r;
    std::ranges::fill(r.disk->disk.data, u8{4});
    r.submit(kIn, 0, 0);
    r.submit(kOut, 0, 1);
    r.submit(kFlush, 0, 2, 0);
    const auto image = save_of(*r.device);
    CHECK(r.disk->disk.flushes == 1);
    CHECK(r.disk->disk.data[0] == 0);
    const auto copy = virtio_mmio(virtio_block(r.disk))(r.port);
    load_into(*copy, image);
    CHECK(hash_of(*copy) == hash_of(*r.device));
    r.port.advance(*copy, 1'000'000);
    CHECK(r.driver->load<u8>(r.data) == 4);
    for (unsigned slot = 0; slot < 3; ++slot) CHECK(r.status_of(slot) == 0);
}

TEST_CASE("a failing host is an I/O error for the guest, and one line for the person", "[diskio]") {
    Rig r;
    r.disk->fails_with = ENOSPC;
    for (unsigned slot = 0; slot < 3; ++slot) r.submit(kOut, 8, slot);
    r.port.advance(*r.device, 1'000'000);
    for (unsigned slot = 0; slot < 3; ++slot) CHECK(r.status_of(slot) == 1);
    REQUIRE(r.told.size() == 1);
    CHECK(r.told[0] ==
          "a write of 4096 bytes at 4096 failed: No space left on device; the guest gets an I/O error");
}

TEST_CASE("the driver turns the write cache off and on", "[diskio]") {
    Rig r;
    constexpr u64 kWriteback = 0x100 + 32;
    CHECK(get(*r.device, kWriteback, 1) == 1);
    const auto flushes = [&] {
        r.submit(kOut, 0, 0);
        r.port.advance(*r.device, 1'000'000);
        return r.disk->disk.flushes;
    };
    CHECK(flushes() == 0);
    put(*r.device, kWriteback, 0, 1);
    CHECK(get(*r.device, kWriteback, 1) == 0);
    CHECK(flushes() == 1);
    put(*r.device, kWriteback, 1, 1);
    CHECK(flushes() == 1);
    put(*r.device, kWriteback, 0, 1);
    r.driver->start(64);  // a reset: as it was at first
    CHECK(get(*r.device, kWriteback, 1) == 1);
    r.driver->start(64, 1, Driver::kEventIdx | 1 << 9);
    CHECK(get(*r.device, kWriteback, 1) == 0);
    CHECK(flushes() == 2);
}

TEST_CASE("CVE-2016-7421: bytes in flight are bounded, and what is held back has its turn", "[diskio]") {
    FakePort port;
    BlockOptions options;
    options.pool = std::make_shared<IoPool>();
    const auto device = virtio_mmio(virtio_block(std::make_shared<MemoryDisk>(8 << 20), options))(port);
    Driver driver(port, *device);
    const u64 header = driver.alloc(16), status = driver.alloc(1), data = 0x8030'0000;
    driver.start(16);
    driver.store(header, std::array<u64, 2>{kIn, 0});
    const std::vector<Driver::Buffer> request{{header, 16},          {data, 1 << 20, true},
                                              {data, 1 << 20, true}, {data, 1 << 20, true},
                                              {data, 1 << 20, true}, {status, 1, true}};
    for (int i = 0; i < 10; ++i) driver.submit_indirect(0, request);
    driver.kick();
    port.advance(*device, 100'000);  // long enough to take all, too short for any to complete
    CHECK(save_of(*device).size() < (20 << 20));
    CHECK_FALSE(driver.collect());
    port.advance(*device, 1'000'000'000);
    for (int i = 0; i < 10; ++i) CHECK(driver.collect());
    CHECK_FALSE(driver.broken());
}
