// Opening of disk images: hostile headers, names and formats are refused; locks; several threads.
#include <fcntl.h>
#include <sys/wait.h>

#include <cstring>
#include <thread>

#include "tests/devices/image_support.hpp"

using namespace hartline;
using namespace hartline::test;

namespace {
std::vector<u8> small_image() { return new_image({.bytes = 1 << 20, .cluster = 512}); }

void poke32(std::vector<u8>& image, u64 at, u32 value) { qcow2::put_be32(&image[at], value); }
void poke64(std::vector<u8>& image, u64 at, u64 value) { qcow2::put_be64(&image[at], value); }

// What opening it says; empty: it is open.
std::string refusal(const std::vector<u8>& image, bool read_only = false) {
    auto file = std::make_unique<MemoryFile>(image);
    file->fixed = read_only;
    try {
        (void)open_memory(std::move(file));
    } catch (const std::runtime_error& error) {
        return error.what();
    }
    return "";
}
std::string refusal(const std::string& path, const ImageOptions& options = {}) {
    try {
        (void)open_image(path, options);
    } catch (const std::runtime_error& error) {
        return error.what();
    }
    return "";
}
bool says(const std::string& text, const std::string& part) {
    INFO(text);
    return text.find(part) != std::string::npos;
}

void make(const std::string& path, const qcow2::CreateOptions& options) {
    qcow2::create(*open_host_file(path, {.create = true}), path, options);
}

std::vector<u8> first_sector(DiskImage& image) {
    std::vector<u8> bytes(512);
    REQUIRE(image.read(0, bytes));
    return bytes;
}
}  // namespace

TEST_CASE("CVE-2014-0142, CVE-2014-0143, CVE-2014-0144: sizes in a header are bounded", "[qcow2]") {
    const auto with32 = [](u64 at, u32 value) {
        auto image = small_image();
        poke32(image, at, value);
        return refusal(image);
    };
    CHECK(refusal(small_image()).empty());
    for (const u32 cluster_bits : {0u, 8u, 22u, 31u, 63u, ~0u})
        CHECK(says(with32(20, cluster_bits), "cluster size"));
    for (const u32 order : {7u, 31u, ~0u}) CHECK(says(with32(96, order), "refcounts of more than 64 bits"));
    for (const u32 length : {0u, 72u, 105u, 1024u, ~0u}) CHECK(says(with32(100, length), "header's length"));
    CHECK(says(with32(4, 4), "version 4"));
    CHECK(says(with32(4, 0), "version 0"));
}

TEST_CASE("CVE-2014-0146, CVE-2014-0147: L1 and refcount tables are bounded before they are read",
          "[qcow2]") {
    auto image = small_image();
    poke32(image, 36, 0x1000'0000);
    CHECK(says(refusal(image), "L1 table is larger"));
    image = small_image();
    poke32(image, 56, 0xffff'ffff);
    CHECK(says(refusal(image), "refcount table's size"));
    image = small_image();
    poke32(image, 36, 1);
    CHECK(says(refusal(image), "L1 table is too small"));
    for (const u64 offset : {u64{100}, u64{1} << 40, ~u64{0} << 9}) {
        image = small_image();
        poke64(image, 40, offset);
        CHECK(says(refusal(image), "L1 table's place"));
        image = small_image();
        poke64(image, 48, offset);
        CHECK(says(refusal(image), "refcount table's place"));
    }
}

TEST_CASE("CVE-2014-0145: a snapshot table is bounded", "[qcow2]") {
    auto image = small_image();
    poke32(image, 60, 65537);
    CHECK(says(refusal(image), "65536 snapshots"));
    image = small_image();
    poke32(image, 60, 3);
    poke64(image, 64, 512);  // the refcount table
    CHECK(says(refusal(image), "snapshot"));
}

TEST_CASE("CVE-2014-0222, CVE-2014-0223: the disk's size does not overflow", "[qcow2]") {
    for (const u64 size : {~u64{0}, u64{1} << 63, (u64{1} << 63) - 1, u64{1} << 62}) {
        auto image = small_image();
        poke64(image, 24, size);
        CHECK_FALSE(refusal(image).empty());
    }
}

TEST_CASE("qcow2: structures that overlap are refused, or stop the first write", "[qcow2]") {
    auto image = small_image();
    poke64(image, 40, 512);  // the L1 table is the refcount table
    CHECK(says(refusal(image), "overlaps"));
    // A data cluster that is the header.
    image = new_image({.bytes = 1 << 20, .cluster = 512});
    const u64 l1 = qcow2::get_be64(&image[40]);
    {
        auto file = std::make_unique<MemoryFile>(image);
        file->kept = &image;
        const auto open = open_memory(std::move(file));
        REQUIRE(open->write(0, std::vector<u8>(512, 1)));
    }
    const u64 l2 = qcow2::get_be64(&image[l1]) & qcow2::kOffsetMask;
    poke64(image, l2, l1 | qcow2::kCopied);
    std::vector<u8> after;
    auto file = std::make_unique<MemoryFile>(image);
    file->kept = &after;
    {
        const auto open = open_memory(std::move(file));
        CHECK_FALSE(open->write(0, std::vector<u8>(512, 2)));
        CHECK_FALSE(open->write(8192, std::vector<u8>(512, 2)));
    }
    CHECK((after[79] & qcow2::incompatible::kCorrupt) != 0);
    CHECK(says(refusal(after), "marked so"));
    CHECK(refusal(after, true).empty());
}

TEST_CASE("qcow2: what is not handled is refused by name", "[qcow2]") {
    auto image = small_image();
    poke32(image, 32, 1);
    CHECK(says(refusal(image), "encrypted (AES)"));
    poke32(image, 32, 2);
    CHECK(says(refusal(image), "encrypted (LUKS)"));
    image = small_image();
    poke64(image, 72, qcow2::incompatible::kDataFile);
    CHECK(says(refusal(image), "external data file"));
    poke64(image, 72, u64{1} << 40);
    CHECK(says(refusal(image), "incompatible feature 40"));
    // The feature name table has a name for it.
    const u64 at = 112;
    poke32(image, at, 0x6803'f857);
    poke32(image, at + 4, 48);
    image[at + 8] = 0;
    image[at + 9] = 40;
    std::memcpy(&image[at + 10], "time travel", 11);
    CHECK(says(refusal(image), "'time travel'"));
}

TEST_CASE("qcow2: a dirty image is repaired when it is opened for writing", "[qcow2]") {
    auto image = small_image();
    {
        auto file = std::make_unique<MemoryFile>(image);
        file->kept = &image;
        const auto open = open_memory(std::move(file));
        for (u64 at = 0; at < 1 << 20; at += 3000 / 512 * 512)
            REQUIRE(open->write(at, std::vector<u8>(512, 7)));
    }
    const auto clean = image;
    // As a program with lazy refcounts leaves it: refcounts of data are missing.
    const u64 table = qcow2::get_be64(&image[48]), block = qcow2::get_be64(&image[table]);
    for (u64 i = 40; i < 512; ++i) image[block + i] = 0;
    image[79] |= qcow2::incompatible::kDirty;
    REQUIRE(checked(image).corruptions != 0);
    CHECK(refusal(image, true).empty());
    {
        auto file = std::make_unique<MemoryFile>(image);
        file->kept = &image;
        const auto open = open_memory(std::move(file));
        std::vector<u8> bytes(512);
        REQUIRE(open->read(0, bytes));
        CHECK(bytes == std::vector<u8>(512, 7));
        REQUIRE(open->write(512, bytes));
    }
    CHECK(image[79] == 0);
    CHECK(checked(image).corruptions == 0);
}

TEST_CASE("qcow2: autoclear bits go before the first write, and not by reading", "[qcow2]") {
    auto image = small_image();
    image[95] = 4;
    std::vector<u8> after;
    auto file = std::make_unique<MemoryFile>(image);
    file->kept = &after;
    {
        const auto open = open_memory(std::move(file));
        (void)first_sector(*open);
    }
    CHECK(after[95] == 4);
    auto again = std::make_unique<MemoryFile>(image);
    again->kept = &after;
    CHECK(open_memory(std::move(again))->write(0, std::vector<u8>(512)));
    CHECK(after[95] == 0);
}

TEST_CASE("CVE-2008-2004: what a guest writes never decides the format", "[storage]") {
    const Folder folder;
    const std::string raw = folder.at("disk.img"), named = folder.at("disk.qcow2");
    save(raw, std::vector<u8>(1 << 20));
    save(named, std::vector<u8>(1 << 20));
    const auto image = small_image();
    CHECK(open_image(raw)->write(0, std::span(image).first(1024)));  // a guest may copy images
    CHECK(says(refusal(raw), "give format=qcow2 if it is one, format=raw if not"));
    CHECK(first_sector(*open_image(raw, {.format = ImageFormat::Raw}))[0] == 'Q');
    // One that would be taken for qcow2 next time never gets the magic number, in no way.
    CHECK(says(refusal(named), "is no qcow2 image"));
    const auto disk = open_image(named, {.format = ImageFormat::Raw});
    CHECK_FALSE(disk->write(0, std::span(image).first(1024)));
    CHECK(disk->write(512, image));
    CHECK(disk->write(0, std::vector<u8>(512, 'Q')));
    std::vector<u8> rest(512, 'Q');
    std::ranges::copy(qcow2::kMagic, rest.begin());
    CHECK_FALSE(disk->write(0, rest));
}

TEST_CASE("CVE-2024-4467: an image reaches only the backing files that it may", "[storage]") {
    const Folder folder;
    std::filesystem::create_directories(folder.path / "images" / "inner");
    const std::string secret = folder.at("secret.img"), top = folder.at("images/top.qcow2");
    save(secret, std::vector<u8>(1 << 20, 0x55));
    save(folder.at("images/base.img"), std::vector<u8>(1 << 20, 0x66));
    save(folder.at("images/inner/base.img"), std::vector<u8>(1 << 20, 0x77));
    std::filesystem::create_symlink("../secret.img", folder.path / "images" / "link.img");
    std::filesystem::create_directory_symlink("..", folder.path / "images" / "up");
    const auto with = [&](const std::string& backing) {
        std::filesystem::remove(top);
        make(top, {.bytes = 1 << 20, .backing = backing});
        return refusal(top);
    };
    for (const char* bad :
         {"../secret.img", "link.img", "up/secret.img", "inner/../../secret.img", "/etc/passwd",
          "/proc/self/fd/0", "nbd://host/disk", "json:{\"driver\":\"file\"}", "fat:rw:/tmp"})
        CHECK_FALSE(with(bad).empty());
    CHECK_FALSE(with(secret).empty());
    CHECK(says(with("../secret.img"), "allow backing=any"));
    for (const std::string good : {"base.img", "inner/base.img", "./base.img"}) CHECK(with(good).empty());
    CHECK(with(folder.at("images/base.img")).empty());
    CHECK(first_sector(*open_image(top))[5] == 0x66);
    CHECK(says(refusal(top, {.backing_names = BackingNames::None}), "none is allowed"));
    CHECK(with("../secret.img") != "");
    CHECK(first_sector(*open_image(top, {.backing_names = BackingNames::Anywhere}))[5] == 0x55);
}

TEST_CASE("qcow2: a backing file's format is declared, never guessed; chains end", "[storage]") {
    const Folder folder;
    const std::string top = folder.at("top.qcow2"), base = folder.at("base.img");
    auto hostile = small_image();  // a raw disk on which a guest has written an image
    hostile.resize(1 << 20);
    save(base, hostile);
    make(top, {.bytes = 1 << 20, .backing = "base.img", .backing_format = ImageFormat::Raw});
    CHECK(first_sector(*open_image(top))[0] == 'Q');
    auto undeclared = contents(top);
    poke32(undeclared, 112, 0x1111'1111);  // the extension is now one that nobody knows
    save(top, undeclared);
    CHECK(says(refusal(top), "does not declare the format"));
    CHECK(first_sector(*open_image(top, {.undeclared_backing = ImageFormat::Raw}))[0] == 'Q');
    make(folder.at("self.qcow2"),
         {.bytes = 1 << 20, .backing = "self.qcow2", .backing_format = ImageFormat::Qcow2});
    CHECK(says(refusal(folder.at("self.qcow2"), {.read_only = true}), "is its own backing file"));
    for (unsigned i = 0; i < 40; ++i)
        make(folder.at(std::to_string(i) + ".qcow2"), {.bytes = 1 << 20,
                                                       .backing = std::to_string(i + 1) + ".qcow2",
                                                       .backing_format = ImageFormat::Qcow2});
    CHECK(says(refusal(folder.at("0.qcow2")), "more than 32 images"));
}

namespace {
// qemu-io with the image open, until it is told to end.
class Holder {
public:
    Holder(const std::string& path, bool read_only) {
        REQUIRE(::pipe2(in_, O_CLOEXEC) == 0);
        REQUIRE(::pipe2(out_, O_CLOEXEC) == 0);
        pid_ = ::fork();
        if (pid_ == 0) {
            ::dup2(in_[0], 0);
            ::dup2(out_[1], 1);
            ::execlp("qemu-io", "qemu-io", "-f", "qcow2", path.c_str(), read_only ? "-r" : nullptr, nullptr);
            ::_exit(127);
        }
        ::close(out_[1]);
        char prompt = 0;  // comes when the image is open
        CHECK(::read(out_[0], &prompt, 1) == 1);
    }
    ~Holder() {
        for (const int end : {in_[0], in_[1], out_[0]}) ::close(end);
        ::waitpid(pid_, nullptr, 0);
    }

private:
    int in_[2], out_[2];
    pid_t pid_;
};
}  // namespace

TEST_CASE("QEMU and we respect each other's locks", "[storage]") {
    if (lacks_qemu()) return;
    const Folder folder;
    const std::string path = folder.at("disk.qcow2");
    make(path, {.bytes = 1 << 20});
    const std::string write = "qemu-io -f qcow2 -c 'write 0 512' " + path,
                      read = "qemu-io -r -f qcow2 -c 'read 0 512' " + path;
    {
        const auto writer = open_image(path);
        CHECK_FALSE(shell(write));
        CHECK_FALSE(shell(read));
    }
    {
        const auto reader = open_image(path, {.read_only = true});
        CHECK_FALSE(shell(write));
        CHECK(shell(read));
    }
    CHECK(shell(write));
    {
        const Holder writer(path, false);
        CHECK(says(refusal(path, {.read_only = true}), "in use"));
        CHECK(says(refusal(path), "in use"));
    }
    const Holder reader(path, true);
    CHECK(says(refusal(path), "in use"));
    CHECK(refusal(path, {.read_only = true}).empty());
}

TEST_CASE("qcow2: calls may come from several threads", "[qcow2]") {
    const Folder folder;
    const std::string path = folder.at("disk.qcow2");
    constexpr u64 kThreads = 4, kEach = 1 << 20;
    make(path, {.bytes = kThreads * kEach, .cluster = 4096});
    std::vector<std::vector<u8>> plain(kThreads, std::vector<u8>(kEach));
    {
        const auto image = open_image(path);
        std::atomic<bool> good = true;
        // Each has every fourth KiB, so that all write in the same clusters.
        const auto work = [&](u64 number) {
            Random random{number * 31 + 7};
            for (unsigned i = 0; i < 600; ++i) {
                const u64 at = random.below(kEach / 1024), offset = (at * kThreads + number) * 1024;
                std::vector<u8> bytes(1024, static_cast<u8>(random.next()));
                const u64 what = random.below(10);
                if (what < 6) good = good && image->write(offset, bytes);
                if (what == 6) std::ranges::fill(bytes, u8{0}), good = good && image->discard(offset, 1024);
                if (what == 7) std::ranges::fill(bytes, u8{0}), good = good && image->zero(offset, 1024);
                if (what < 8)
                    std::ranges::copy(bytes, plain[number].begin() + static_cast<std::ptrdiff_t>(at * 1024));
                if (what == 8)
                    good = good && image->read(offset, bytes) &&
                           std::equal(bytes.begin(), bytes.end(),
                                      plain[number].begin() + static_cast<std::ptrdiff_t>(at * 1024));
                if (what == 9 && i % 20 == 0) good = good && image->flush();
            }
        };
        std::vector<std::thread> threads;
        for (u64 i = 0; i < kThreads; ++i) threads.emplace_back(work, i);
        for (auto& thread : threads) thread.join();
        CHECK(good);
    }
    const auto image = open_image(path);
    std::vector<u8> bytes(1024);
    for (u64 at = 0; at < kThreads * kEach / 1024; ++at) {
        REQUIRE(image->read(at * 1024, bytes));
        REQUIRE(std::equal(bytes.begin(), bytes.end(),
                           plain[at % kThreads].begin() + static_cast<std::ptrdiff_t>(at / kThreads * 1024)));
    }
    CHECK(checked(contents(path)).clean());
}

TEST_CASE("a discard in a qcow2 image gives host space back", "[qcow2]") {
    const Folder folder;
    const std::string path = folder.at("disk.qcow2");
    make(path, {.bytes = 16 << 20});
    const auto image = open_image(path);
    REQUIRE(image->write(0, std::vector<u8>(8 << 20, 1)));
    REQUIRE(image->flush());
    const u64 full = image->file().allocated().value();
    CHECK(full >= 8 << 20);
    REQUIRE(image->discard(1 << 20, 6 << 20));
    REQUIRE(image->flush());
    const u64 after = image->file().allocated().value();
    CHECK(after + (5 << 20) < full);
    REQUIRE(image->write(12 << 20, std::vector<u8>(2 << 20, 2)));  // into the clusters that are free
    REQUIRE(image->flush());
    CHECK(image->file().size().value() < 9 << 20);
}
