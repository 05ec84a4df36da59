// virtio-9p as its driver sees it, and the threads that answer.
#include <catch2/catch.hpp>

#include <array>
#include <condition_variable>
#include <mutex>

#include "devices/share/service.hpp"
#include "devices/virtio/mmio.hpp"
#include "devices/virtio/ninep.hpp"
#include "tests/devices/ninep_client.hpp"
#include "tests/devices/virtio_driver.hpp"

using namespace hartline;
using namespace hartline::test;

namespace {
// Keeps what was asked, to be answered when the test says so.
struct HeldChannel final : share::Channel {
    struct Request {
        share::Ticket ticket;
        std::vector<u8> bytes;
    };
    std::vector<Request> requests;
    unsigned resets = 0;
    void submit(share::Ticket ticket, std::vector<u8> bytes) override { requests.push_back({ticket, bytes}); }
    void reset() override { ++resets; }
};

std::vector<u8> message(u8 type, u16 tag, std::initializer_list<u32> numbers, std::string_view text = "") {
    share::Writer out;
    out.number<u32>(0);
    out.number(type);
    out.number(tag);
    for (const u32 number : numbers) out.number(number);
    if (!text.empty()) out.text(text);
    out.patch(0, static_cast<u32>(out.size()));
    return out.take();
}

std::vector<u8> payload(share::Ticket ticket, std::span<const u8> answer) {
    std::vector<u8> all(sizeof ticket + answer.size());
    std::memcpy(all.data(), &ticket, sizeof ticket);
    std::copy(answer.begin(), answer.end(), all.begin() + sizeof ticket);
    return all;
}

struct Rig {
    std::shared_ptr<HeldChannel> channel = std::make_shared<HeldChannel>();
    FakePort port;
    std::unique_ptr<Device> device = virtio_mmio(virtio_ninep(channel, "src"))(port);
    VirtioDriver driver{port, *device};

    u64 ask(const std::vector<u8>& request, u32 room) {
        const u64 at = driver.alloc(request.size()), answer = driver.alloc(room);
        REQUIRE(port.ram.write(at, request));
        driver.submit(0, {{at, static_cast<u32>(request.size())}, {answer, room, true}});
        driver.kick();
        return answer;
    }
    void answer(std::size_t which, std::span<const u8> bytes) {
        device->input(payload(channel->requests[which].ticket, bytes));
    }
};
}  // namespace

TEST_CASE("virtio-9p: the tag, and a request that is answered", "[share]") {
    Rig rig;
    CHECK(rig.driver.reg(8) == 9);
    CHECK((rig.driver.offered() & 1) == 1);
    CHECK(get(*rig.device, VirtioDriver::kConfig, 2) == 3);
    CHECK(get(*rig.device, VirtioDriver::kConfig + 2, 1) == 's');
    CHECK(get(*rig.device, VirtioDriver::kConfig + 4, 1) == 'c');
    CHECK(get(*rig.device, VirtioDriver::kConfig + 5, 1) == 0);
    rig.driver.start(8);
    const auto request = message(share::kTclunk, 3, {7});
    const u64 at = rig.ask(request, 64);
    REQUIRE(rig.channel->requests.size() == 1);
    CHECK(rig.channel->requests[0].bytes == request);
    CHECK_FALSE(rig.driver.collect());
    const auto answer = message(share::kTclunk + 1, 3, {});
    rig.answer(0, answer);
    const auto used = rig.driver.collect();
    REQUIRE(used);
    CHECK(used->length == answer.size());
    CHECK(rig.driver.load<u8>(at + 4) == share::kTclunk + 1);
    CHECK(rig.driver.acknowledge());
    rig.answer(0, answer);  // a second time: nobody waits
    CHECK_FALSE(rig.driver.collect());
}

TEST_CASE("virtio-9p: answers come in any order, each to its own buffer", "[share]") {
    Rig rig;
    rig.driver.start(16);
    std::array<u64, 4> at{};
    for (u16 i = 0; i < 4; ++i) at[i] = rig.ask(message(share::kTclunk, i, {i}), 64);
    for (const std::size_t which : {2, 0, 3, 1})
        rig.answer(which, message(share::kTclunk + 1, static_cast<u16>(which), {}));
    for (u16 i = 0; i < 4; ++i) CHECK(rig.driver.load<u16>(at[i] + 5) == i);
    CHECK(rig.driver.collect()->id == 4);
}

TEST_CASE("virtio-9p: an answer that has no room is an error", "[share]") {
    Rig rig;
    rig.driver.start(8);
    const u64 at = rig.ask(message(share::kTread, 5, {1}), 11);
    rig.answer(0, message(share::kTread + 1, 5, {1, 2, 3, 4}));
    CHECK(rig.driver.collect()->length == 11);
    CHECK(rig.driver.load<u8>(at + 4) == share::kRlerror);
    CHECK(rig.driver.load<u16>(at + 5) == 5);
    CHECK(rig.driver.load<u8>(at + 7) == 90);
    rig.ask(message(share::kTread, 5, {1}), 7);
    rig.answer(1, message(share::kTread + 1, 5, {1, 2, 3, 4}));
    CHECK(rig.driver.collect()->length == 0);
    rig.ask({1, 2, 3}, 64);
    CHECK(rig.driver.broken());
}

TEST_CASE("CVE-2021-3748: an answer from before a reset finds nobody", "[share]") {
    Rig rig;
    rig.driver.start(8);
    rig.ask(message(share::kTclunk, 1, {7}), 64);
    const unsigned resets = rig.channel->resets;
    rig.driver.start(8);
    CHECK(rig.channel->resets > resets);
    const u64 at = rig.ask(message(share::kTclunk, 2, {7}), 64);
    rig.answer(0, message(share::kTclunk + 1, 1, {}));
    CHECK_FALSE(rig.driver.collect());
    CHECK(rig.driver.load<u8>(at + 4) == 0);
    rig.device->reset();
    rig.driver.start(8);
    rig.ask(message(share::kTclunk, 3, {7}), 64);
    rig.answer(1, message(share::kTclunk + 1, 2, {}));
    CHECK_FALSE(rig.driver.collect());
    rig.answer(2, message(share::kTclunk + 1, 3, {}));
    CHECK(rig.driver.collect());
}

TEST_CASE("CVE-2016-7421: requests in flight are bounded by the queue", "[share]") {
    Rig rig;
    rig.driver.start(4);
    for (u16 i = 0; i < 3; ++i) rig.ask(message(share::kTclunk, i, {i}), 64);
    for (int i = 0; i < 100; ++i) rig.driver.offer(0, 0);  // the same head again: avail runs away
    rig.driver.kick();
    CHECK(rig.channel->requests.size() <= 4);
}

TEST_CASE("virtio-9p: a run comes again from its answers, without the folder", "[share]") {
    Folder folder;
    folder.file("file", "content");
    Rig live, again;
    NinepClient client(folder.path);
    std::vector<std::vector<u8>> journal;
    const std::vector<std::vector<u8>> asked{message(share::kTversion, 0, {65536}, "9P2000.L"),
                                             message(share::kTgetattr, 1, {0, 0x7ff, 0}),
                                             message(share::kTstatfs, 2, {0})};
    live.driver.start(8);
    again.driver.start(8);
    for (const auto& request : asked) {
        live.ask(request, 4096);
        const auto& last = live.channel->requests.back();
        journal.push_back(payload(last.ticket, client.server.answer(last.bytes)));
        live.device->input(journal.back());
    }
    std::filesystem::remove_all(folder.path / "file");
    for (std::size_t i = 0; i < asked.size(); ++i) {
        again.ask(asked[i], 4096);
        again.device->input(journal[i]);
    }
    CHECK(hash_of(*again.device) == hash_of(*live.device));
    for (u64 at = 0x8010'0000; at < 0x8011'0000; at += 8)
        REQUIRE(again.port.ram.read_aligned(at) == live.port.ram.read_aligned(at));
}

namespace {
struct Collected {
    std::mutex lock;
    std::condition_variable more;
    std::vector<std::vector<u8>> answers;
    void take(std::span<const u8> bytes) {
        const std::lock_guard guard(lock);
        answers.emplace_back(bytes.begin(), bytes.end());
        more.notify_all();
    }
    void wait(std::size_t count) {
        std::unique_lock guard(lock);
        REQUIRE(more.wait_for(guard, std::chrono::seconds(20), [&] { return answers.size() >= count; }));
    }
};
}  // namespace

TEST_CASE("share: threads answer everything, a flush behind what it flushes", "[share]") {
    Folder folder;
    Collected collected;
    share::Service service({.path = folder.path.string()});
    service.deliver_to([&](std::span<const u8> answer) { collected.take(answer); });
    service.submit({0, 0}, message(share::kTversion, 0xffff, {65536}, "9P2000.L"));
    share::Writer attach;
    attach.number<u32>(0), attach.number<u8>(share::kTattach), attach.number<u16>(0);
    attach.number<u32>(0), attach.number(~u32{0}), attach.text(""), attach.text(""), attach.number<u32>(0);
    attach.patch(0, static_cast<u32>(attach.size()));
    service.submit({0, 1}, attach.take());
    collected.wait(2);
    for (u32 round = 0; round < 200; ++round) {
        const u16 tag = static_cast<u16>(round);
        service.submit({1, 2 * round}, message(share::kTstatfs, tag, {0}));
        std::vector<u8> flush = message(share::kTflush, 0x8000, {});
        flush.push_back(static_cast<u8>(tag)), flush.push_back(static_cast<u8>(tag >> 8));
        flush[0] = 9;
        service.submit({1, 2 * round + 1}, flush);
    }
    collected.wait(402);
    std::vector<std::size_t> place(400);
    for (std::size_t i = 2; i < 402; ++i) {
        share::Ticket ticket;
        std::memcpy(&ticket, collected.answers[i].data(), sizeof ticket);
        place[ticket.number] = i;
    }
    for (std::size_t round = 0; round < 200; ++round) CHECK(place[2 * round] < place[2 * round + 1]);
    service.reset();
    service.submit({2, 0}, message(share::kTstatfs, 1, {0}));
    collected.wait(403);
    CHECK(collected.answers.back()[12] == share::kRlerror);  // the fid went with the reset
    for (int i = 0; i < 1000 && service.busy(); ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    CHECK_FALSE(service.busy());
    service.stop();
    service.submit({2, 1}, message(share::kTstatfs, 1, {0}));
    CHECK_FALSE(service.busy());
}
