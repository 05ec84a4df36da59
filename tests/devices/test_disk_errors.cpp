// Failures of the host under raw and qcow2 disks: the guest gets I/O errors, never wrong data, and a person
// one line.
#include <catch2/catch.hpp>

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>

#include "devices/storage/raw.hpp"
#include "devices/virtio/block.hpp"
#include "devices/virtio/mmio.hpp"
#include "tests/devices/image_support.hpp"
#include "tests/devices/virtio_driver.hpp"

using namespace hartline;
using namespace hartline::test;
using Driver = VirtioDriver;

namespace {
constexpr u64 kDiskBytes = 4 << 20;
enum : u32 { kIn = 0, kOut = 1, kFlush = 4, kDiscard = 11 };
enum : u8 { kOk = 0, kIoError = 1 };

std::vector<u8> empty_image(bool qcow2) {
    if (!qcow2) return std::vector<u8>(kDiskBytes);
    qcow2::CreateOptions options;
    options.bytes = kDiskBytes;
    return new_image(options);
}

// A guest with a disk in a file of the host that fails when it is told.
struct Guest {
    FakePort port;
    MemoryFile* file;
    std::vector<std::string> told;
    std::unique_ptr<Device> device;
    std::unique_ptr<Driver> driver;
    u64 header = 0, data = 0, status = 0;

    Guest(bool qcow2, const std::vector<u8>& image, std::vector<u8>* kept = nullptr) {
        auto made = std::make_unique<MemoryFile>(image);
        file = made.get();
        file->kept = kept;
        std::shared_ptr<DiskImage> disk;
        if (qcow2)
            disk = open_memory(std::move(made));
        else
            disk = open_raw(std::move(made), "memory.img");
        BlockOptions options;
        options.failed = [this](const std::string& text) { told.push_back(text); };
        device = virtio_mmio(virtio_block(std::move(disk), options))(port);
        driver = std::make_unique<Driver>(port, *device);
        header = driver->alloc(16);
        data = driver->alloc(4096);
        status = driver->alloc(1);
        driver->start(16);
    }
    // Returns the status. `value`: of each byte that is written; of a discard, the sectors.
    u8 ask(u32 type, u64 sector, u8 value = 0) {
        driver->store(header, std::array<u64, 2>{type, sector});
        driver->store(status, u8{0xee});
        std::vector<u8> bytes(4096, value);
        if (type == kDiscard) {
            const std::array<u32, 4> range{static_cast<u32>(sector), 0, value != 0 ? value : 8u, 0};
            std::memcpy(bytes.data(), range.data(), sizeof range);
        }
        if (!port.ram.write(data, bytes)) throw std::logic_error("no RAM");
        std::vector<Driver::Buffer> all{{header, 16}};
        if (type != kFlush) all.push_back({data, type == kDiscard ? 16u : 4096u, type == kIn});
        all.push_back({status, 1, true});
        driver->submit(0, all);
        driver->kick();
        port.advance(*device, 1'000'000'000);
        return driver->load<u8>(status);
    }
};

constexpr std::array<u64, 4> kSectors{0, 512, 128 * 17, kDiskBytes / 512 - 8};

// What a guest knows of each place: nothing after a write that failed.
using Known = std::array<std::optional<u8>, kSectors.size()>;

struct Score {
    unsigned failed = 0, wrong = 0;
};

// Writes, flushes, discards and reads all places.
Score work(Guest& guest, Known& known, u8 value) {
    Score score;
    const auto note = [&](u8 got) {
        score.failed += got == kIoError;
        if (got > kIoError) ++score.wrong;
        return got == kOk;
    };
    for (std::size_t i = 0; i < kSectors.size(); ++i) {
        const bool good = note(guest.ask(kOut, kSectors[i], value));
        known[i] = good ? std::optional(value) : std::nullopt;
    }
    note(guest.ask(kFlush, 0));
    known[1] = note(guest.ask(kDiscard, kSectors[1])) ? std::optional<u8>(u8{0}) : std::nullopt;
    note(guest.ask(kFlush, 0));
    for (std::size_t i = 0; i < kSectors.size(); ++i)
        if (note(guest.ask(kIn, kSectors[i])) && known[i] && guest.driver->load<u8>(guest.data) != *known[i])
            ++score.wrong;
    return score;
}
}  // namespace

TEST_CASE("any call of the host's may fail: I/O errors, never wrong data", "[diskio]") {
    for (const bool qcow2 : {false, true})
        for (const int error : {EIO, ENOSPC})
            for (const u64 failures : {u64{1}, u64{1000}}) {
                const auto image = empty_image(qcow2);
                bool reached = true;
                for (u64 call = 0; reached; ++call) {
                    INFO((qcow2 ? "qcow2" : "raw") << ", call " << call << ", errno " << error);
                    std::vector<u8> kept;
                    Known known;
                    {
                        Guest guest(qcow2, image, &kept);
                        guest.file->error = error;
                        guest.file->fail_from = guest.file->calls + call;
                        guest.file->fail_to = guest.file->fail_from + failures;
                        const Score score = work(guest, known, 7);
                        reached = guest.file->calls > guest.file->fail_from;
                        CHECK(score.wrong == 0);
                        CHECK(score.failed <= guest.file->calls);
                        CHECK(guest.told.empty() == (score.failed == 0));
                        CHECK(guest.told.size() <= 4);  // of each kind one line
                        guest.file->fail_to = 0;        // the host is well again
                        CHECK(work(guest, known, 9).wrong == 0);
                    }
                    if (qcow2) CHECK(checked(kept).corruptions == 0);
                }
            }
}

TEST_CASE("a file cut short under a running disk is an I/O error, and stays one", "[diskio]") {
    for (const bool qcow2 : {false, true}) {
        INFO((qcow2 ? "qcow2" : "raw"));
        Guest guest(qcow2, empty_image(qcow2));
        const u64 last = kSectors.back();
        CHECK(guest.ask(kOut, 0, 5) == kOk);
        CHECK(guest.ask(kOut, last, 5) == kOk);
        CHECK(guest.ask(kFlush, 0) == kOk);
        guest.file->data.resize(guest.file->data.size() - 65536);
        CHECK(guest.ask(kIn, last) == kIoError);
        CHECK(guest.ask(kOut, 0, 6) == kOk);
        (void)guest.ask(kDiscard, 0, 128);                        // a whole cluster
        CHECK(guest.ask(kFlush, 0) == (qcow2 ? kIoError : kOk));  // it must not grow to its old length unseen
        CHECK(guest.ask(kIn, last) == kIoError);
        REQUIRE_FALSE(guest.told.empty());
        CHECK(
            guest.told[0] ==
            "a read of 4096 bytes at 4190208 failed: the file was cut short, or is damaged; the guest gets an "
            "I/O error");
        CHECK(guest.told.size() <= 2);
    }
}
