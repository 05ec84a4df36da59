// Raw images: refusals that say the way out, locks, and reads and writes at the edges.
#include <catch2/catch.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "devices/storage/raw.hpp"
#include "tests/folder.hpp"

using namespace hartline;

namespace {
struct Directory : test::Folder {
    std::string file(const char* name, u64 bytes) const {
        Folder::file(name, "");
        std::filesystem::resize_file(at(name), bytes);
        return at(name);
    }
};

std::string refusal(const std::string& path, bool read_only = false) {
    try {
        (void)open_raw(path, read_only);
    } catch (const std::runtime_error& error) {
        return error.what();
    }
    return "";
}
}  // namespace

TEST_CASE("an image keeps what is written, up to its last byte and not past it") {
    const Directory directory;
    const auto disk = open_raw(directory.file("disk.img", 8192), false);
    CHECK(disk->bytes() == 8192);
    std::vector<u8> data(512, 0xab), back(512);
    CHECK(disk->write(8192 - 512, data));
    CHECK(disk->flush());
    CHECK(disk->read(8192 - 512, back));
    CHECK(back == data);
    CHECK_FALSE(disk->write(8192 - 511, data));
    CHECK_FALSE(disk->read(8192 - 511, back));
    CHECK_FALSE(disk->write(~u64{0}, data));
    CHECK_FALSE(disk->discard(~u64{0} - 100, 512));
    CHECK_FALSE(disk->zero(0, 8193));
    CHECK(std::filesystem::file_size(directory.path / "disk.img") == 8192);
}

TEST_CASE("discarded and zeroed ranges read as zeroes") {
    const Directory directory;
    const auto disk = open_raw(directory.file("disk.img", 1 << 20), false);
    const std::vector<u8> data(1 << 20, 0xff);
    CHECK(disk->write(0, data));
    CHECK(disk->discard(4096, 8192));
    CHECK(disk->zero(512 * 1001, 512 * 3));
    CHECK(disk->discard(0, 0));
    std::vector<u8> back(1 << 20);
    CHECK(disk->read(0, back));
    for (std::size_t i = 0; i < back.size(); ++i) {
        const bool cleared = (i >= 4096 && i < 12288) || (i >= 512 * 1001 && i < 512 * 1004);
        if (back[i] != (cleared ? 0 : 0xff)) FAIL("byte " << i);
    }
}

TEST_CASE("one writer, or many readers") {
    const Directory directory;
    const std::string path = directory.file("disk.img", 4096);
    {
        const auto writer = open_raw(path, false);
        CHECK(refusal(path).find("in use by another process") != std::string::npos);
        CHECK(refusal(path, true).find("disk.img: in use") != std::string::npos);
    }
    const auto reader = open_raw(path, true), second = open_raw(path, true);
    CHECK(reader->read_only());
    std::vector<u8> data(512);
    CHECK(second->read(0, data));
    CHECK_FALSE(reader->write(0, data));
    CHECK_FALSE(reader->discard(0, 512));
    CHECK_FALSE(reader->zero(0, 512));
    CHECK(refusal(path).find("in use") != std::string::npos);
}

TEST_CASE("what is no disk image is refused in one line") {
    const Directory directory;
    CHECK(refusal(directory.path.string()).find("is a directory") != std::string::npos);
    CHECK(refusal(directory.path.string(), true).find("is a directory") != std::string::npos);
    CHECK(refusal((directory.path / "none").string()).find("no such file") != std::string::npos);
    CHECK(refusal(directory.file("odd", 1000)).find("multiple of 512") != std::string::npos);
    CHECK(refusal(directory.file("empty", 0)).find("is empty") != std::string::npos);
    CHECK(refusal("/dev/null").find("neither a file nor a block device") != std::string::npos);
    const std::string fifo = (directory.path / "fifo").string();
    REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
    CHECK(refusal(fifo, true).find("neither") != std::string::npos);
    const std::string kept = directory.file("kept", 512);
    REQUIRE(::chmod(kept.c_str(), 0400) == 0);
    if (::geteuid() != 0) CHECK(refusal(kept).find("',ro'") != std::string::npos);
}

TEST_CASE("a file that somebody cuts short gives errors, not garbage") {
    const Directory directory;
    const std::string path = directory.file("disk.img", 8192);
    const auto disk = open_raw(path, false);
    std::filesystem::resize_file(path, 4096);
    std::vector<u8> data(512);
    CHECK(disk->read(0, data));
    CHECK_FALSE(disk->read(4096, data));
}
