// The machine as a value: runs do not depend on how they are cut, neighbours change nothing, state travels
// whole.
#include <catch2/catch.hpp>
#include <random>

#include "tests/core/toy.hpp"

using namespace hartline;
using toy::Toy;

TEST_CASE("machine: a run is the same however it is cut into slices") {
    Toy whole, sliced;
    whole.run(200'000);
    std::mt19937_64 random{7};
    while (sliced.machine.tick() < 200'000)
        sliced.run(std::min<u64>(1 + random() % 999, 200'000 - sliced.machine.tick()));
    CHECK(whole.machine.hash() == sliced.machine.hash());
    CHECK(whole.machine.retired() == 200'000);
}

TEST_CASE("machine: two machines interleaved at random each end as they do alone") {
    Toy alone_a(1), alone_b(3), a(1), b(3);
    alone_a.run(100'000);
    alone_b.run(150'000);
    std::mt19937_64 random{11};
    while (a.machine.tick() < 100'000 || b.machine.tick() < 150'000) {
        Toy& next = random() % 2 == 0 ? a : b;
        const u64 end = &next == &a ? 100'000 : 150'000;
        next.run(std::min<u64>(random() % 500, end - next.machine.tick()));
    }
    CHECK(a.machine.hash() == alone_a.machine.hash());
    CHECK(b.machine.hash() == alone_b.machine.hash());
    CHECK(a.machine.hash() != b.machine.hash());
}

TEST_CASE("machine: a snapshot goes on as the machine would have") {
    Toy original, copy;
    original.run(33'333);
    copy.machine.load(original.machine.save());
    CHECK(copy.machine.hash() == original.machine.hash());
    original.run(50'000);
    copy.run(50'000);
    CHECK(copy.machine.hash() == original.machine.hash());
}

TEST_CASE("machine: a truncated or foreign snapshot is refused and leaves a reset machine") {
    Toy original, fresh;
    original.run(5'000);
    std::vector<u8> image = original.machine.save();
    const u64 before = fresh.machine.hash();
    for (std::size_t keep = 0; keep < image.size(); keep += 97) {
        CHECK_THROWS_AS(fresh.machine.load(std::span(image).first(keep)), ArchiveError);
        CHECK(fresh.machine.hash() == before);
    }
    image.push_back(0);
    CHECK_THROWS_WITH(fresh.machine.load(image), Catch::Contains("too many"));
    Toy other(3);
    CHECK_THROWS_AS(other.machine.load(original.machine.save()), ArchiveError);
}

TEST_CASE("machine: reset gives a machine equal to a new one") {
    Toy used, fresh;
    used.run(44'444);
    used.machine.reset();
    CHECK(used.machine.hash() == fresh.machine.hash());
    used.run(10'000);
    fresh.run(10'000);
    CHECK(used.machine.hash() == fresh.machine.hash());
}

TEST_CASE("machine: a recorded journal replays to the same state") {
    Toy live;
    live.machine.journal().record();
    std::mt19937_64 random{3};
    for (int i = 0; i < 200; ++i) {
        const u8 key[] = {static_cast<u8>(random()), static_cast<u8>(i)};
        if (random() % 3 == 0) live.machine.post(*live.alarm, key);
        if (random() % 5 == 0)
            live.machine.retime(live.machine.now() + random() % 100'000, random() % (u64{2} << 32));
        live.run(random() % 900);
    }
    const u64 end = live.machine.tick();
    REQUIRE(live.machine.journal().records().size() > 50);

    Toy replay;
    replay.machine.journal().replay(live.machine.journal().records());
    replay.run(end);
    CHECK(replay.machine.hash() == live.machine.hash());
}

TEST_CASE("machine: devices that overlap are refused by name") {
    Toy toy;
    const auto again = [](DevicePort& port) { return std::make_unique<toy::AlarmDevice>(port); };
    CHECK_THROWS_WITH(toy.machine.attach(0x1004, 0, again), Catch::Contains("alarm overlaps alarm"));
}
