// Random requests to a shared folder: against the same done directly in a twin of it, and without any sense.
#include <catch2/catch.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <map>
#include <random>

#include "tests/devices/ninep_fuzz.hpp"

using namespace hartline;
using namespace hartline::test;
namespace fs = std::filesystem;

namespace {
// Everything of a tree that a program can see, but times and numbers of inodes.
std::map<std::string, std::string> picture(const fs::path& top) {
    std::map<std::string, std::string> seen;
    for (const auto& entry : fs::recursive_directory_iterator(top)) {
        struct stat status {};
        ::lstat(entry.path().c_str(), &status);
        std::string text = std::to_string(status.st_mode) + " " + std::to_string(status.st_nlink);
        if (entry.is_symlink())
            text += fs::read_symlink(entry.path()).string();
        else if (entry.is_regular_file()) {
            std::ifstream in(entry.path());
            text += std::string(std::istreambuf_iterator<char>(in), {});
        }
        seen[entry.path().lexically_relative(top).string()] = text;
    }
    return seen;
}

// The two sides of each operation. Errors are told as numbers, 0: none.
struct Twins {
    Folder shared, twin;
    NinepClient guest{shared.path, false, 32};
    std::mt19937_64 random;

    explicit Twins(u64 seed) : random(seed) {}
    std::string name() { return std::string(1, static_cast<char>('a' + random() % 5)); }
    std::vector<std::string> way() {
        std::vector<std::string> names;
        for (u64 depth = random() % 3; depth != 0; --depth) names.push_back(name());
        return names;
    }
    fs::path path(const std::vector<std::string>& names) const {
        fs::path all = twin.path;
        for (const auto& one : names) all /= one;
        return all;
    }
    static u32 told(long result) { return result < 0 ? static_cast<u32>(errno) : 0; }
    // A direct operation as a server that follows no link on the way does it.
    bool reachable(const std::vector<std::string>& names) const {
        fs::path at = twin.path;
        for (const auto& one : names)
            if (at /= one; !fs::is_directory(fs::symlink_status(at))) return false;
        return true;
    }
    void step();
    void in_folder(const std::vector<std::string>& names, const fs::path& at, u64 which);
    void on_file(const std::vector<std::string>& names, const fs::path& at, u64 which);
};

void Twins::in_folder(const std::vector<std::string>& names, const fs::path& at, u64 which) {
    const std::string one = name();
    const u32 mode = static_cast<u32>(random() % 512) | 0700;
    const fs::path direct = at / one;
    switch (which) {
        case 0: {
            const u32 direct_error = told(::mkdir(direct.c_str(), 0700));
            if (direct_error == 0) ::chmod(direct.c_str(), mode);
            REQUIRE(guest.mkdir(1, one, mode) == direct_error);
            break;
        }
        case 1: REQUIRE(guest.unlinkat(1, one, true) == told(::rmdir(direct.c_str()))); break;
        case 2: REQUIRE(guest.unlinkat(1, one) == told(::unlink(direct.c_str()))); break;
        case 3: {
            const std::string target = way().empty() ? "/x" : "a/" + name();
            REQUIRE(guest.symlink(1, one, target) == told(::symlink(target.c_str(), direct.c_str())));
            break;
        }
        case 4: {
            const auto other = way();
            const std::string to = name();
            if (!reachable(other)) break;
            REQUIRE(guest.walk(0, 2, other) == 0);
            REQUIRE(guest.renameat(1, one, 2, to) ==
                    told(::rename(direct.c_str(), (path(other) / to).c_str())));
            guest.clunk(2);
            break;
        }
        default: {
            const int fd = ::open(direct.c_str(), O_CREAT | O_EXCL | O_RDWR, 0600);
            const u32 error = told(fd);
            if (fd >= 0) ::fchmod(fd, mode), ::close(fd);
            REQUIRE(guest.walk(1, 2) == 0);
            REQUIRE(guest.create(2, one, 2 | 0200, mode) == error);
            guest.clunk(2);
        }
    }
    (void)names;
}

void Twins::on_file(const std::vector<std::string>& names, const fs::path& at, u64 which) {
    const mode_t kind = fs::is_regular_file(fs::symlink_status(at)) ? S_IFREG : 0;
    const u64 offset = random() % 3000;
    const std::string bytes(random() % 2000, static_cast<char>('A' + random() % 26));
    if (which == 0 && kind == S_IFREG) {
        REQUIRE(guest.open(1, 1) == 0);
        REQUIRE(guest.write(1, offset, bytes) == 0);
        const int fd = ::open(at.c_str(), O_WRONLY);
        REQUIRE(::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset)) ==
                static_cast<ssize_t>(bytes.size()));
        ::close(fd);
    } else if (which == 1 && kind == S_IFREG) {
        REQUIRE(guest.setattr(1, 8, 0, offset) == told(::truncate(at.c_str(), static_cast<off_t>(offset))));
    } else if (which == 2 && !fs::is_symlink(at)) {
        const u32 mode = static_cast<u32>(random() % 512) | 0700;
        REQUIRE(guest.setattr(1, 1, mode, 0) == told(::chmod(at.c_str(), mode)));
    } else if (which == 3 && names.size() == 1 && kind == S_IFREG) {
        const std::string to = name();
        REQUIRE(guest.link(0, 1, to) == told(::link(at.c_str(), (twin.path / to).c_str())));
    } else if (kind == S_IFREG) {
        REQUIRE(guest.open(1, 0) == 0);
        REQUIRE(guest.read(1, 0, 60000) == 0);
        std::ifstream in(at);
        REQUIRE(guest.data() == std::string(std::istreambuf_iterator<char>(in), {}));
    }
}

void Twins::step() {
    const auto names = way();
    const fs::path at = path(names);
    const u64 which = random() % 12;
    if (which < 6 && reachable(names)) {
        REQUIRE(guest.walk(0, 1, names) == 0);
        in_folder(names, at, which);
    } else if (which >= 6) {
        auto above = names;
        if (!above.empty()) above.pop_back();
        const bool there = reachable(above) && fs::exists(fs::symlink_status(at));
        REQUIRE((guest.walk(0, 1, names) == 0) == there);
        if (there) on_file(names, at, which - 6);
    }
    guest.clunk(1);
}
}  // namespace

TEST_CASE("share: random operations do what they do in a twin of the folder", "[share]") {
    for (u64 seed = 0; seed < 20; ++seed) {
        INFO("seed " << seed);
        Twins twins(seed);
        for (int i = 0; i < 500; ++i) {
            twins.step();
            if (i % 100 == 99) REQUIRE(picture(twins.shared.path) == picture(twins.twin.path));
        }
    }
}

TEST_CASE("CVE-2023-6693: requests without sense are answered and do no harm", "[share]") {
    std::mt19937_64 random(9);
    constexpr u8 kTypes[] = {8,  12, 14, 16, 18, 20,  22,  24,  26,  30,  32,  40,  50,  52,
                             54, 70, 72, 74, 76, 100, 102, 104, 108, 110, 116, 118, 120, 122};
    for (int game = 0; game < 400; ++game) {
        share::Writer input;
        for (u64 messages = random() % 40; messages != 0; --messages) {
            share::Writer one;
            one.number<u32>(0);
            one.number<u8>(random() % 16 == 0 ? static_cast<u8>(random())
                                              : kTypes[random() % std::size(kTypes)]);
            one.number<u16>(static_cast<u16>(random()));
            one.number<u32>(static_cast<u32>(random() % 5));
            for (u64 parts = random() % 9; parts != 0; --parts) switch (random() % 6) {
                    case 0: one.number<u64>(random() >> (random() % 64)); break;
                    case 1: one.number<u32>(static_cast<u32>(random() % 8)); break;
                    case 2: one.number<u32>(~u32{0}); break;
                    case 3: one.number<u16>(static_cast<u16>(random() % 4)); break;
                    default: one.text(random() % 2 == 0 ? "file" : "folder");
                }
            one.patch(0, static_cast<u32>(random() % 16 == 0 ? random() : one.size()));
            input.number(static_cast<u16>(one.size()));
            const auto bytes = one.take();
            std::memcpy(input.room(bytes.size()).data(), bytes.data(), bytes.size());
        }
        fuzz_ninep(input.take());
    }
}
