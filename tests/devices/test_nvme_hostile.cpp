// The NVMe controller against drivers that mean harm, and a host that fails: a case a class of bug.
#include <random>

#include "tests/devices/nvme_rig.hpp"
#include "tests/devices/other_layout.hpp"

using namespace hartline;
using namespace hartline::test;

namespace {
using Rig = NvmeRig;
constexpr u32 kRead = 2, kWrite = 1, kDatasetManagement = 9;
constexpr u64 kUs = 1000;

// A disk that counts what is asked of it, and whose byte at n is that of its block's number.
struct CountingDisk final : BlockBackend {
    u64 size = 64 << 20, reads = 0, flushes = 0;
    std::vector<u64> discarded;
    u64 bytes() const override { return size; }
    bool read_only() const override { return false; }
    bool read(u64 offset, std::span<u8> out) override {
        ++reads;
        std::fill(out.begin(), out.end(), static_cast<u8>(offset / 512 + 1));
        return true;
    }
    bool write(u64, std::span<const u8>) override { return true; }
    bool flush() override { return ++flushes, true; }
    bool discard(u64, u64 count) override { return discarded.push_back(count), true; }
    bool zero(u64, u64) override { return true; }
};

struct CountingRig : PciRig {
    std::shared_ptr<CountingDisk> disk;
    explicit CountingRig(std::shared_ptr<CountingDisk> d = std::make_shared<CountingDisk>())
        : PciRig([d](pci::PciSlot slot) { return nvme_controller(slot, d); }), disk(std::move(d)) {
        map(0);
        put(*high, 0x24, 15 * 0x1'0001);
        put(*high, 0x28, kAdmin, 8);
        put(*high, 0x30, kAdminDone, 8);
        put(*high, 0x14, 0x0046'0001);
        REQUIRE(
            port.ram.write(kAdmin, NvmeCommand{.opcode_id = 5, .prp1 = kIoDone, .dword = {1 << 16 | 1, 3}}));
        REQUIRE(port.ram.write(
            kAdmin + 64, NvmeCommand{.opcode_id = 1, .prp1 = kIo, .dword = {1023 << 16 | 1, 1 << 16 | 1}}));
        put(*high, 0x1000, 2);
        port.advance(*device, 1000 * kUs);
    }
};
}  // namespace

TEST_CASE("CVE-2016-6490: PRP lists that link to themselves or to each other end", "[pci][nvme]") {
    Rig r;
    r.start();
    constexpr u64 kLast = kList + 0xff8, kOther = kList + 0x1ff8;
    REQUIRE(r.port.ram.write(kLast, kLast));
    CHECK(r.ask(1, Rig::blocks(kRead, kData, kLast, 0, 64)) == 0x4002);
    REQUIRE(r.port.ram.write(kLast, kOther));
    REQUIRE(r.port.ram.write(kOther, kLast));
    CHECK(r.ask(1, Rig::blocks(kRead, kData, kLast, 0, 2048)) == 0x4002);
    CHECK(get(*r.high, 0x1c) == 1);
}

TEST_CASE("CVE-2021-3947, CVE-2023-4135: logs are read inside of them, wherever a driver asks",
          "[pci][nvme]") {
    Rig r;
    r.start();
    const std::vector<u8> marks(8192, 0xa5);
    for (u32 log = 0; log < 256; ++log)
        for (const u64 offset :
             {u64{0}, u64{2}, u64{4}, u64{508}, u64{512}, u64{516}, u64{4096}, ~u64{3}, u64{1} << 63})
            for (const u32 dwords : {1u, 128u, 1024u, 1025u, 0x1'0000u}) {
                REQUIRE(r.port.ram.write(kData, marks));
                const u32 status =
                    r.ask(0, {.opcode_id = 2,
                              .prp1 = kData,
                              .prp2 = kData + 4096,
                              .dword = {(dwords - 1) << 16 | log, (dwords - 1) >> 16,
                                        static_cast<u32>(offset), static_cast<u32>(offset >> 32)}});
                std::vector<u8> seen(marks.size());
                REQUIRE(r.port.ram.read(kData, seen));
                const u64 told = status == 0 ? u64{dwords} * 4 : 0;
                REQUIRE((status == 0) ==
                        (log >= 1 && log <= 3 && offset <= 512 && offset % 4 == 0 && dwords <= 1024));
                REQUIRE(std::equal(seen.begin() + static_cast<i64>(told), seen.end(), marks.begin()));
                for (u64 at = told == 0 ? told : 512 - offset; at < told; ++at) REQUIRE(seen[at] == 0);
            }
}

TEST_CASE("CVE-2023-40360: what the controller does not have is refused, by every number", "[pci][nvme]") {
    Rig r;
    r.start();
    for (u32 opcode = 0; opcode < 256; ++opcode) {
        const bool admin = opcode <= 2 || (opcode >= 4 && opcode <= 6) || (opcode >= 8 && opcode <= 10);
        if (opcode != 12 && !admin)
            CHECK(r.ask(0, {.opcode_id = opcode, .nsid = 1, .prp1 = kData}) == 0x4001);
        const bool io = opcode <= 2 || opcode == 8 || opcode == 9;
        if (!io) CHECK(r.ask(1, {.opcode_id = opcode, .nsid = 1, .prp1 = kData}) == 0x4001);
    }
    for (u32 number = 4; number < 256; ++number)
        CHECK(r.ask(0, {.opcode_id = 6, .nsid = 1, .prp1 = kData, .dword = {number}}) == 0x4002);
    for (u32 number = 12; number < 256; ++number)
        for (const u32 opcode : {9u, 10u})
            CHECK(r.ask(0, {.opcode_id = opcode, .prp1 = kData, .dword = {number, ~0u}}) == 0x4002);
    for (u32 flags = 1; flags < 256; ++flags)
        CHECK(r.ask(1, {.opcode_id = kRead | flags << 8, .nsid = 1, .prp1 = kData}) == 0x4002);
}

TEST_CASE("CVE-2023-6693: exactly the blocks that were asked for are moved", "[pci][nvme]") {
    Rig r;
    r.start();
    std::fill(r.disk->data.begin(), r.disk->data.end(), u8{0x5a});
    const std::vector<u8> marks(0x4000, 0xa5);
    for (const u32 count : {1u, 3u, 8u, 9u, 15u, 16u})
        for (const u64 offset : {0u, 4u, 512u, 3584u, 4092u}) {
            REQUIRE(r.port.ram.write(kData, marks));
            for (u64 page = 0; page < 3; ++page)
                REQUIRE(r.port.ram.write(kList + 8 * page, kData + 4096 * (page + 1)));
            const u64 bytes = count * 512u;
            const u64 second = bytes + offset > 0x2000 ? kList : kData + 0x1000;
            REQUIRE(r.ask(1, Rig::blocks(kRead, kData + offset, second, 0, count)) == 0);
            std::vector<u8> seen(marks.size());
            REQUIRE(r.port.ram.read(kData, seen));
            for (u64 at = 0; at < seen.size(); ++at)
                REQUIRE(seen[at] == (at >= offset && at - offset < bytes ? 0x5a : 0xa5));
        }
}

TEST_CASE("CVE-2021-3748: a reset at any moment of a command forgets it", "[pci][nvme]") {
    for (u64 moment = 0; moment < 40 * kUs; moment += 250) {
        Rig r;
        r.start();
        std::fill(r.disk->data.begin(), r.disk->data.end(), u8{0x5a});
        REQUIRE(r.port.ram.write(kData, u64{0}));
        for (u64 at = 0; at < 3; ++at)
            REQUIRE(r.port.ram.write(kIo + 64 * at, Rig::blocks(kRead, kData, 0, 0, 8)));
        put(*r.high, 0x1008, 3);
        r.port.advance(*r.device, moment);
        std::array<u64, 6> before{}, after{};
        u64 data_before = 0, data_after = 0;
        REQUIRE((r.port.ram.read(kIoDone, before) && r.port.ram.read(kData, data_before)));
        moment % 500 == 0 ? put(*r.high, 0x14, 0) : r.device->reset();
        r.port.advance(*r.device, 1000 * kUs);
        REQUIRE((r.port.ram.read(kIoDone, after) && r.port.ram.read(kData, data_after)));
        REQUIRE(after == before);
        REQUIRE(data_after == data_before);
        r.map(0);
        r.start();
        REQUIRE(r.ask(1, Rig::blocks(kRead, kData, 0, 0, 8)) == 0);
    }
}

TEST_CASE("CVE-2015-8550: commands and lists are fetched once, whatever overwrites them", "[pci][nvme]") {
    Rig r;
    r.start();
    std::fill(r.disk->data.begin(), r.disk->data.end(), u8{0xff});
    // The list is the first page that is read into: what it becomes is no list.
    for (u64 entry = 0; entry < 3; ++entry)
        REQUIRE(r.port.ram.write(kList + 8 * entry, entry == 0 ? kList : kData + 4096 * entry));
    CHECK(r.ask(1, Rig::blocks(kRead, kData, kList, 0, 32)) == 0);
    u64 last = 0;
    REQUIRE(r.port.ram.read(kData + 4096 * 2 + 4088, last));
    CHECK(last == ~u64{0});
    // The command reads over its own queue, in which others wait: they become what was read.
    const u64 place = kIo + 64u * r.tail[1];
    REQUIRE(r.port.ram.write(place, Rig::blocks(kRead, kIo, 0, 0, 8)));
    r.tail[1] = static_cast<u16>((r.tail[1] + 1) % 16);
    put(*r.high, 0x1008, r.tail[1]);
    r.port.advance(*r.device, 1000 * kUs);
    CHECK(r.take(1).status >> 1 == 0);
    r.tail[1] = static_cast<u16>((r.tail[1] + 1) % 16);
    put(*r.high, 0x1008, r.tail[1]);
    r.port.advance(*r.device, 1000 * kUs);
    CHECK(r.take(1).status >> 1 == 0x4002);
    CHECK(get(*r.high, 0x1c) == 1);
}

TEST_CASE("CVE-2016-7421: a doorbell of 1023 commands is served in pieces, with little memory",
          "[pci][nvme]") {
    CountingRig r;
    for (u64 at = 0; at < 256; ++at) REQUIRE(r.port.ram.write(kList + 8 * at, kData));
    for (u64 at = 0; at < 1023; ++at)
        REQUIRE(r.port.ram.write(kIo + 64 * at, Rig::blocks(kRead, kData, kList, 0, 2048)));
    put(*r.high, 0x1008, 1023);
    CHECK(r.port.events.size() <= 2);
    r.port.advance(*r.device, 20 * kUs);
    CHECK(r.disk->reads <= 17);
    u32 taken = 0;
    for (int i = 0; i < 3000 && taken < 1023; ++i) {
        r.port.advance(*r.device, 1000 * kUs);
        u32 last = 0;
        REQUIRE(r.port.ram.read(kIoDone + 16 * (taken % 2) + 12, last));
        if ((last >> 16 & 1) == (taken / 2 % 2 == 0)) put(*r.high, 0x100c, ++taken % 2);
    }
    CHECK(taken == 1023);
    CHECK(r.disk->reads == 1023);
}

TEST_CASE("CVE-2020-27174: completions that nobody takes hold up the queue, not memory", "[pci][nvme]") {
    CountingRig r;
    for (u64 at = 0; at < 1024; ++at)
        REQUIRE(r.port.ram.write(kIo + 64 * at, Rig::blocks(kRead, kData, 0, 0, 1)));
    u32 tail = 0;
    for (int i = 0; i < 40; ++i) {
        put(*r.high, 0x1008, tail = (tail + 1000) % 1024);
        r.port.advance(*r.device, 5000 * kUs);
    }
    CHECK(r.disk->reads <= 1026);
    const auto image = save_of(*r.device);
    CHECK(image.size() < 100'000);
}

TEST_CASE("CVE-2013-4526: every byte of a snapshot may be wrong", "[pci][nvme]") {
    std::mt19937 random(4);
    Rig r;
    r.start();
    for (u64 at = 0; at < 4; ++at)
        REQUIRE(r.port.ram.write(kIo + 64 * at, Rig::blocks(kRead, kData, 0, 0, 1)));
    put(*r.high, 0x1008, 4);
    const auto image = save_of(*r.device);
    for (std::size_t at = 0; at < image.size(); ++at)
        for (const u8 wrong : {u8{0xff}, u8{0x80}, static_cast<u8>(image[at] ^ 1)}) {
            auto mutated = image;
            mutated[at] = wrong;
            try {
                load_into(*r.device, mutated);
            } catch (const ArchiveError&) {
                load_into(*r.device, image);
            }
            if (at % 16 != 0) continue;
            put(*r.high, 0x1000 + 4 * (random() % 40), random() % 16);
            r.port.advance(*r.device, 1000 * kUs, 100);
        }
    for (std::size_t cut = 0; cut < image.size(); cut += 7)
        REQUIRE_THROWS_AS(load_into(*r.device, std::span(image).first(cut)), ArchiveError);
}

TEST_CASE("nvme: a snapshot that was saved with other fields is refused", "[pci][nvme]") {
    NvmeRig r;
    r.start();
    check_other_layouts_are_refused(*r.device);
}

TEST_CASE("nvme: what was read before a snapshot is what the guest gets after it", "[pci][nvme]") {
    Rig r;
    r.start();
    std::fill_n(r.disk->data.begin(), 512, u8{0x11});
    REQUIRE(r.port.ram.write(kIo, Rig::blocks(kRead, kData, 0, 0, 1)));
    put(*r.high, 0x1008, 1);
    const auto image = save_of(*r.device);
    Rig other;
    std::fill_n(other.disk->data.begin(), 512, u8{0x22});
    other.port.time = r.port.time;
    other.port.events = r.port.events;
    load_into(*other.device, image);
    CHECK(save_of(*other.device) == image);
    for (Rig* rig : {&r, &other}) {
        rig->port.advance(*rig->device, 1000 * kUs);
        u8 first = 0;
        REQUIRE(rig->port.ram.read(kData, first));
        CHECK(first == 0x11);
    }
}

TEST_CASE("nvme: the host's failures are the guest's errors, and told once a kind", "[pci][nvme]") {
    std::vector<std::string> told;
    Rig r(std::make_shared<MemoryDisk>(4 << 20),
          {.failed = [&told](const std::string& text) { told.push_back(text); }});
    r.start();
    r.disk->failing = true;
    for (int again = 0; again < 3; ++again) {
        CHECK(r.ask(1, Rig::blocks(kRead, kData, 0, 8, 1)) == 6);
        CHECK(r.ask(1, Rig::blocks(kWrite, kData, 0, 0, 1)) == 6);
        CHECK(r.ask(1, {.opcode_id = 0, .nsid = 1}) == 6);
        CHECK(r.ask(1, Rig::blocks(8, 0, 0, 0, 1)) == 6);
    }
    REQUIRE(told.size() == 4);
    CHECK(told[0].find("a read of 512 bytes at 4096 failed") == 0);
    r.disk->failing = false;
    CHECK(r.ask(1, Rig::blocks(kRead, kData, 0, 0, 1)) == 0);
    CHECK(get(*r.high, 0x1c) == 1);
}

TEST_CASE("nvme: a disk whose space is not given back is not asked to", "[pci][nvme]") {
    Rig r(std::make_shared<MemoryDisk>(4 << 20), {.discard = false});
    r.start();
    std::array<u8, 4096> data{};
    REQUIRE(r.ask(0, {.opcode_id = 6, .prp1 = kData, .dword = {1}}) == 0);
    REQUIRE(r.port.ram.read(kData, data));
    CHECK(data[520] == 8);
    REQUIRE(r.port.ram.write(kData, std::array<u32, 4>{0, 8, 32, 0}));
    CHECK(r.ask(1, {.opcode_id = 9, .nsid = 1, .prp1 = kData, .dword = {0, 4}}) == 0x4001);
    NvmeCommand zeroes = Rig::blocks(8, 0, 0, 0, 8);
    zeroes.dword[2] |= 1 << 25;
    CHECK(r.ask(1, zeroes) == 0);
    CHECK((r.disk->discards == 0 && r.disk->zeroes == 1));
}

TEST_CASE("nvme: a pool's threads give the same as none, also where nobody waits for the host",
          "[pci][nvme]") {
    for (const bool exact : {true, false}) {
        Rig r(std::make_shared<MemoryDisk>(4 << 20), {.pool = std::make_shared<IoPool>(), .exact = exact});
        r.start();
        std::mt19937_64 random(6);
        std::vector<u8> model(4 << 20);
        for (int step = 0; step < 2000; ++step) {
            const u32 block = static_cast<u32>(random() % 64), count = 1 + static_cast<u32>(random() % 8);
            const auto at = static_cast<i64>(block) * 512;
            const bool writing = random() % 2 == 0;
            std::vector<u8> bytes(count * 512u, static_cast<u8>(random()));
            if (writing) REQUIRE(r.port.ram.write(kData, bytes));
            r.submit(1, Rig::blocks(writing ? kWrite : kRead, kData, kData + 4096, block, count));
            const auto arrived = [&] {
                u32 last = 0;
                REQUIRE(r.port.ram.read(kIoDone + 16u * r.head[1] + 12, last));
                return (last >> 16 & 1) == (step / 16 % 2 == 0);
            };
            while (!arrived()) r.port.advance(*r.device, 100 * kUs);
            REQUIRE(r.take(1).status >> 1 == 0);
            if (writing)
                std::copy(bytes.begin(), bytes.end(), model.begin() + at);
            else
                REQUIRE((r.port.ram.read(kData, bytes) &&
                         std::equal(bytes.begin(), bytes.end(), model.begin() + at)));
        }
    }
}

TEST_CASE("CVE-2016-7421: nvme: ranges to give back are bounded, over all commands", "[pci][nvme]") {
    CountingRig r;
    REQUIRE(r.port.ram.write(kAdmin + 128, NvmeCommand{.opcode_id = 9, .dword = {6, 0}}));  // no cache
    put(*r.high, 0x1000, 3);
    r.port.advance(*r.device, 1000 * kUs);
    const auto set_ranges = [&](u64 start) {
        for (u64 i = 0; i < 256; ++i)
            REQUIRE(r.port.ram.write(kData + 16 * i, std::array<u64, 2>{u64{1} << 32, start}));
    };
    set_ranges(0);
    for (u64 at = 0; at < 16; ++at)
        REQUIRE(r.port.ram.write(
            kIo + 64 * at,
            NvmeCommand{.opcode_id = kDatasetManagement, .nsid = 1, .prp1 = kData, .dword = {255, 4}}));
    put(*r.high, 0x1008, 16);
    r.port.advance(*r.device, 100 * kUs);
    NvmeCompletion done{};
    REQUIRE(r.port.ram.read(kIoDone, done));
    CHECK(done.status == 0);  // each range takes its time
    set_ranges(~u64{0});      // for those that are not taken yet
    u32 refused = 0;
    for (u32 taken = 0; taken < 16;) {
        r.port.advance(*r.device, 1000 * kUs);
        REQUIRE(r.port.ram.read(kIoDone + 16 * (taken % 2), done));
        REQUIRE((done.status & 1) == (taken / 2 % 2 == 0 ? 1 : 0));
        refused += done.status >> 1 == 0x4080 ? 1 : 0;
        put(*r.high, 0x100c, ++taken % 2);
    }
    CHECK(refused == 12);
    CHECK(r.disk->discarded.size() == 4 * 256);
    CHECK(r.disk->flushes == 1 + 4);  // by the cache's end, and by each command
}

TEST_CASE("nvme: looking at a controller changes nothing", "[pci][nvme]") {
    CountingRig looked_at, other;
    for (CountingRig* r : {&looked_at, &other}) {
        for (u64 at = 0; at < 256; ++at) REQUIRE(r->port.ram.write(kList + 8 * at, kData));
        for (u64 at = 0; at < 64; ++at)
            REQUIRE(r->port.ram.write(kIo + 64 * at, Rig::blocks(kWrite, kData, kList, 0, 2048)));
        put(*r->high, 0x1008, 64);
        r->port.advance(*r->device, 20 * kUs);
    }
    (void)save_of(*looked_at.device);
    // Until the first are done, and others are taken in their place.
    for (CountingRig* r : {&looked_at, &other}) r->port.advance(*r->device, 1000 * kUs);
    CHECK(save_of(*looked_at.device) == save_of(*other.device));
}
