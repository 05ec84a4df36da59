// The interrupt controller: gateways, priorities, claims.
#include <catch2/catch.hpp>

#include "devices/plic.hpp"
#include "tests/devices/fake_port.hpp"

using namespace hartline;
using namespace hartline::test;

namespace {
constexpr unsigned M = 11, S = 9;
struct Controller {
    FakePort port;
    std::unique_ptr<Device> device = plic()(port);
    void priority(u32 source, u32 value) { put(*device, 4 * source, value); }
    void enable(u32 context, u32 word, u32 mask) { put(*device, 0x2000 + 0x80 * context + 4 * word, mask); }
    void threshold(u32 context, u32 value) { put(*device, 0x20'0000 + 0x1000 * context, value); }
    u64 claim(u32 context) { return get(*device, 0x20'0004 + 0x1000 * context); }
    void complete(u32 context, u32 source) { put(*device, 0x20'0004 + 0x1000 * context, source); }
    u64 pending(u32 word) { return get(*device, 0x1000 + 4 * word); }
};
}  // namespace

TEST_CASE("checklist 64, seen 74: claim returns the highest priority, the lowest id on ties") {
    Controller c;
    for (u32 source : {3, 10, 40, 95}) c.priority(source, source == 40 ? 5 : 2);
    for (u32 word : {0, 1, 2}) c.enable(1, word, ~0u);
    for (u32 source : {95, 40, 10, 3}) c.device->set_source(source, true);
    CHECK(c.port.line(0, S));
    CHECK_FALSE(c.port.line(0, M));
    for (u32 expected : {40, 3, 10, 95, 0}) CHECK(c.claim(1) == expected);
    CHECK_FALSE(c.port.line(0, S));
}

TEST_CASE(
    "checklist 64: a claim gates the source until completion, and a level source pends again after it") {
    Controller c;
    c.priority(10, 1);
    c.enable(0, 0, 1 << 10);
    c.device->set_source(10, true);
    CHECK(c.port.line(0, M));
    CHECK(c.claim(0) == 10);
    CHECK_FALSE(c.port.line(0, M));
    c.device->set_source(10, false);
    c.device->set_source(10, true);
    CHECK(c.pending(0) == 0);
    CHECK(c.claim(0) == 0);
    c.complete(0, 10);
    CHECK(c.pending(0) == 1 << 10);
    CHECK(c.port.line(0, M));
    CHECK(c.claim(0) == 10);
    c.device->set_source(10, false);
    c.complete(0, 10);
    CHECK(c.pending(0) == 0);
    CHECK_FALSE(c.port.line(0, M));
}

TEST_CASE("checklist 64: completion by a context that has the source not enabled is ignored") {
    Controller c;
    c.priority(7, 1);
    c.enable(0, 0, 1 << 7);
    c.device->set_source(7, true);
    CHECK(c.claim(0) == 7);
    c.complete(3, 7);
    CHECK(c.pending(0) == 0);
    c.enable(3, 0, 1 << 7);
    c.complete(3, 7);  // another target that has it enabled may
    CHECK(c.pending(0) == 1 << 7);
    c.complete(0, 7);  // not claimed: nothing
    c.complete(0, 0);
    c.complete(0, 96);
    c.complete(0, ~0u);
    CHECK(c.pending(0) == 1 << 7);
}

TEST_CASE("checklist 64: priority 0 never interrupts, and the threshold is strict") {
    Controller c;
    c.enable(2, 0, 1 << 5);
    c.device->set_source(5, true);
    CHECK_FALSE(c.port.line(1, M));
    CHECK(c.claim(2) == 0);
    c.priority(5, 3);
    CHECK(c.port.line(1, M));
    c.threshold(2, 3);
    CHECK_FALSE(c.port.line(1, M));
    c.threshold(2, 2);
    CHECK(c.port.line(1, M));
    c.threshold(2, 7);
    CHECK(c.claim(2) == 5);  // "not affected by the setting of the priority threshold register"
}

TEST_CASE("a request that was let in stays though its level falls") {
    Controller c;
    c.priority(9, 1);
    c.enable(0, 0, 1 << 9);
    c.device->set_source(9, true);
    c.device->set_source(9, false);
    CHECK(c.claim(0) == 9);
    c.complete(0, 9);
    CHECK(c.claim(0) == 0);
}

TEST_CASE("registers keep only the bits that exist") {
    Controller c;
    c.priority(0, 7);
    CHECK(get(*c.device, 0) == 0);
    c.priority(1, 0xffff'ffff);
    CHECK(get(*c.device, 4) == 7);
    c.threshold(0, 0xff);
    CHECK(get(*c.device, 0x20'0000) == 7);
    c.enable(0, 0, ~0u);
    CHECK(get(*c.device, 0x2000) == 0xffff'fffe);
    c.enable(0, 3, ~0u);
    CHECK(get(*c.device, 0x200c) == 0);
    c.enable(4, 0, ~0u);  // of a third hart, which is not there
    CHECK(get(*c.device, 0x2200) == 0);
    put(*c.device, 0x1000, ~0u);
    CHECK(c.pending(0) == 0);
    u64 value = 0;
    for (unsigned bytes : {1u, 2u, 8u}) CHECK_FALSE(c.device->read(0, bytes, value));
    c.device->set_source(0, true);
    c.device->set_source(96, true);
    c.device->set_source(~0u, true);
}

TEST_CASE("64 harts have their contexts, and the 65th none") {
    Controller c;
    c.port.hart_count = 70;
    c.priority(1, 1);
    c.enable(127, 0, 2);
    c.enable(128, 0, 2);
    c.device->set_source(1, true);
    CHECK(c.port.line(63, S));
    CHECK_FALSE(c.port.line(64, M));
    CHECK(c.claim(128) == 0);
    CHECK(c.claim(127) == 1);
}
