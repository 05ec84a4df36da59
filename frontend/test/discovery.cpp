// Finding test programs.
#include "frontend/test/discovery.hpp"

#include <elf.h>
#include <glob.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "frontend/session/errors.hpp"

namespace hartline {
namespace {
namespace fs = std::filesystem;

// A folder's programs are those that start like an ELF file and do not say that they are for another machine,
// or not linked. What is cut off stays, and is reported when it is run.
bool looks_like_a_test(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    Elf64_Ehdr header{};
    in.read(reinterpret_cast<char*>(&header), sizeof header);
    if (in.gcount() < SELFMAG || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) return false;
    constexpr std::streamsize kKnown = offsetof(Elf64_Ehdr, e_version);  // the same in ELF32 so far
    return in.gcount() < kKnown || (header.e_machine == EM_RISCV && header.e_type != ET_REL);
}

std::string stem(const fs::path& path) {  // amoadd.d-01.elf: only .elf is no part of a name
    return (path.extension() == ".elf" ? path.parent_path() / path.stem() : path).string();
}

// rv64ui-p-add is of rv64ui-p.
std::string group_of(const std::string& name, const fs::path& folder) {
    const fs::path inside = fs::path(name).parent_path();
    if (!inside.empty()) return inside.string();
    for (const char* environment : {"-p-", "-v-", "-pm-", "-pt-"})
        if (const std::size_t at = name.find(environment); at != std::string::npos)
            return name.substr(0, at + std::strlen(environment) - 1);
    return folder.filename().empty() ? folder.parent_path().filename().string() : folder.filename().string();
}

std::vector<std::string> expand(const std::string& pattern) {
    std::error_code ignored;
    if (fs::exists(pattern, ignored)) return {pattern};
    if (pattern.find_first_of("*?[") == std::string::npos)
        throw InputError(pattern, "is not there", "name an ELF file, a folder of them or a glob");
    glob_t found{};
    const int failed = ::glob(pattern.c_str(), GLOB_TILDE, nullptr, &found);
    std::vector<std::string> paths;
    for (std::size_t i = 0; failed == 0 && i < found.gl_pathc; ++i) paths.emplace_back(found.gl_pathv[i]);
    ::globfree(&found);
    if (paths.empty()) throw InputError(pattern, "matches no file", "check the pattern");
    return paths;
}

class Finder {
public:
    void add(const std::string& path) {
        std::error_code ignored;
        if (fs::is_directory(path, ignored)) return add_folder(path);
        add_file(path, stem(fs::path(path).filename()), fs::absolute(path).parent_path());
    }

    std::vector<TestFile> take() {
        std::map<std::string, unsigned> uses;
        for (const TestFile& test : tests_) ++uses[test.name];
        for (TestFile& test : tests_)
            if (uses[test.name] > 1) test.name = stem(test.path);
        std::sort(tests_.begin(), tests_.end(),
                  [](const TestFile& a, const TestFile& b) { return a.name < b.name; });
        return std::move(tests_);
    }

private:
    void add_folder(const std::string& folder) {
        bool any = false;
        std::error_code error;
        const auto options = fs::directory_options::skip_permission_denied;
        for (fs::recursive_directory_iterator at(folder, options, error), end; !error && at != end;
             at.increment(error)) {
            std::error_code ignored;
            if (!at->is_regular_file(ignored) || !looks_like_a_test(at->path())) continue;
            any = true;
            add_file(at->path().string(), stem(at->path().lexically_relative(folder)),
                     fs::absolute(folder).lexically_normal());
        }
        if (error) throw InputError(folder, error.message(), "check its permissions");
        if (!any) throw InputError(folder, "holds no ELF file for RISC-V", "name the folder of the tests");
    }

    void add_file(const std::string& path, const std::string& name, const fs::path& folder) {
        std::error_code ignored;
        if (seen_.insert(fs::canonical(path, ignored).string()).second)
            tests_.push_back({name, group_of(name, folder), fs::path(path).lexically_normal().string()});
    }

    std::vector<TestFile> tests_;
    std::set<std::string> seen_;  // a file that is named twice is one test
};
}  // namespace

std::vector<TestFile> find_tests(std::span<const std::string> paths) {
    Finder finder;
    for (const std::string& pattern : paths)
        for (const std::string& path : expand(pattern)) finder.add(path);
    return finder.take();
}

std::vector<TestFile> filter(std::vector<TestFile> tests, std::span<const std::string> only) {
    const auto unwanted = [&](const TestFile& test) {
        return std::none_of(only.begin(), only.end(), [&](const std::string& text) {
            return test.name.find(text) != std::string::npos;
        });
    };
    if (!only.empty()) std::erase_if(tests, unwanted);
    return tests;
}

Shard parse_shard(const std::string& text) {
    Shard shard;
    const char* const end = text.data() + text.size();
    const auto [slash, bad_index] = std::from_chars(text.data(), end, shard.index);
    bool good = bad_index == std::errc() && slash != end && *slash == '/';
    if (good) {
        const auto [stop, bad_count] = std::from_chars(slash + 1, end, shard.count);
        good = bad_count == std::errc() && stop == end;
    }
    if (!good || shard.index < 1 || shard.index > shard.count)
        throw InputError("--shard", "'" + text + "' is no shard", "write for example 1/4, 2/4, 3/4, 4/4");
    return shard;
}

std::vector<TestFile> part(const std::vector<TestFile>& tests, Shard shard) {
    std::vector<TestFile> mine;
    for (std::size_t i = shard.index - 1; i < tests.size(); i += shard.count) mine.push_back(tests[i]);
    return mine;
}
}  // namespace hartline
