// Which tests there are: from files, folders and globs to a list in an order that no host changes.
#pragma once
#include <span>
#include <string>
#include <vector>

namespace hartline {

struct TestFile {
    std::string name;   // unique: the path inside the folder that was given, without .elf: "F/fadd_b1-01"
    std::string group;  // for summaries: "F"; of riscv-tests "rv64ui-p"
    std::string path;
};

// The ELF programs for RISC-V under each path (folders are searched to their depths, other files in them
// passed over), sorted by name. Throws InputError for a path or glob that names nothing.
std::vector<TestFile> find_tests(std::span<const std::string> paths);
// Those with one of `only` in their name; all if `only` is empty.
std::vector<TestFile> filter(std::vector<TestFile> tests, std::span<const std::string> only);

struct Shard {
    unsigned index = 1, count = 1;  // 1 ≤ index ≤ count
};
Shard parse_shard(const std::string& text);  // "2/8"; throws InputError
// Every count-th test from the index-th on: the shards of a list have each of its tests once.
std::vector<TestFile> part(const std::vector<TestFile>& tests, Shard shard);
}  // namespace hartline
