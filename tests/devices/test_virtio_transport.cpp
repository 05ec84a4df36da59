// The MMIO transport and its rings: negotiation, status, resets, event indices, and hostile rings.
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
// An entropy device: the smallest that answers at once.
struct Rig {
    FakePort port;
    std::unique_ptr<Device> device = virtio_mmio(virtio_entropy(1))(port);
    Driver driver{port, *device};
    u64 buffer = driver.alloc(4096);
};
}  // namespace

TEST_CASE("checklist 66: the registers are those of version 2") {
    Rig r;
    CHECK(r.driver.reg(0x00) == 0x7472'6976);
    CHECK(r.driver.reg(0x04) == 2);
    CHECK(r.driver.reg(0x08) == 4);
    CHECK(r.driver.reg(0x0c) == 0x554d'4551);
    CHECK(r.driver.reg(0xfc) == 0);                     // config generation: nothing changes
    CHECK(r.driver.reg(0xb0) == ~0u);                   // no shared memory
    CHECK((r.driver.offered() & (u64{1} << 40)) == 0);  // RING_RESET
    r.driver.reg(Driver::kDeviceFeaturesSel, 2);
    CHECK(r.driver.reg(Driver::kDeviceFeatures) == 0);
    r.driver.reg(Driver::kQueueSel, 0);
    CHECK(r.driver.reg(Driver::kQueueNumMax) == 16);
    r.driver.reg(Driver::kQueueSel, 1);
    CHECK(r.driver.reg(Driver::kQueueNumMax) == 0);
    r.driver.reg(Driver::kQueueReady, 1);
    CHECK(r.driver.reg(Driver::kQueueReady) == 0);
    u64 value = 0;
    for (unsigned bytes : {1u, 2u, 8u}) {
        CHECK_FALSE(r.device->read(0, bytes, value));
        CHECK_FALSE(r.device->write(Driver::kStatus, bytes, 0));
    }
    r.driver.reg(0x28, 4096);  // legacy GuestPageSize: not there
    CHECK(r.driver.reg(0x40) == 0);
}

TEST_CASE("checklist 66: feature bits that were not offered are not accepted") {
    Rig r;
    const u64 offered = r.driver.offered();
    CHECK(r.driver.negotiate(offered));
    CHECK(r.driver.negotiate(0));  // xv6 does not take VERSION_1
    for (unsigned feature = 0; feature < 64; ++feature)
        CHECK(r.driver.negotiate(u64{1} << feature) == (bit(offered, feature) != 0));
    r.driver.reg(Driver::kStatus, 0);
    r.driver.reg(Driver::kDriverFeaturesSel, 2);
    r.driver.reg(Driver::kDriverFeatures, 1);
    r.driver.reg(Driver::kStatus, 11);
    CHECK(r.driver.reg(Driver::kStatus) == 3);
    r.driver.reg(Driver::kStatus, 15);  // and DRIVER_OK does not come without FEATURES_OK
    CHECK(r.driver.reg(Driver::kStatus) == 3);
}

TEST_CASE("checklist 66: features are settled once FEATURES_OK is set, and status bits only add up") {
    Rig r;
    CHECK(r.driver.negotiate(Driver::kVersion1));
    r.driver.reg(Driver::kDriverFeaturesSel, 0);
    r.driver.reg(Driver::kDriverFeatures, 0xffff'ffff);
    r.driver.reg(Driver::kStatus, 4);
    CHECK(r.driver.reg(Driver::kStatus) == 15);
    r.driver.reg(Driver::kStatus, 0x40);  // the device's own bit
    CHECK(r.driver.reg(Driver::kStatus) == 15);
    r.driver.reg(Driver::kStatus, 0);
    CHECK(r.driver.reg(Driver::kStatus) == 0);
}

TEST_CASE("checklist 66: queue sizes and addresses are checked") {
    Rig r;
    CHECK(r.driver.negotiate(r.driver.offered()));
    r.driver.set_up(0, 8);
    CHECK(r.driver.reg(Driver::kQueueReady) == 1);
    r.driver.write64(Driver::kDesc, 0);  // not while it is ready
    r.driver.run();
    r.driver.submit(0, {{r.buffer, 8, true}});
    r.driver.kick();
    CHECK(r.driver.collect());
    r.driver.reg(Driver::kQueueReady, 0);
    CHECK(r.driver.reg(Driver::kQueueReady) == 0);
    r.driver.kick();
    r.driver.kick(7);
    for (u32 size : {0u, 3u, 32u, 0x8000'0000u, ~0u}) r.driver.reg(Driver::kQueueNum, size);
    CHECK_FALSE(r.driver.broken());
    const u64 ram_end = 0x8040'0000;
    for (u64 at : {u64{0}, ram_end - 16, ram_end, ~u64{0} - 15}) {
        CHECK(r.driver.negotiate(r.driver.offered()));
        for (u64 area : {Driver::kDesc, Driver::kDriver, Driver::kDevice})
            r.driver.write64(area, 0x8020'0000);
        r.driver.write64(Driver::kDesc, at);
        r.driver.reg(Driver::kQueueReady, 1);
        CHECK(r.driver.broken());
        CHECK(r.driver.reg(Driver::kQueueReady) == 0);
    }
}

TEST_CASE("buffers come back in order with an interrupt until it is acknowledged") {
    Rig r;
    r.driver.start(8);
    for (int round = 0; round < 40; ++round) {
        const u16 head = r.driver.submit(0, {{r.buffer, 24, true}, {r.buffer + 100, 40, true}});
        r.driver.kick();
        CHECK(r.port.irq);
        CHECK(r.driver.acknowledge());
        CHECK_FALSE(r.port.irq);
        const auto used = r.driver.collect();
        REQUIRE(used);
        CHECK(used->id == head);
        CHECK(used->length == 64);
    }
    CHECK_FALSE(r.driver.collect());
    CHECK(r.driver.load<u64>(r.buffer) != r.driver.load<u64>(r.buffer + 100));
}

TEST_CASE("nothing happens before DRIVER_OK, and what waits then is served") {
    Rig r;
    CHECK(r.driver.negotiate(r.driver.offered() & ~Driver::kEventIdx));
    r.driver.set_up(0, 8);
    r.driver.submit(0, {{r.buffer, 8, true}});
    r.driver.kick();
    CHECK_FALSE(r.driver.collect());
    r.driver.run();
    CHECK(r.driver.collect());
}

TEST_CASE("checklist 66: without event indices the driver's flag suppresses interrupts") {
    Rig r;
    r.driver.start(8);
    r.driver.store(r.driver.rings[0].avail, u16{1});
    r.driver.submit(0, {{r.buffer, 8, true}});
    r.driver.kick();
    CHECK(r.driver.collect());
    CHECK_FALSE(r.port.irq);
    r.driver.store(r.driver.rings[0].avail, u16{0});
    r.driver.kick();  // nothing new: no interrupt
    CHECK_FALSE(r.port.irq);
    r.driver.submit(0, {{r.buffer, 8, true}});
    r.driver.kick();
    CHECK(r.port.irq);
}

TEST_CASE("checklist 66: event indices work both ways, across their wrap") {
    Rig r;
    r.driver.start(8, 1, 0);
    for (u32 i = 0; i < 70'000; ++i) {
        const auto index = static_cast<u16>(i);
        const bool wanted = i % 3 == 0;
        // Interrupt when used.idx passes used_event: now, or 100 buffers on.
        r.driver.set_used_event(wanted ? index : static_cast<u16>(index + 100));
        r.driver.submit(0, {{r.buffer, 8, true}});
        r.driver.kick();
        if (!r.driver.collect()) FAIL("buffer " << i << " not used");
        if (r.driver.acknowledge() != wanted) FAIL("interrupt " << i);
        if (r.driver.avail_event() != static_cast<u16>(index + 1)) FAIL("avail_event " << i);
    }
}

TEST_CASE("checklist 66: a batch interrupts when it passes the event, wherever that lies in it") {
    Rig r;
    r.driver.start(16, 1, 0);
    for (u16 start = 0; start < 400; start = static_cast<u16>(start + 5)) {
        r.driver.set_used_event(static_cast<u16>(start + start % 5));
        for (int i = 0; i < 5; ++i) r.driver.submit(0, {{r.buffer, 8, true}});
        r.driver.kick();
        while (r.driver.collect()) {}
        CHECK(r.driver.acknowledge());
        r.driver.set_used_event(static_cast<u16>(start + 4));  // passed already
        r.driver.kick();
        CHECK_FALSE(r.driver.acknowledge());
    }
}

TEST_CASE("checklist 66: indirect tables work, and indirect inside indirect is refused") {
    Rig r;
    r.driver.start(8);
    r.driver.submit_indirect(0, {{r.buffer, 16, true}, {r.buffer + 64, 16, true}});
    r.driver.kick();
    const auto used = r.driver.collect();
    REQUIRE(used);
    CHECK(used->length == 32);
    const u64 table = r.driver.alloc(64);
    r.driver.store(table, Driver::Descriptor{table, 16, Driver::kIndirectFlag, 0});
    r.driver.set_descriptor(0, 3, {table, 16, Driver::kIndirectFlag, 0});
    r.driver.offer(0, 3);
    r.driver.kick();
    CHECK(r.driver.broken());
}

TEST_CASE("an indirect table may follow ordinary descriptors, and be longer than the queue") {
    Rig r;
    r.driver.start(2);
    std::vector<Driver::Buffer> many(100, {r.buffer, 8, true});
    r.driver.submit_indirect(0, many);
    r.driver.kick();
    CHECK(r.driver.collect()->length == 800);
    const u64 table = r.driver.alloc(16);
    r.driver.store(table, Driver::Descriptor{r.buffer, 8, Driver::kWrite, 0});
    r.driver.set_descriptor(0, 0, {r.buffer, 8, Driver::kWrite | Driver::kNext, 1});
    r.driver.set_descriptor(0, 1, {table, 16, Driver::kIndirectFlag, 0});
    r.driver.offer(0, 0);
    r.driver.kick();
    CHECK(r.driver.collect()->length == 16);
}

namespace {
// Offers one chain that `arrange` writes, head 0, and tells whether the device asks for a reset.
template <class Arrange>
bool breaks(const Arrange& arrange, u64 without = Driver::kEventIdx) {
    Rig r;
    r.driver.start(8, 1, without);
    arrange(r);
    r.driver.kick();
    const bool broken = r.driver.broken();
    if (broken) {
        CHECK(r.port.irq);
        CHECK((r.driver.reg(Driver::kInterruptStatus) & 2) != 0);
        CHECK_FALSE(r.driver.collect());
        r.driver.kick();  // and nothing more until it is reset
        r.driver.start(8);
        r.driver.submit(0, {{r.buffer, 8, true}});
        r.driver.kick();
        CHECK(r.driver.collect());
    }
    return broken;
}
auto one(u64 address, u32 length, u16 flags, u16 next = 0) {
    return [=](Rig& r) {
        r.driver.set_descriptor(0, 0, {address, length, flags, next});
        r.driver.offer(0, 0);
    };
}
}  // namespace

TEST_CASE("checklist 66: wild rings ask for a reset and do no harm") {
    constexpr u16 W = Driver::kWrite, N = Driver::kNext, I = Driver::kIndirectFlag;
    CHECK_FALSE(breaks(one(0x8010'0000, 8, W)));
    CHECK_FALSE(breaks(one(0, 0, W)));             // zero length: nothing there to check
    CHECK(breaks(one(0x8010'0000, 8, W | N, 0)));  // a loop
    CHECK(breaks(one(0x8010'0000, 8, W | N, 8)));  // past the table
    CHECK(breaks(one(0x8010'0000, 8, W | N, 0xffff)));
    CHECK(breaks(one(0x1000'1000, 8, W)));  // the device's own registers
    CHECK(breaks(one(0, 8, W)));
    CHECK(breaks(one(~u64{0}, 8, W)));
    CHECK(breaks(one(0x803f'fffc, 8, W)));  // over the end of RAM
    CHECK(breaks(one(0x8010'0000, 0xffff'ffff, W)));
    CHECK(breaks(one(0x8010'0000, 16, I | N, 1)));
    CHECK(breaks(one(0x8010'0000, 0, I)));
    CHECK(breaks(one(0x8010'0000, 17, I)));
    CHECK(breaks(one(0x8010'0000, 16 * 1025, I)));
    CHECK(breaks(one(0x8010'0000, 0xffff'fff0, I)));
    CHECK(breaks(one(0x803f'fff8, 16, I)));
    CHECK(breaks(one(0x8010'0000, 16, I), Driver::kIndirect));  // not agreed on
    CHECK(breaks([](Rig& r) { r.driver.offer(0, 8); }));        // a head that does not exist
    CHECK(breaks([](Rig& r) { r.driver.store(r.driver.rings[0].avail + 2, u16{9}); }));  // index jumps
    CHECK(breaks([](Rig& r) { r.driver.store(r.driver.rings[0].avail + 2, u16{0xffff}); }));
    CHECK(breaks([](Rig& r) {  // readable after writable
        r.driver.submit(0, {{r.buffer, 8, true}, {r.buffer, 8, false}});
    }));
    CHECK(breaks([](Rig& r) {  // a loop of two
        r.driver.set_descriptor(0, 0, {r.buffer, 8, W | N, 1});
        r.driver.set_descriptor(0, 1, {r.buffer, 8, W | N, 0});
        r.driver.offer(0, 0);
    }));
}

TEST_CASE("a descriptor that points at the rings themselves is read once and does no harm") {
    Rig r;
    r.driver.start(8);
    for (u64 at : {r.driver.rings[0].desc, r.driver.rings[0].avail, r.driver.rings[0].used}) {
        r.driver.submit(0, {{at, 64, true}});
        r.driver.kick();
    }
    r.port.advance(*r.device, 1'000'000'000, 1000);
    r.driver.start(8);
    CHECK_FALSE(r.driver.broken());
}

TEST_CASE("checklist 66: a reset with requests in flight forgets them") {
    FakePort port;
    const auto disk = std::make_shared<MemoryDisk>(1 << 20);
    const auto device = virtio_mmio(virtio_block(disk))(port);
    Driver driver(port, *device);
    const u64 header = driver.alloc(16), data = driver.alloc(512), status = driver.alloc(1);
    for (int how = 0; how < 2; ++how) {
        driver.start(8);
        driver.store(header, std::array<u64, 2>{0, 0});
        driver.submit(0, {{header, 16}, {data, 512, true}, {status, 1, true}});
        driver.kick();
        CHECK_FALSE(port.events.empty());
        if (how == 0)
            driver.reg(Driver::kStatus, 0);
        else
            driver.reg(Driver::kQueueReady, 0);
        CHECK(port.events.empty());
        device->on_event(0x100);  // one that was already on its way
        CHECK(driver.load<u16>(driver.rings[0].used + 2) == 0);
        CHECK_FALSE(port.irq);
        driver.start(8);
        driver.submit(0, {{header, 16}, {data, 512, true}, {status, 1, true}});
        driver.kick();
        port.advance(*device, 1'000'000);
        CHECK(driver.collect());
        CHECK_FALSE(driver.collect());
    }
}

TEST_CASE("a kick does a bounded amount of work; the rest follows by itself") {
    FakePort port;
    Sink sink;
    const auto device = virtio_mmio(virtio_console(sink))(port);
    Driver driver(port, *device);
    driver.start(64, 2);
    const u64 data = driver.alloc(1 << 20);
    for (int i = 0; i < 20; ++i) driver.submit(1, {{data, 1 << 20}});
    driver.kick(1);
    CHECK(sink.text.size() == 4 << 20);
    port.advance(*device, 1'000'000);
    CHECK(sink.text.size() == 20 << 20);
    CHECK(port.events.empty());
}

TEST_CASE("a snapshot keeps where the interrupts stand") {
    Rig r;
    r.driver.start(8, 1, 0);
    const auto use = [&](Device& device, u16 event) {
        r.driver.set_used_event(event);
        r.driver.submit(0, {{r.buffer, 8, true}});
        put(device, Driver::kNotify, 0);
        return r.driver.acknowledge();
    };
    for (u16 i = 0; i < 5; ++i) CHECK_FALSE(use(*r.device, 100));
    const auto other = virtio_mmio(virtio_entropy(1))(r.port);
    load_into(*other, save_of(*r.device));
    r.driver.set_used_event(2);  // passed before the snapshot: not again
    r.driver.submit(0, {{r.buffer, 8, true}});
    put(*other, Driver::kNotify, 0);
    CHECK(get(*other, Driver::kInterruptStatus) == 0);
}
