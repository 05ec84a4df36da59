// hartline image: what it makes, finds and refuses, beside qemu-img.
#include <nlohmann/json.hpp>

#include <iostream>
#include <sstream>

#include "frontend/cli/options.hpp"
#include "frontend/cli/verbs.hpp"
#include "frontend/image/operations.hpp"
#include "frontend/session/disk.hpp"
#include "support.hpp"
#include "tests/devices/image_support.hpp"

using namespace hartline;
using test::complaint_of;
using test::Folder;
using test::shell;

namespace {
struct Outcome {
    int code = 0;
    std::string text;
};

Outcome image(const std::vector<std::string>& arguments) {
    std::ostringstream out;
    std::streambuf* const before = std::cout.rdbuf(out.rdbuf());
    Outcome outcome;
    try {
        outcome.code = verb_image(arguments);
    } catch (...) {
        std::cout.rdbuf(before);
        throw;
    }
    std::cout.rdbuf(before);
    outcome.text = out.str();
    return outcome;
}
std::string complaint(const std::vector<std::string>& arguments) {
    return complaint_of([&] { (void)image(arguments); });
}
bool says(const std::string& text, const std::string& part) {
    INFO(text);
    return text.find(part) != std::string::npos;
}

nlohmann::json ours(const std::vector<std::string>& arguments) {
    return nlohmann::json::parse(image(arguments).text);
}
nlohmann::json theirs(const Folder& folder, const std::string& command) {
    const std::string out = folder.at("theirs.json");
    REQUIRE(shell("true; " + command + " > " + out));
    const auto bytes = test::contents(out);
    return nlohmann::json::parse(bytes.begin(), bytes.end());
}

// QEMU before 8.2 does not tell which clusters are compressed.
nlohmann::json without_compressed(nlohmann::json map) {
    for (auto& entry : map) entry.erase("compressed");
    return map;
}

// A chain of two with data, zeroes, compressed clusters and holes in both.
struct Chain {
    Folder folder;
    std::string base = folder.at("base.qcow2"), top = folder.at("top.qcow2");
    Chain() {
        REQUIRE(image({"create", base, "8M"}).code == 0);
        REQUIRE(shell(
            "qemu-io -f qcow2 -c 'write -P 1 0 3M' -c 'write -z 1M 128k' -c 'write -c -P 2 4M 64k' " + base));
        REQUIRE(image({"create", top, "--backing", "base.qcow2", "--cluster-size", "16K"}).code == 0);
        REQUIRE(shell(
            "qemu-io -f qcow2 -c 'write -P 3 100k 300k' -c 'discard 2M 256k' -c 'write -P 4 7M 70k' " + top));
    }
    bool same(const std::string& a, const std::string& b, const char* format) const {
        return shell("qemu-img compare -f qcow2 -F " + std::string(format) + " " + a + " " + b);
    }
};
}  // namespace

TEST_CASE("image_info_check_and_map_say_what_qemu_img_says", "[image]") {
    if (test::lacks_qemu()) return;
    const Chain chain;
    for (const std::string& path : {chain.base, chain.top}) {
        const std::string json = " -f qcow2 --output json " + path;
        CHECK(ours({"check", path, "--json"}) == theirs(chain.folder, "qemu-img check" + json));
        CHECK(without_compressed(ours({"map", path, "--json"})) ==
              without_compressed(theirs(chain.folder, "qemu-img map" + json)));
        auto info = theirs(chain.folder, "qemu-img info" + json);
        CHECK(ours({"info", path, "--json"}) == info);
    }
    CHECK(says(image({"info", chain.top}).text, "backing file: base.qcow2 (" + chain.base + ")"));
    CHECK(says(image({"check", chain.top}).text, "No errors were found"));
}

TEST_CASE("image_convert_keeps_every_byte", "[image]") {
    if (test::lacks_qemu()) return;
    const Chain chain;
    const std::string raw = chain.folder.at("out.img"), qcow2 = chain.folder.at("out.qcow2");
    CHECK(image({"convert", chain.top, raw}).code == 0);
    CHECK(chain.same(chain.top, raw, "raw"));
    const std::vector<std::vector<std::string>> ways{
        {},
        {"--compress"},
        {"--compress", "--compression", "zstd", "--cluster-size", "4K"},
        {"--extended-l2", "--cluster-size", "64K"},
        {"--version", "2", "--cluster-size", "512"},
        {"--refcount-bits", "1"}};
    for (const auto& way : ways) {
        std::vector<std::string> arguments{"convert", chain.top, qcow2, "--force"};
        arguments.insert(arguments.end(), way.begin(), way.end());
        CHECK(image(arguments).code == 0);
        CHECK(shell("qemu-img check -f qcow2 " + qcow2));
        CHECK(chain.same(chain.top, qcow2, "qcow2"));
    }
    CHECK(image({"convert", qcow2, raw, "--force"}).code == 0);
    CHECK(chain.same(chain.top, raw, "raw"));
}

TEST_CASE("image_commit_moves_an_overlay_into_its_backing_file", "[image]") {
    if (test::lacks_qemu()) return;
    const Chain chain;
    const std::string raw = chain.folder.at("before.img");
    CHECK(image({"resize", chain.top, "+1M"}).code == 0);
    CHECK(image({"convert", chain.top, raw}).code == 0);
    CHECK(image({"commit", chain.top, "--keep"}).code == 0);
    CHECK(chain.same(chain.base, raw, "raw"));
    CHECK(image({"commit", chain.top}).code == 0);
    CHECK(chain.same(chain.base, raw, "raw"));
    CHECK(chain.same(chain.top, raw, "raw"));
    CHECK(ours({"check", chain.top, "--json"})["allocated-clusters"] == 0);
    CHECK(shell("qemu-img check -f qcow2 " + chain.top + " && qemu-img check -f qcow2 " + chain.base));
    CHECK(says(complaint({"commit", chain.base}), "has no backing file"));
}

TEST_CASE("image_resize_wants_to_be_told_twice_before_it_loses_data", "[image]") {
    const Folder folder;
    const std::string path = folder.at("disk.qcow2");
    CHECK(image({"create", path, "1G"}).code == 0);
    CHECK(image({"resize", path, "+64G"}).text == path + ": 1G -> 65G\n");
    CHECK(says(complaint({"resize", path, "-1G"}), "--shrink"));
    CHECK(image({"resize", path, "-1G", "--shrink"}).text == path + ": 65G -> 64G\n");
    CHECK(says(complaint({"resize", path, "-65G", "--shrink"}), "cannot be taken"));
    CHECK(image({"check", path}).code == 0);
}

TEST_CASE("image_check_repairs_what_it_finds", "[image]") {
    const Folder folder;
    const std::string path = folder.at("disk.qcow2");
    CHECK(image({"create", path, "1M", "--cluster-size", "512"}).code == 0);
    auto bytes = test::contents(path);
    const u64 table = qcow2::get_be64(&bytes[48]), block = qcow2::get_be64(&bytes[table]);
    bytes[block + 2 * 100 + 1] = 1;  // nobody uses cluster 100
    test::save(path, bytes);
    CHECK(image({"check", path}).code == 3);
    CHECK(image({"check", path, "--repair", "leaks"}).code == 0);
    CHECK(image({"check", path}).code == 0);
    bytes[block + 1] = 0;  // nor counts the header
    test::save(path, bytes);
    CHECK(image({"check", path}).code == 2);
    CHECK(image({"check", path, "--repair", "leaks"}).code == 2);
    CHECK(image({"check", path, "--repair", "all"}).code == 0);
    CHECK(image({"check", path}).code == 0);
}

TEST_CASE("image_refuses_in_words_that_help", "[image]") {
    const Folder folder;
    const std::string path = folder.at("disk.qcow2"), raw = folder.at("disk.img");
    CHECK(says(complaint({"crate"}), "did you mean image create?"));
    CHECK(says(complaint({"create", path, "1G", "--cluster", "4K"}), "did you mean --cluster-size?"));
    // As with qemu-img.
    CHECK(says(complaint({"convert", "-O", "qcow2", path, path}), "did you mean --format?"));
    CHECK(says(complaint({"convert", "-f", "raw", path, path}), "did you mean --from-format?"));
    CHECK(says(complaint({"create", "-f", "raw", path, "1G"}), "did you mean --format?"));
    CHECK(says(complaint({"create", "-F", "raw", path, "1G"}), "did you mean --backing-format?"));
    CHECK(says(complaint({"info", "--output=json", path}), "did you mean --json?"));
    CHECK(says(complaint({"create", path}), "needs a size"));
    CHECK(says(complaint({"create", raw, "1G", "--cluster-size", "4K"}), "name it .qcow2"));
    CHECK(says(complaint({"create", path, "1G", "--cluster-size", "3K"}), "power of two"));
    CHECK(says(complaint({"create", path, "1G", "--cluster-size", "4K", "--extended-l2"}), "16 KiB"));
    CHECK_FALSE(std::filesystem::exists(path));
    CHECK(image({"create", raw, "1M"}).code == 0);
    CHECK(std::filesystem::file_size(raw) == 1 << 20);
    CHECK(says(complaint({"create", raw, "1M"}), "--force"));
    CHECK(says(complaint({"check", raw}), "nothing to check"));
    CHECK(says(complaint({"info", folder.at("none")}), "no such file"));
    CHECK(says(image({"create", "--help"}).text, "--refcount-bits"));
}

TEST_CASE("an_image_is_never_its_own_backing_file", "[image]") {
    const test::Folder folder;
    const std::string base = folder.at("base.qcow2"), top = folder.at("top.qcow2");
    CHECK(image({"create", base, "1M"}).code == 0);
    CHECK(image({"create", top, "--backing", "base.qcow2"}).code == 0);
    const std::string before = test::read_text(base);
    for (const char* const behind : {"base.qcow2", "top.qcow2"})
        CHECK(says(complaint({"create", base, "--backing", behind, "--force"}),
                   "would be its own backing file: choose another name"));
    CHECK(test::read_text(base) == before);
    CHECK(image({"create", top, "--backing", "base.qcow2", "--force"}).code == 0);
}

TEST_CASE("disk_options_are_read_and_written_again", "[frontend]") {
    const DiskConfig disk = parse_disk("a,b.img,ro,format=qcow2,backing=any");
    CHECK(disk.path == "a,b.img");
    CHECK(disk.read_only);
    CHECK(disk.format == ImageFormat::Qcow2);
    CHECK(disk.backing == BackingNames::Anywhere);
    CHECK(parse_disk(disk_text(disk)) == disk);
    for (const char* name : {"x.img", "x,ro", "x,format=raw", "x,backing=any,format=qcow2,rw", "a,b,"}) {
        CHECK(parse_disk(disk_text({name})) == DiskConfig{name});
        CHECK(parse_disk(disk_text({name, true, ImageFormat::Raw})) ==
              DiskConfig{name, true, ImageFormat::Raw});
    }
    CHECK(says(complaint_of([] { (void)parse_disk("x,format=vdi"); }), "choose raw or qcow2"));
    CHECK(says(complaint_of([] { (void)parse_disk("x,backing=some"); }), "beneath, any or none"));
    CHECK(says(complaint_of([] { (void)parse_disk(",ro"); }), "names no file"));
}

TEST_CASE("image_tells_which_option_a_raw_image_cannot_have", "[image]") {
    const Folder folder;
    const std::string from = folder.at("a.img"), to = folder.at("b.img");
    REQUIRE(image({"create", from, "1M"}).code == 0);
    CHECK(
        says(complaint({"convert", from, to, "--compress"}), "would be raw, which --compress cannot change"));
    CHECK(says(complaint({"create", to, "1M", "--extended-l2"}), "--extended-l2"));
    CHECK(says(complaint({"create", to, "1M", "--lazy-refcounts"}), "--lazy-refcounts"));
    CHECK_FALSE(std::filesystem::exists(to));
}

TEST_CASE("image_convert_on_a_full_host_names_the_file", "[image]") {
    const Folder folder;
    const std::string from = folder.at("a.img"), to = folder.at("b.qcow2");
    test::save(from, std::vector<u8>(1 << 20, 1));
    const test::FileLimit full(500'000);
    CHECK_THROWS_WITH(image({"convert", from, to, "--quiet"}), Catch::StartsWith(to + ": "));
    CHECK_THROWS_AS(image({"convert", from, to, "--quiet"}), HostError);
    CHECK_FALSE(std::filesystem::exists(to));
}

TEST_CASE("the_command_that_merges_an_overlay_works", "[image]") {
    const Folder folder, elsewhere;
    const std::string disk = folder.at("a.img"), overlay = elsewhere.at("changes.qcow2");
    REQUIRE(image({"create", disk, "1M"}).code == 0);
    const DiskConfig config = parse_disk(disk + ",overlay=" + overlay);
    const std::vector<u8> sector(512, 7);
    REQUIRE(open_disk(config)->write(0, sector));
    CHECK(says(overlay_notice(config), "(hartline image commit " + overlay + " --from-backing any merges"));
    CHECK(says(complaint({"commit", overlay, "--quiet"}), "--from-backing any"));
    CHECK(image({"commit", overlay, "--from-backing", "any", "--quiet"}).code == 0);
    CHECK(test::contents(disk)[0] == 7);
    const DiskConfig beside = parse_disk(disk + ",overlay=" + folder.at("of a.qcow2"));
    CHECK(says(overlay_notice(beside), "(hartline image commit '" + folder.at("of a.qcow2") + "' merges"));
}
