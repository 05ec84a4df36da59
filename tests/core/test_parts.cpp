// RAM, clock, events and archives by themselves.
#include <catch2/catch.hpp>
#include <cstring>
#include <string>

#include "core/archive.hpp"
#include "core/clock.hpp"
#include "core/events.hpp"
#include "core/ram.hpp"

using namespace hartline;

namespace {
struct Listening final : Ram::Listener {
    void ram_written(u64 paddr, u64 bytes, u8 marks) override {
        written = paddr;
        length = bytes;
        seen = marks;
    }
    void ram_moved(u64 frame) override { moved = frame; }
    u64 written = 0, length = 0, moved = ~u64{0};
    u8 seen = 0;
};
}  // namespace

TEST_CASE("ram: untouched frames cost nothing and read as zero") {
    Ram ram(0x8000'0000, u64{64} << 30);
    u64 value = 1;
    CHECK(ram.read(0x8000'0000 + (u64{40} << 30), value));
    CHECK(value == 0);
    CHECK(ram.touched_frames() == 0);
    ram.write(0x8000'0000 + (u64{40} << 30) - 4, u64{0x1122334455667788});
    CHECK(ram.touched_frames() == 2);
    CHECK(ram.read(0x8000'0000 + (u64{40} << 30) - 4, value));
    CHECK(value == 0x1122334455667788);
}

TEST_CASE("ram: accesses outside are refused whole, also at the wrap of addresses") {
    Ram ram(0x8000'0000, 1 << 20);
    u64 value = 0;
    CHECK_FALSE(ram.read(0x8000'0000 + (1 << 20) - 4, value));
    CHECK_FALSE(ram.write(0x7fff'fffc, value));
    CHECK_FALSE(ram.read(~u64{0} - 3, value));
    CHECK_FALSE(ram.contains(0x8000'0000, ~u64{0}));
    CHECK(ram.contains(0x8010'0000, 0));
    CHECK(ram.touched_frames() == 0);
}

TEST_CASE("ram: released frames read as zero, whole ones only, and whoever holds code of them is told") {
    Ram ram(0x8000'0000, 1 << 20);
    Listening listener;
    ram.set_listener(&listener);
    for (u64 at = 0; at < 0x8000; at += 0x1000) ram.write(0x8000'0000 + at, at + 1);
    const u8* const host = ram.for_read(2);
    ram.mark(2, Ram::kCode);
    CHECK(ram.release(0x8000'0800, 0x3800) == 3);  // frames 1 to 3
    CHECK(listener.written == 0x8000'2000);
    CHECK(listener.length == 0x1000);
    CHECK(listener.seen == Ram::kCode);
    u64 value = 0;
    for (u64 at = 0; at < 0x8000; at += 0x1000) {
        CHECK(ram.read(0x8000'0000 + at, value));
        CHECK(value == (at >= 0x1000 && at <= 0x3000 ? 0 : at + 1));
    }
    CHECK(ram.for_read(2) == host);
    ram.write(0x8000'2008, u64{5});
    CHECK(ram.read(0x8000'2008, value));
    CHECK(value == 5);
    CHECK(ram.release(0x8000'8000, 0x1000) == 0);  // never touched
    CHECK(ram.release(0x8000'0000, (1 << 20) + 1) == 0);
    CHECK(ram.release(0x7fff'f000, 0x2000) == 0);
    CHECK(ram.release(~u64{0} - 0xfff, 0x1000) == 0);
    CHECK(ram.release(0x8000'4fff, 0x1001) == 1);
    CHECK(ram.release(0x8000'5001, 0xfff) == 0);
}

TEST_CASE("ram: a snapshot knows no difference between released, zero and untouched frames") {
    const auto hash = [](Ram& ram) {
        HashArchive archive;
        ram.describe(archive);
        return archive.digest();
    };
    Ram released(0x8000'0000, 1 << 20), untouched(0x8000'0000, 1 << 20);
    released.write(0x8000'3000, u64{5});
    CHECK(hash(released) != hash(untouched));
    released.release(0x8000'3000, 0x1000);
    CHECK(hash(released) == hash(untouched));
}

TEST_CASE("ram: stores to marked frames are told, and a frame that moves") {
    Ram ram(0x8000'0000, 1 << 20);
    Listening listener;
    ram.set_listener(&listener);
    ram.for_read(3);
    CHECK(ram.marks(3) == Ram::kZeroRead);
    ram.write(0x8000'3010, u32{5});
    CHECK(listener.moved == 3);
    CHECK(ram.marks(3) == 0);
    ram.mark(3, Ram::kCode);
    ram.write(0x8000'2ffe, u32{5});
    CHECK(listener.written == 0x8000'3000);
    CHECK(listener.length == 2);
    CHECK(listener.seen == Ram::kCode);
}

TEST_CASE("ram: zero frames and untouched ones describe alike") {
    Ram a(0, 1 << 20), b(0, 1 << 20);
    a.write(0x5000, u64{0});
    HashArchive hash_a, hash_b;
    a.describe(hash_a);
    b.describe(hash_b);
    CHECK(hash_a.digest() == hash_b.digest());
    a.write(0x5000, u64{1});
    HashArchive changed;
    a.describe(changed);
    CHECK(changed.digest() != hash_b.digest());
}

TEST_CASE("clock: tick_at is the first tick that has the time") {
    Clock clock;
    for (const u64 rate :
         {u64{1} << 32, u64{1} << 31, u64{3} << 32, (u64{1} << 32) / 3, (u64{7} << 32) / 5}) {
        clock.retime(1'000, clock.now(1'000) + 17, rate);
        for (u64 when = clock.now(1'000) + 1; when < clock.now(1'000) + 500; when += 7) {
            const u64 tick = clock.tick_at(when);
            CHECK(clock.now(tick) >= when);
            CHECK(clock.now(tick - 1) < when);
        }
    }
}

TEST_CASE("clock: time never runs backwards") {
    Clock clock;
    clock.retime(500, 100, Clock::kOneNanosecond);
    CHECK(clock.now(500) == 500);
    CHECK(clock.tick_at(~u64{0}) > u64{1} << 62);
}

TEST_CASE("events: by time, then in order of scheduling; one a tag") {
    EventQueue queue;
    queue.schedule(30, 1, 0);
    queue.schedule(10, 2, 0);
    queue.schedule(10, 3, 0);
    queue.schedule(20, 1, 0);  // replaces the one at 30
    Event event;
    CHECK_FALSE(queue.take_due(9, event));
    REQUIRE(queue.take_due(100, event));
    CHECK(event.owner == 2);
    REQUIRE(queue.take_due(100, event));
    CHECK(event.owner == 3);
    REQUIRE(queue.take_due(100, event));
    CHECK(event.when == 20);
    CHECK_FALSE(queue.take_due(100, event));
    CHECK(queue.next() == EventQueue::kNever);
}

namespace {
// One of three versions of a component.
struct Versioned {
    u32 first = 1, second = 2, third = 3;
    void describe(Archive& archive, int version) {
        const Section outer(archive, "outer");
        archive.field("first", first);
        {
            const Section inner(archive, "inner");
            archive.field(version == 1 ? "second" : "instead", second);
        }
        if (version != 2) archive.field("third", third);
    }
};
}  // namespace

TEST_CASE("archive: what another version saved is refused by the section's name") {
    const auto load = [](int saved, int now) -> std::string {
        Versioned state;
        SaveArchive save;
        state.describe(save, saved);
        const auto image = save.take();
        LoadArchive archive(image);
        try {
            state.describe(archive, now);
            archive.finish();
        } catch (const ArchiveError& error) {
            return error.what();
        }
        return {};
    };
    for (const int version : {0, 1, 2}) CHECK(load(version, version).empty());
    CHECK(load(0, 1) == "snapshot: section inner is made of other fields: it is of another version");
    CHECK(load(1, 0) == "snapshot: section inner is made of other fields: it is of another version");
    CHECK(load(0, 2) == "snapshot: section outer is made of other fields: it is of another version");
    CHECK_FALSE(load(2, 0).empty());
}
