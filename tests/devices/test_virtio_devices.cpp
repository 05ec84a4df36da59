// Disk, console and entropy over virtio.
#include <catch2/catch.hpp>

#include "devices/virtio/block.hpp"
#include "devices/virtio/console.hpp"
#include "devices/virtio/entropy.hpp"
#include "devices/virtio/mmio.hpp"
#include "tests/devices/memory_disk.hpp"
#include "tests/devices/virtio_driver.hpp"

using namespace hartline;
using namespace hartline::test;
using Driver = VirtioDriver;

namespace {
enum : u32 { kIn = 0, kOut = 1, kFlush = 4, kGetId = 8, kDiscard = 11, kZero = 13 };
constexpr u64 kFlushFeature = 1 << 9;

struct DiskRig {
    FakePort port;
    std::shared_ptr<MemoryDisk> disk;
    std::unique_ptr<Device> device;
    Driver driver;
    u64 header, data, status;
    explicit DiskRig(bool read_only = false, u64 without = Driver::kEventIdx)
        : disk(std::make_shared<MemoryDisk>(1 << 20, read_only)),
          device(virtio_mmio(virtio_block(disk, "serial-0"))(port)),
          driver(port, *device),
          header(driver.alloc(16)),
          data(driver.alloc(1 << 20)),
          status(driver.alloc(1)) {
        for (std::size_t i = 0; i < disk->data.size(); ++i) disk->data[i] = static_cast<u8>(i / 512);
        driver.start(16, 1, without);
    }
    void submit(u32 type, u64 sector, const std::vector<Driver::Buffer>& middle) {
        driver.store(header, std::array<u32, 2>{type, 0});
        driver.store(header + 8, sector);
        driver.store(status, u8{0xee});
        std::vector<Driver::Buffer> all{{header, 16}};
        all.insert(all.end(), middle.begin(), middle.end());
        all.push_back({status, 1, true});
        driver.submit(0, all);
        driver.kick();
    }
    // The status byte of a request that is given all the time it needs.
    u32 request(u32 type, u64 sector, const std::vector<Driver::Buffer>& middle = {}) {
        submit(type, sector, middle);
        port.advance(*device, 1'000'000'000);
        used = driver.collect();
        CHECK(driver.acknowledge());
        return driver.load<u8>(status);
    }
    u32 range_request(u32 type, u64 sector, u32 sectors, u32 flags) {
        driver.store(data, sector);
        driver.store(data + 8, sectors);
        driver.store(data + 12, flags);
        return request(type, 0, {{data, 16}});
    }
    std::optional<Driver::Used> used;
};
}  // namespace

TEST_CASE("the disk shows its geometry") {
    DiskRig d;
    CHECK(get(*d.device, 0x100, 8) == 2048);
    CHECK(get(*d.device, 0x100 + 12, 4) == 254);
    CHECK(get(*d.device, 0x100 + 20, 4) == 512);
    CHECK(get(*d.device, 0x100 + 24, 1) == 3);
    CHECK(get(*d.device, 0x100 + 40, 4) == 1);
    CHECK(get(*d.device, 0x200, 8) == 0);
    CHECK(d.driver.offered() == (Driver::kVersion1 | Driver::kEventIdx | Driver::kIndirect | 1 << 2 | 1 << 6 |
                                 1 << 9 | 1 << 10 | 1 << 11 | 1 << 13 | 1 << 14));
    CHECK(DiskRig(true).driver.offered() == (Driver::kVersion1 | Driver::kEventIdx | Driver::kIndirect |
                                             1 << 2 | 1 << 5 | 1 << 6 | 1 << 9 | 1 << 10 | 1 << 11));
}

TEST_CASE("sectors are read and written, however the buffers are cut") {
    DiskRig d;
    CHECK(d.request(kIn, 3, {{d.data, 100, true}, {d.data + 100, 412, true}, {d.data + 512, 512, true}}) ==
          0);
    CHECK(d.used->length == 1025);
    CHECK(d.driver.load<u8>(d.data) == 3);
    CHECK(d.driver.load<u8>(d.data + 511) == 3);
    CHECK(d.driver.load<u8>(d.data + 1023) == 4);
    d.driver.store(d.data, u64{0x1122'3344'5566'7788});
    CHECK(d.request(kOut, 2047, {{d.data, 1}, {d.data + 1, 511}}) == 0);
    CHECK(d.disk->data[2047 * 512] == 0x88);
    CHECK(d.disk->data[2047 * 512 + 7] == 0x11);
    CHECK(d.disk->flushes == 0);
    CHECK(d.request(kFlush, 0) == 0);
    CHECK(d.disk->flushes == 1);
    std::vector<u8> big(300 * 512, 0x77);
    CHECK(d.port.ram.write(d.data, big));
    CHECK(d.request(kOut, 8, {{d.data, 300 * 512}}) == 0);
    CHECK(std::equal(big.begin(), big.end(), d.disk->data.begin() + 8 * 512));
}

TEST_CASE("the header may lie in pieces, with data behind it in the same buffer") {
    DiskRig d;
    d.driver.store(d.data, std::array<u64, 2>{kOut, 5});
    d.driver.store(d.data + 16, u64{0xabcd});
    d.driver.submit(0, {{d.data, 3}, {d.data + 3, 13 + 512}, {d.status, 1, true}});
    d.driver.kick();
    d.port.advance(*d.device, 1'000'000);
    CHECK(d.driver.load<u8>(d.status) == 0);
    CHECK(d.disk->data[5 * 512] == 0xcd);
}

TEST_CASE("requests outside of the disk, odd sizes and host failures are I/O errors") {
    DiskRig d;
    CHECK(d.request(kIn, 2048, {{d.data, 512, true}}) == 1);
    CHECK(d.request(kIn, 2047, {{d.data, 1024, true}}) == 1);
    CHECK(d.request(kIn, ~u64{0}, {{d.data, 512, true}}) == 1);
    CHECK(d.request(kOut, ~u64{0} / 512, {{d.data, 512}}) == 1);
    CHECK(d.request(kIn, 0, {{d.data, 511, true}}) == 1);
    CHECK(d.request(kOut, 0, {{d.data, 513}}) == 1);
    CHECK(d.request(99, 0, {{d.data, 512}}) == 2);
    CHECK(d.request(kIn, 0) == 0);  // no sectors: nothing to fail
    d.disk->failing = true;
    CHECK(d.request(kIn, 0, {{d.data, 512, true}}) == 1);
    CHECK(d.request(kOut, 0, {{d.data, 512}}) == 1);
    CHECK(d.request(kFlush, 0) == 1);
    d.disk->failing = false;
    CHECK(d.request(kIn, 0, {{d.data, 512, true}}) == 0);
}

TEST_CASE("a read-only disk refuses every write before it reaches the host") {
    DiskRig d(true);
    CHECK(d.request(kOut, 0, {{d.data, 512}}) == 1);
    CHECK(d.range_request(kDiscard, 0, 8, 0) == 1);
    CHECK(d.range_request(kZero, 0, 8, 0) == 1);
    CHECK(d.request(kIn, 9, {{d.data, 512, true}}) == 0);
    CHECK(d.disk->discards + d.disk->zeroes == 0);
}

TEST_CASE("discard and write zeroes clear their range, within bounds") {
    DiskRig d;
    CHECK(d.range_request(kDiscard, 8, 8, 0) == 0);
    CHECK(d.disk->discards == 1);
    CHECK(d.range_request(kZero, 16, 1, 0) == 0);
    CHECK(d.range_request(kZero, 17, 1, 1) == 0);  // may unmap
    CHECK((d.disk->discards == 2 && d.disk->zeroes == 1));
    CHECK(d.disk->data[8 * 512 - 1] == 7);
    for (u64 sector : {8, 15, 16, 17}) CHECK(d.disk->data[sector * 512 + 511] == 0);
    CHECK(d.disk->data[18 * 512] == 18);
    CHECK(d.range_request(kDiscard, 0, 8, 1) == 2);  // the unmap flag is not for discard
    CHECK(d.range_request(kZero, 0, 8, 2) == 2);
    CHECK(d.range_request(kDiscard, 2047, 2, 0) == 1);
    CHECK(d.range_request(kDiscard, ~u64{0}, 1, 0) == 1);
    CHECK(d.range_request(kZero, 0, ~0u, 0) == 1);
    CHECK(d.request(kDiscard, 0, {{d.data, 15}}) == 1);
    CHECK(d.request(kDiscard, 0, {{d.data, 32}}) == 1);
}

TEST_CASE("the disk tells its serial number") {
    DiskRig d;
    CHECK(d.request(kGetId, 0, {{d.data, 20, true}}) == 0);
    std::array<char, 20> id{};
    CHECK(d.port.ram.read(d.data, id));
    CHECK(std::string(id.data()) == "serial-0");
    CHECK(d.request(kGetId, 0, {{d.data, 3, true}}) == 0);
    CHECK(d.request(kGetId, 0) == 0);
}

TEST_CASE("a driver that does not know FLUSH gets a write-through disk") {
    DiskRig d(false, Driver::kEventIdx | kFlushFeature);
    CHECK(d.request(kOut, 0, {{d.data, 512}}) == 0);
    CHECK(d.disk->flushes == 1);
    CHECK(d.request(kIn, 0, {{d.data, 512, true}}) == 0);
    CHECK(d.disk->flushes == 1);
}

TEST_CASE("completion comes in order, at a time that depends on the requests only") {
    DiskRig d;
    d.submit(kIn, 0, {{d.data, 100 * 512, true}});
    d.submit(kIn, 0, {{d.data, 512, true}});
    d.port.advance(*d.device, 20'000 + 12'800 - 1);
    CHECK_FALSE(d.driver.collect());
    d.port.advance(*d.device, 1);
    CHECK(d.driver.collect()->length == 51'201);
    CHECK_FALSE(d.driver.collect());
    d.port.advance(*d.device, 127);
    CHECK_FALSE(d.driver.collect());
    d.port.advance(*d.device, 1);
    CHECK(d.driver.collect()->length == 513);
    CHECK(d.port.events.empty());
}

TEST_CASE("a snapshot with requests in flight goes on where it was") {
    DiskRig d;
    d.submit(kIn, 5, {{d.data, 512, true}});
    const auto image = save_of(*d.device);
    FakePort& port = d.port;
    const auto copy = virtio_mmio(virtio_block(d.disk))(port);
    load_into(*copy, image);
    CHECK(hash_of(*copy) == hash_of(*d.device));
    CHECK(d.driver.load<u16>(d.driver.rings[0].used + 2) == 0);
    put(*copy, Driver::kNotify, 0);  // nothing more was offered
    d.header = d.driver.alloc(16);
    d.driver.store(d.header, std::array<u64, 2>{kIn, 6});
    d.driver.submit(0, {{d.header, 16}, {d.data, 512, true}, {d.status, 1, true}});
    put(*copy, Driver::kNotify, 0);
    port.advance(*copy, 20'128);
    CHECK(d.driver.collect());
    port.advance(*copy, 127);
    CHECK_FALSE(d.driver.collect());  // the second goes behind the first on the link
    port.advance(*copy, 1);
    CHECK(d.driver.collect());
    CHECK_FALSE(d.driver.broken());
    const auto smaller = virtio_mmio(virtio_block(std::make_shared<MemoryDisk>(4096)))(port);
    CHECK_THROWS_AS(load_into(*smaller, image), ArchiveError);
}

TEST_CASE("block requests without a header or a status byte, or too many in flight, ask for a reset") {
    for (int wrong = 0; wrong < 3; ++wrong) {
        DiskRig d;
        if (wrong == 0) d.driver.submit(0, {{d.data, 15}, {d.status, 1, true}});
        if (wrong == 1) d.driver.submit(0, {{d.data, 16}});
        if (wrong == 2)
            for (int i = 0; i < 20; ++i) d.submit(kFlush, 0, {});
        d.driver.kick();
        CHECK(d.driver.broken());
    }
}

TEST_CASE("a request that would move more than the bound is refused") {
    DiskRig d;
    const auto vast = std::make_shared<MemoryDisk>(200 << 20);
    const auto device = virtio_mmio(virtio_block(vast))(d.port);
    Driver driver(d.port, *device);
    driver.free = d.driver.free;
    driver.start(256);
    driver.store(d.header, std::array<u64, 2>{kIn, 0});
    std::vector<Driver::Buffer> buffers{{d.header, 16}};
    for (int i = 0; i < 129; ++i) buffers.push_back({d.data, 1 << 20, true});
    buffers.push_back({d.status, 1, true});
    driver.submit_indirect(0, buffers);
    driver.kick();
    d.port.advance(*device, 1'000'000'000);
    CHECK(driver.load<u8>(d.status) == 1);
}

namespace {
struct ConsoleRig {
    FakePort port;
    Sink sink;
    std::unique_ptr<Device> device = virtio_mmio(virtio_console(sink, {.size = {132, 43}}))(port);
    Driver driver{port, *device};
    u64 data = driver.alloc(65536);
    void type(std::string_view typed) {
        device->input(stream::port_record(stream::PortRecord::Data, 0, bytes_of(typed)));
    }
    std::string text(u64 at, u32 length) {
        std::string out(length, 0);
        CHECK(port.ram.read(at, std::span(reinterpret_cast<u8*>(out.data()), length)));
        return out;
    }
};
}  // namespace

TEST_CASE("the console sends, receives, and shows its size") {
    ConsoleRig c;
    c.driver.start(8, 2);
    CHECK(get(*c.device, 0x100, 2) == 132);
    CHECK(get(*c.device, 0x102, 2) == 43);
    CHECK(c.port.ram.write(c.data, bytes_of("hello world")));
    c.driver.submit(1, {{c.data, 5}, {c.data + 5, 6}});
    c.driver.kick(1);
    CHECK(c.sink.text == "hello world");
    CHECK(c.driver.collect(1)->length == 0);
    CHECK(c.driver.acknowledge());
    c.type("abcdef");
    CHECK_FALSE(c.port.irq);
    c.driver.submit(0, {{c.data, 4, true}});
    c.driver.submit(0, {{c.data + 100, 4, true}});
    c.driver.submit(0, {{c.data + 200, 4, true}});
    c.driver.kick(0);
    CHECK(c.driver.collect(0)->length == 4);
    CHECK(c.driver.collect(0)->length == 2);
    CHECK_FALSE(c.driver.collect(0));
    CHECK(c.text(c.data, 4) == "abcd");
    CHECK(c.driver.acknowledge());
    c.type("g");  // a buffer waits: at once
    CHECK(c.port.irq);
    CHECK(c.driver.collect(0)->length == 1);
    CHECK(c.text(c.data + 200, 1) == "g");
}

TEST_CASE("what is typed before the driver is there waits for it, bounded") {
    ConsoleRig c;
    c.type(std::string(70'000, 'q'));
    CHECK(c.device->input_room() == 0);
    c.driver.start(8, 2);
    c.driver.submit(0, {{c.data, 65536, true}});
    c.driver.kick(0);
    CHECK(c.driver.collect(0)->length == 65536);
    CHECK(c.device->input_room() == 65536);
}

TEST_CASE("a buffer with no room for input is given back empty") {
    ConsoleRig c;
    c.driver.start(8, 2);
    c.type("x");
    c.driver.submit(0, {{c.data, 16}});
    c.driver.kick(0);
    CHECK(c.driver.collect(0)->length == 0);
    CHECK(c.device->input_room() == 65535);
}

TEST_CASE("entropy goes on after a snapshot, and does not repeat itself") {
    FakePort port;
    const auto device = virtio_mmio(virtio_entropy(5))(port), other = virtio_mmio(virtio_entropy(6))(port);
    Driver driver(port, *device);
    driver.start(8);
    const u64 at = driver.alloc(64);
    const auto next = [&](Device& from) {
        driver.submit(0, {{at, 8, true}});
        put(from, Driver::kNotify, 0);
        return driver.load<u64>(at);
    };
    const u64 first = next(*device);
    load_into(*other, save_of(*device));
    const u64 second = next(*other);
    CHECK(second != first);
    driver.start(8);
    CHECK(next(*device) == second);
}

TEST_CASE("entropy is the same for a seed and differs between seeds") {
    const auto first = [](u64 seed) {
        FakePort port;
        const auto device = virtio_mmio(virtio_entropy(seed))(port);
        Driver driver(port, *device);
        driver.start(8);
        const u64 at = driver.alloc(256);
        driver.submit(0, {{at, 100, true}});
        driver.kick();
        CHECK(driver.collect()->length == 100);
        return driver.load<std::array<u64, 12>>(at);
    };
    CHECK(first(1) == first(1));
    CHECK(first(1) != first(2));
    CHECK(first(0)[0] == 0x903d'f1a0'ade0'b876);  // RFC 7539's test vector: key and nonce zero, block 0
}
