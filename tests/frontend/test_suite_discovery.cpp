// Which tests there are, in which order, and which of them are whose; and the command line of it all.
#include <iostream>
#include <sstream>

#include "frontend/cli/test_options.hpp"
#include "frontend/cli/verbs.hpp"
#include "programs.hpp"

using namespace hartline;
using namespace hartline::test;

namespace {
std::vector<std::string> names(const std::vector<TestFile>& tests) {
    std::vector<std::string> all;
    for (const TestFile& test : tests) all.push_back(test.name);
    return all;
}
std::vector<TestFile> find(const std::vector<std::string>& paths) { return find_tests(paths); }

struct Suite {
    Folder folder;
    Suite() {
        std::filesystem::create_directory(folder.at("F"));
        std::filesystem::create_directory(folder.at("D"));
        const auto pass = elf_of(finish_program(0x5555));
        folder.file("F/add.d-01.elf", pass);
        folder.file("D/add.d-01.elf", pass);
        folder.file("rv64ui-p-add", pass);
        folder.file("rv64ui-p-add.dump", std::string("text"));
        auto foreign = pass;
        put(foreign, 18, u16{62});  // e_machine: x86-64
        folder.file("host", foreign);
        folder.file("cut.elf", std::span(pass).first(30));
    }
};

// The verb, without its table.
int verb(const std::vector<std::string>& arguments) {
    std::ostringstream table;
    auto* const before = std::cout.rdbuf(table.rdbuf());
    const int code = verb_test(arguments);
    std::cout.rdbuf(before);
    return code;
}
std::string complaint(std::vector<std::string> arguments) {
    return complaint_of([&] { (void)verb_test(arguments); });
}
}  // namespace

TEST_CASE("suites_are_folders_files_and_globs", "[frontend][suite]") {
    const Suite suite;
    const auto all = find({suite.folder.at("")});
    CHECK(names(all) == std::vector<std::string>{"D/add.d-01", "F/add.d-01", "cut", "rv64ui-p-add"});
    CHECK(all[0].group == "D");
    CHECK(all[3].group == "rv64ui-p");
    CHECK(names(find({suite.folder.at("F")})) == std::vector<std::string>{"add.d-01"});
    CHECK(find({suite.folder.at("F")})[0].group == "F");
    CHECK(names(find({suite.folder.at("F/add.d-01.elf"), suite.folder.at("F")})).size() == 1);
    CHECK(names(find({suite.folder.at("r*add")})) == std::vector<std::string>{"rv64ui-p-add"});
    const auto same = find({suite.folder.at("F"), suite.folder.at("D")});
    REQUIRE(same.size() == 2);
    CHECK(same[0].name == suite.folder.at("D/add.d-01"));
    CHECK(complaint_of([&] { (void)find({"/nowhere"}); }) ==
          "/nowhere: is not there: name an ELF file, a folder of them or a glob");
    CHECK(complaint_of([&] { (void)find({"/nowhere/*"}); }) ==
          "/nowhere/*: matches no file: check the pattern");
    std::filesystem::create_directory(suite.folder.at("empty"));
    CHECK(complaint_of([&] { (void)find({suite.folder.at("empty")}); }).find("holds no ELF file") !=
          std::string::npos);
}

TEST_CASE("shards_have_each_test_once", "[frontend][suite]") {
    std::vector<TestFile> tests;
    for (int i = 0; i < 17; ++i) tests.push_back({std::string(1, static_cast<char>('a' + i)), "", ""});
    std::vector<std::string> seen;
    for (unsigned i = 1; i <= 4; ++i)
        for (const auto& name : names(part(tests, {i, 4}))) seen.push_back(name);
    std::sort(seen.begin(), seen.end());
    CHECK(seen == names(tests));
    CHECK(part(tests, parse_shard("20/20")).empty());
    for (const char* bad : {"", "1", "0/4", "5/4", "1/0", "-1/4", "1/4x", "a/b"})
        CHECK(complaint_of([&] { (void)parse_shard(bad); }).find("is no shard: write for example 1/4") !=
              std::string::npos);
    CHECK(names(filter(tests, std::vector<std::string>{"b", "q"})) == std::vector<std::string>{"b", "q"});
}

TEST_CASE("suite_options_are_checked", "[frontend][suite]") {
    const std::vector<std::string> given{"a",
                                         "b",
                                         "--only=x",
                                         "--only",
                                         "y",
                                         "--jobs=3",
                                         "--shard=2/3",
                                         "--timeout=1.5",
                                         "--harts=2",
                                         "--memory=64M",
                                         "--ad-bits",
                                         "fault",
                                         "--pmp-entries=64",
                                         "--max-instructions=5M"};
    const TestRequest request = parse_test(given);
    CHECK(request.paths == std::vector<std::string>{"a", "b"});
    CHECK(request.only == std::vector<std::string>{"x", "y"});
    CHECK(request.plan.jobs == 3);
    CHECK(request.plan.timeout == 1.5);
    CHECK(request.shard.index == 2);
    CHECK(request.plan.config.deterministic);
    CHECK(request.plan.config.harts == 2);
    CHECK(request.plan.config.memory == u64{64} << 20);
    CHECK_FALSE(request.plan.config.hardware_ad);
    CHECK(request.plan.config.pmp_entries == 64);
    CHECK(request.plan.config.max_instructions == 5'000'000);
    CHECK(complaint({"a", "--job=3"}) == "test: unknown option '--job': did you mean --jobs?");
    CHECK(complaint({"a", "--jobs=0"}) == "--jobs: '0' cannot be: choose 1 to 1024");
    for (const char* bad : {"--timeout=0", "--timeout=-1", "--timeout=x", "--timeout=nan", "--timeout=inf"})
        CHECK(complaint({"a", bad}).find("is no time: write seconds") != std::string::npos);
    CHECK(complaint({"a", "--harts=0"}) == "--harts: 0 cannot be: choose between 1 and 64");
    CHECK(complaint({"a", "--reference=/nowhere"}).find("--reference: '/nowhere' is no folder") == 0);
    CHECK(complaint({}).find("test: no tests given") == 0);
}

TEST_CASE("the_verb_says_by_its_exit_code_what_passed", "[frontend][suite]") {
    const Suite suite;
    const std::string good = suite.folder.at("F");
    const std::string junit = suite.folder.at("r.xml"), json = suite.folder.at("r.json");
    CHECK(verb({good, "--memory=16M", "--junit", junit, "--json", json}) == 0);
    CHECK(read_text(junit).find("name=\"add.d-01\"") != std::string::npos);
    CHECK(read_text(json).find("\"verdict\": \"passed\"") != std::string::npos);
    CHECK(verb({suite.folder.at(""), "--memory=16M"}) == 1);  // one is cut off
    CHECK(verb({good, "--shard=2/2"}) == 0);
    suite.folder.file("F/add.d-01.expect", std::string("expect exit=1\n"));
    CHECK(verb({good, "--memory=16M"}) == 1);
    suite.folder.file("F/add.d-01.expect", std::string("\nexpect exits=1\n"));
    CHECK(complaint({good}).find("add.d-01.expect:2: 'exits' is unknown") != std::string::npos);
    CHECK(complaint({suite.folder.at(""), "--signature=s"}).find("is for one test, and these are 4") !=
          std::string::npos);
    CHECK(complaint({good, "--only=nothing"}).find("--only: no test has this in its name") == 0);
}
