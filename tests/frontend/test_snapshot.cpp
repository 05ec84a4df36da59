// Snapshot files, signatures and other files that are written.
#include "support.hpp"

#include <sys/stat.h>

#include "core/ram.hpp"
#include "frontend/host/contents.hpp"
#include "frontend/host/files.hpp"
#include "frontend/session/signature.hpp"
#include "frontend/session/snapshot.hpp"

using namespace hartline;
using namespace hartline::test;

namespace {
std::vector<u8> file_of(const Folder& folder, const Snapshot& snapshot) {
    write_snapshot(folder.at("snap"), snapshot);
    return read_file(folder.at("snap"), 1 << 20, "too large");
}
Snapshot example() { return {"memory 1, harts 2", {'h', 'i'}, false, {1, 2, 3, 4, 5}}; }
}  // namespace

TEST_CASE("snapshots_come_back_as_they_were", "[frontend]") {
    const Folder folder;
    file_of(folder, example());
    const Snapshot back = read_snapshot(folder.at("snap"), "memory 1, harts 2");
    CHECK(back.pending_input == std::vector<u8>{'h', 'i'});
    CHECK_FALSE(back.input_open);
    CHECK(back.state == std::vector<u8>{1, 2, 3, 4, 5});
}

TEST_CASE("snapshots_of_other_machines_are_refused_by_name", "[frontend]") {
    const Folder folder;
    file_of(folder, example());
    const auto line = complaint_of([&] { read_snapshot(folder.at("snap"), "memory 1, harts 4"); });
    CHECK(line.find("is of another machine (memory 1, harts 2)") != std::string::npos);
}

TEST_CASE("snapshots_cut_or_changed_anywhere_are_refused", "[frontend]") {
    const Folder folder;
    const auto good = file_of(folder, example());
    const auto refused = [&](std::span<const u8> bytes) {
        return complaint_of([&] { parse_snapshot("S", bytes, example().machine); }).starts_with("S: is ");
    };
    CHECK_FALSE(refused(good));
    for (std::size_t length = 0; length < good.size(); ++length)
        CHECK(refused(std::span(good).first(length)));
    for (std::size_t bit_number = 0; bit_number < good.size() * 8; ++bit_number) {
        auto flipped = good;
        flipped[bit_number / 8] ^= static_cast<u8>(1 << bit_number % 8);
        CHECK(refused(flipped));
    }
    auto longer = good;
    longer.push_back(0);
    CHECK(refused(longer));
}

TEST_CASE("files_are_replaced_wholly_or_not_at_all", "[frontend]") {
    const Folder folder;
    const std::string path = folder.file("old", "old");
    ::chmod(path.c_str(), 0640);
    const std::vector<u8> bytes = {'n', 'e', 'w'};
    write_file(path, bytes);
    CHECK(read_text(path) == "new");
    struct stat status {};
    REQUIRE(::stat(path.c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0640);
    CHECK(std::distance(std::filesystem::directory_iterator(folder.at("")), {}) ==
          1);  // nothing temporary is left
    CHECK_FALSE(complaint_of([&] { write_file(folder.at(""), bytes); }).empty());
    CHECK_FALSE(complaint_of([&] { write_file(folder.at("no/such/folder"), bytes); }).empty());
    CHECK_THROWS_AS(write_file("/dev/full", bytes), HostError);
}

TEST_CASE("files_are_read_within_bounds", "[frontend]") {
    const Folder folder;
    const std::string path = folder.file("five", "12345");
    CHECK(read_file(path, 5, "too large").size() == 5);
    CHECK(complaint_of([&] { read_file(path, 4, "too large"); }) == path + ": too large");
    CHECK(complaint_of([&] { read_file("/dev/zero", 1 << 20, "too large"); }) == "/dev/zero: too large");
    CHECK(complaint_of([&] { read_file(folder.at("none"), 4, ""); }).find("No such file") !=
          std::string::npos);
    CHECK(complaint_of([&] { read_file(folder.at(""), 4, ""); }).find("is a directory") != std::string::npos);
}

TEST_CASE("contents_are_read_again_and_a_changed_length_is_noticed", "[frontend]") {
    const Folder folder;
    const Contents contents(folder.file("f", "12345"), 10, "too large");
    CHECK(contents.bytes() == 5);
    CHECK(contents.read().size() == 5);
    folder.file("f", "54321");
    CHECK(contents.read()[0] == '5');
    folder.file("f", "1234");
    CHECK_THROWS_AS(contents.read(), HostError);
    folder.file("f", "123456");
    CHECK_THROWS_AS(contents.read(), HostError);
    CHECK_FALSE(complaint_of([&] { Contents(folder.at("none"), 10, ""); }).empty());
    CHECK_FALSE(complaint_of([&] { Contents(folder.at(""), 10, ""); }).empty());
}

TEST_CASE("signatures_are_little_endian_words_a_line", "[frontend]") {
    const std::vector<u8> memory = {0x78, 0x56, 0x34, 0x12, 0xef, 0xbe, 0xad, 0xde, 0x01};
    CHECK(signature_text(memory, 4) == "12345678\ndeadbeef\n00000001\n");
    CHECK(signature_text(memory, 8) == "deadbeef12345678\n0000000000000001\n");
    CHECK(signature_text(memory, 1).starts_with("78\n56\n"));
    CHECK(signature_text({}, 4).empty());
}

TEST_CASE("signatures_need_their_symbols_in_memory", "[frontend]") {
    const Folder folder;
    Ram ram(0x8000'0000, 1 << 20);
    ram.write(0x8000'1000, u64{0x1122334455667788});
    LoadedImage image;
    const auto write = [&] { write_signature(folder.at("sig"), ram, image, 4); };
    CHECK(complaint_of(write).find("no symbols") != std::string::npos);
    image.symbols = {{"begin_signature", 0x8000'1000}, {"end_signature", 0x8000'1008}};
    write();
    CHECK(read_text(folder.at("sig")) == "55667788\n11223344\n");
    image.symbols["end_signature"] = 0x8000'0fff;
    CHECK_FALSE(complaint_of(write).empty());
    image.symbols["end_signature"] = ~u64{0};
    CHECK_FALSE(complaint_of(write).empty());
}
