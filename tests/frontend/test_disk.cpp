// Disks with overlays: the file stays as it is.
#include <catch2/catch.hpp>

#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>

#include "frontend/session/disk.hpp"
#include "frontend/session/errors.hpp"
#include "support.hpp"

using namespace hartline;

namespace {
namespace fs = std::filesystem;

// Where a.img lies.
struct DiskFolder : test::Folder {
    DiskFolder() {
        file("a.img", "a");
        fs::resize_file(path / "a.img", 1 << 20);
    }
    char first() const { return static_cast<char>(std::ifstream(path / "a.img").get()); }
};

u8 first_of(DiskImage& disk) {
    std::array<u8, 512> sector{};
    REQUIRE(disk.read(0, sector));
    return sector[0];
}
void write_first(DiskImage& disk, u8 value) {
    std::array<u8, 512> sector{};
    sector[0] = value;
    REQUIRE(disk.write(0, sector));
    REQUIRE(disk.flush());
}
}  // namespace

TEST_CASE("a temporary overlay leaves the disk alone, and nothing behind", "[diskio]") {
    const DiskFolder folder;
    const DiskConfig config = parse_disk(folder.at("a.img") + ",overlay");
    const auto disk = open_disk(config), beside = open_disk(config);
    write_first(*disk, 'b');
    CHECK(first_of(*disk) == 'b');
    CHECK(first_of(*beside) == 'a');
    CHECK(folder.first() == 'a');
    CHECK(std::distance(fs::directory_iterator(folder.path), fs::directory_iterator()) == 1);
}

TEST_CASE("a named overlay keeps its changes, and is of one disk only", "[diskio]") {
    const DiskFolder folder;
    const DiskConfig config = parse_disk(folder.at("a.img") + ",overlay=" + folder.at("changes.qcow2"));
    write_first(*open_disk(config), 'b');
    CHECK(folder.first() == 'a');
    CHECK(first_of(*open_disk(config)) == 'b');
    fs::copy_file(folder.path / "a.img", folder.path / "other.img");
    DiskConfig other = config;
    other.path = folder.at("other.img");
    CHECK_THROWS_AS(open_disk(other), InputError);
}

TEST_CASE("an overlay that cannot be made leaves nothing behind", "[diskio]") {
    const DiskFolder folder;
    const DiskConfig config = parse_disk(folder.at("a.img") + ",overlay=" + folder.at("changes.qcow2"));
    const test::FileLimit full(100'000);
    CHECK_THROWS_AS(open_disk(config), HostError);
    CHECK_FALSE(fs::exists(folder.at("changes.qcow2")));
}

TEST_CASE("a broken overlay is named with a way out", "[diskio]") {
    const DiskFolder folder;
    const DiskConfig config = parse_disk(folder.at("a.img") + ",overlay=" + folder.at("changes.qcow2"));
    std::ofstream(folder.path / "changes.qcow2") << "x";
    CHECK_THROWS_WITH(open_disk(config), Catch::Contains("or remove it"));
}
