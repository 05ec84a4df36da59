// A shared folder by 9P2000.L: what each request does, and what none can do.
#include <catch2/catch.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>

#include "devices/share/linux_errno.hpp"
#include "tests/devices/ninep_client.hpp"

using namespace hartline;
using namespace hartline::test;
namespace fs = std::filesystem;

namespace {
constexpr u32 kReadWrite = 2, kWriteOnly = 1, kFolderFlag = 0200000;
mode_t mode_of(const fs::path& path) {
    struct stat status {};
    return ::lstat(path.c_str(), &status) == 0 ? status.st_mode : 0;
}
}  // namespace

TEST_CASE("share: files are created, written, read, truncated and removed", "[share]") {
    Folder folder;
    NinepClient guest(folder.path);
    REQUIRE(guest.walk(0, 1) == 0);
    REQUIRE(guest.create(1, "file", kReadWrite, 0640) == 0);
    CHECK(guest.write(1, 0, "hello, host") == 0);
    CHECK(folder.read("file") == "hello, host");
    CHECK((mode_of(folder.path / "file") & 07777) == 0640);
    CHECK(guest.read(1, 7, 100) == 0);
    CHECK(guest.data() == "host");
    CHECK(guest.ask(share::kTfsync, u32{1}, u32{0}) == 0);
    CHECK(guest.setattr(1, 8, 0, 5) == 0);
    CHECK(folder.read("file") == "hello");
    CHECK(guest.setattr(1, 1, 0600, 0) == 0);
    CHECK(guest.status(1).mode == (S_IFREG | 0600));
    CHECK(guest.clunk(1) == 0);
    CHECK(guest.clunk(1) == EBADF);
    CHECK(guest.unlinkat(0, "file") == 0);
    CHECK_FALSE(fs::exists(folder.path / "file"));
    CHECK(guest.unlinkat(0, "file") == ENOENT);
}

TEST_CASE("share: an unlinked file that is open lives on", "[share]") {
    Folder folder;
    NinepClient guest(folder.path, false, 32);
    REQUIRE(guest.walk(0, 1) == 0);
    REQUIRE(guest.create(1, "gone", kReadWrite) == 0);
    REQUIRE(guest.unlinkat(0, "gone") == 0);
    CHECK(guest.write(1, 0, "still here") == 0);
    CHECK(guest.read(1, 0, 100) == 0);
    CHECK(guest.data() == "still here");
    CHECK(guest.status(1).links == 0);
    CHECK(guest.setattr(1, 8, 0, 3) == 0);
    CHECK(guest.status(1).size == 3);
}

TEST_CASE("share: folders are made, listed in pieces, moved and removed", "[share]") {
    Folder folder;
    NinepClient guest(folder.path);
    REQUIRE(guest.mkdir(0, "deep", 0750) == 0);
    CHECK((mode_of(folder.path / "deep") & 07777) == 0750);
    REQUIRE(guest.walk(0, 1, {"deep"}) == 0);
    std::vector<std::string> made{".", ".."};
    for (int i = 0; i < 500; ++i) {
        made.push_back("a-rather-long-name-of-a-file-" + std::to_string(i));
        folder.file("deep/" + made.back(), "");
    }
    REQUIRE(guest.walk(1, 2) == 0);
    REQUIRE(guest.open(2, kFolderFlag) == 0);
    auto seen = guest.list(2, 500);
    std::sort(seen.begin(), seen.end());
    std::sort(made.begin(), made.end());
    CHECK(seen == made);
    CHECK(guest.ask(share::kTreaddir, u32{2}, u64{0}, u32{10}) == EINVAL);  // not one fits
    CHECK(guest.unlinkat(0, "deep", true) == ENOTEMPTY);
    CHECK(guest.unlinkat(0, "deep") == EISDIR);
    CHECK(guest.mkdir(0, "other") == 0);
    CHECK(guest.walk(0, 3, {"other"}) == 0);
    CHECK(guest.renameat(0, "deep", 3, "moved") == 0);
    CHECK(fs::exists(folder.path / "other/moved" / made.back()));
    CHECK(guest.renameat(0, "other", 3, "inside") == EINVAL);
    CHECK(guest.unlinkat(3, "moved", false) == EISDIR);
}

TEST_CASE("share: rename and remove by fid find the file where it went", "[share]") {
    Folder folder;
    folder.file("one", "1");
    NinepClient guest(folder.path);
    REQUIRE(guest.walk(0, 1, {"one"}) == 0);
    REQUIRE(guest.mkdir(0, "folder") == 0);
    REQUIRE(guest.walk(0, 2, {"folder"}) == 0);
    CHECK(guest.ask(share::kTrename, u32{1}, u32{2}, "two") == 0);
    CHECK(folder.read("folder/two") == "1");
    CHECK(guest.renameat(2, "two", 0, "three") == 0);
    CHECK(guest.ask(share::kTremove, u32{1}) == 0);
    CHECK_FALSE(fs::exists(folder.path / "three"));
    CHECK(guest.clunk(1) == EBADF);
    CHECK(guest.ask(share::kTremove, u32{2}) == 0);
    CHECK_FALSE(fs::exists(folder.path / "folder"));
    CHECK(guest.ask(share::kTremove, u32{0}) == EBUSY);
    CHECK(fs::exists(folder.path));
}

TEST_CASE("share: hard links, symbolic links and FIFOs", "[share]") {
    Folder folder;
    folder.file("file", "x");
    NinepClient guest(folder.path);
    REQUIRE(guest.walk(0, 1, {"file"}) == 0);
    CHECK(guest.link(0, 1, "twin") == 0);
    CHECK(guest.status(1).links == 2);
    REQUIRE(guest.walk(0, 2, {"twin"}) == 0);
    CHECK(guest.status(2).qid == guest.status(1).qid);
    CHECK(guest.symlink(0, "link", "../../etc/passwd") == 0);
    REQUIRE(guest.walk(0, 3, {"link"}) == 0);
    CHECK(guest.status(3).type == share::kQidLink);
    CHECK(guest.ask(share::kTreadlink, u32{3}) == 0);
    CHECK(share::Reader(guest.answer).text() == "../../etc/passwd");
    CHECK(guest.ask(share::kTreadlink, u32{1}) == EINVAL);
    CHECK(guest.link(0, 3, "twin-link") == 0);  // of the link, not of what it names
    CHECK(fs::is_symlink(folder.path / "twin-link"));
    CHECK(guest.mknod(0, "fifo", S_IFIFO | 0600) == 0);
    CHECK(S_ISFIFO(mode_of(folder.path / "fifo")));
    CHECK(guest.mknod(0, "plain", S_IFREG | 0604) == 0);
    CHECK(mode_of(folder.path / "plain") == (S_IFREG | 0604));
}

TEST_CASE("share: extended attributes of user., and no others", "[share]") {
    Folder folder;
    folder.file("file", "x");
    NinepClient guest(folder.path);
    const auto set = [&](const std::string& name, const std::string& value, u32 flags) {
        REQUIRE(guest.walk(0, 9, {"file"}) == 0);
        u32 error = guest.ask(share::kTxattrcreate, u32{9}, name, static_cast<u64>(value.size()), flags);
        if (error == 0 && !value.empty()) error = guest.write(9, 0, value);
        const u32 last = guest.clunk(9);
        return error != 0 ? error : last;
    };
    const auto get = [&](const std::string& name) -> std::string {
        REQUIRE(guest.walk(0, 8, {"file"}) == 0);
        const u32 error = guest.ask(share::kTxattrwalk, u32{8}, u32{9}, name);
        std::string value = "error " + std::to_string(error);
        if (error == 0 && guest.read(9, 0, 65536) == 0) value = guest.data();
        guest.clunk(8), guest.clunk(9);
        return value;
    };
    const u32 first = set("user.colour", "green", 0);
    if (first == EOPNOTSUPP) {
        WARN("the host's temporary folder has no extended attributes");
        return;
    }
    REQUIRE(first == 0);
    CHECK(get("user.colour") == "green");
    CHECK(get("") == std::string("user.colour\0", 12));
    CHECK(set("user.colour", "red", 1) == EEXIST);
    CHECK(set("user.colour", "", 2) == 0);  // as Linux removes
    CHECK(get("user.colour") == "error 61");
    CHECK(set("user.colour", "", 2) == share::linux_errno(ENODATA));
    CHECK(set("security.capability", "x", 0) == EOPNOTSUPP);
    CHECK(set("trusted.x", "x", 0) == EOPNOTSUPP);
    CHECK(get("security.selinux") == "error 95");
}

TEST_CASE("share: record locks of two processes", "[share]") {
    Folder folder;
    folder.file("file", "x");
    NinepClient guest(folder.path);
    REQUIRE(guest.walk(0, 1, {"file"}) == 0);
    REQUIRE(guest.walk(0, 2, {"file"}) == 0);
    const auto lock = [&](u32 fid, u8 type, u64 start, u64 length, u32 process) -> int {
        if (guest.ask(share::kTlock, fid, type, u32{0}, start, length, process, "guest") != 0) return -1;
        return guest.answer[0];
    };
    const auto blocker = [&](u8 type, u64 start, u64 length, u32 process) -> u32 {
        CHECK(guest.ask(share::kTgetlock, u32{1}, type, start, length, process, "guest") == 0);
        share::Reader in(guest.answer);
        const u8 found = in.number<u8>();
        in.bytes(16);
        const u32 holder = in.number<u32>();
        return found == share::kUnlock ? 0 : holder;
    };
    CHECK(lock(1, share::kWriteLock, 0, 100, 7) == share::kLockGranted);
    CHECK(lock(2, share::kReadLock, 50, 1, 8) == share::kLockBlocked);
    CHECK(blocker(share::kReadLock, 99, 0, 8) == 7);
    CHECK(blocker(share::kReadLock, 100, 0, 8) == 0);
    CHECK(lock(1, share::kUnlock, 40, 20, 7) == share::kLockGranted);  // a hole in the middle
    CHECK(lock(2, share::kWriteLock, 40, 20, 8) == share::kLockGranted);
    CHECK(blocker(share::kReadLock, 60, 1, 8) == 7);
    CHECK(lock(1, share::kReadLock, ~u64{0}, 2, 7) == -1);  // it wraps
    CHECK(guest.clunk(1) == 0);                             // takes its locks along
    CHECK(lock(2, share::kWriteLock, 0, 0, 8) == share::kLockGranted);
}

TEST_CASE("share: read-only lets nothing be changed", "[share]") {
    Folder folder;
    folder.file("file", "x");
    NinepClient guest(folder.path, true);
    REQUIRE(guest.walk(0, 1, {"file"}) == 0);
    CHECK(guest.open(1, kReadWrite) == EROFS);
    CHECK(guest.open(1, 01000) == EROFS);
    CHECK(guest.setattr(1, 8, 0, 0) == EROFS);
    CHECK(guest.create(0, "new", kReadWrite) == EROFS);
    CHECK(guest.mkdir(0, "new") == EROFS);
    CHECK(guest.symlink(0, "new", "x") == EROFS);
    CHECK(guest.mknod(0, "new", S_IFIFO) == EROFS);
    CHECK(guest.link(0, 1, "new") == EROFS);
    CHECK(guest.renameat(0, "file", 0, "new") == EROFS);
    CHECK(guest.unlinkat(0, "file") == EROFS);
    CHECK(guest.ask(share::kTxattrcreate, u32{1}, "user.x", u64{1}, u32{0}) == EROFS);
    CHECK(guest.ask(share::kTremove, u32{1}) == EROFS);
    CHECK(folder.read("file") == "x");
}

TEST_CASE("CVE-2016-7116: a name that is no name leads nowhere", "[share]") {
    Folder folder;
    fs::create_directory(folder.path / "share");
    folder.file("secret", "s");
    NinepClient guest(folder.path / "share");
    for (const std::string& name :
         {std::string(".."), std::string("."), std::string(""), std::string("../secret"), std::string("/etc"),
          std::string("a/b"), std::string("x\0y", 3)}) {
        INFO(name);
        CHECK(guest.walk(0, 1, {name}) == EINVAL);
        CHECK(guest.create(0, name, kReadWrite) == EINVAL);
        CHECK(guest.mkdir(0, name) == EINVAL);
        CHECK(guest.symlink(0, name, "x") == EINVAL);
        CHECK(guest.mknod(0, name, S_IFIFO) == EINVAL);
        CHECK(guest.unlinkat(0, name, true) == EINVAL);
        CHECK(guest.renameat(0, name, 0, "x") == EINVAL);
        CHECK(guest.renameat(0, "x", 0, name) == EINVAL);
    }
    CHECK(guest.walk(0, 1, {std::string(256, 'n')}) == EINVAL);
    CHECK(guest.mkdir(0, std::string(256, 'n')) == ENAMETOOLONG);
    CHECK(fs::directory_iterator(folder.path / "share") == fs::directory_iterator());
}

TEST_CASE("CVE-2016-9602: symbolic links are never followed", "[share]") {
    Folder folder;
    fs::create_directories(folder.path / "share/real");
    folder.file("secret", "s");
    fs::create_symlink(folder.path, folder.path / "share/out");
    fs::create_symlink(folder.path / "secret", folder.path / "share/file");
    fs::create_symlink("real", folder.path / "share/in");
    NinepClient guest(folder.path / "share");
    CHECK(guest.walk(0, 1, {"out", "secret"}) != 0);
    CHECK(guest.walk(0, 1, {"in", "x"}) != 0);
    REQUIRE(guest.walk(0, 2, {"out"}) == 0);
    CHECK(guest.open(2, 0) == ELOOP);
    CHECK(guest.walk(2, 3, {"secret"}) == ENOTDIR);
    CHECK(guest.create(2, "planted", kReadWrite) == ENOTDIR);
    CHECK(guest.mkdir(2, "planted") == ENOTDIR);
    CHECK(guest.create(0, "file", kWriteOnly | 01000) == ELOOP);
    REQUIRE(guest.walk(0, 4, {"file"}) == 0);
    CHECK(guest.setattr(4, 8, 0, 0) == EINVAL);
    CHECK(guest.setattr(4, 1, 0777, 0) == EOPNOTSUPP);
    CHECK(folder.read("secret") == "s");
    CHECK((mode_of(folder.path / "secret") & 0777) != 0777);
}

TEST_CASE("CVE-2023-2861: special files are not opened", "[share]") {
    Folder folder;
    REQUIRE(::mkfifo((folder.path / "fifo").c_str(), 0600) == 0);
    NinepClient guest(folder.path);
    REQUIRE(guest.walk(0, 1, {"fifo"}) == 0);
    CHECK(guest.open(1, 0) == ENXIO);  // and nobody waits for a writer
    CHECK(guest.open(1, kReadWrite) == ENXIO);
    CHECK(guest.walk(0, 2) == 0);
    CHECK(guest.create(2, "fifo", kReadWrite) == ENXIO);
    CHECK(guest.setattr(1, 8, 0, 0) == EINVAL);
    CHECK(guest.mknod(0, "disk", S_IFBLK | 0600) == EPERM);
    CHECK(guest.mknod(0, "null", S_IFCHR | 0600) == EPERM);
}

TEST_CASE("CVE-2020-35517: the share's own folder has no way up", "[share]") {
    Folder folder;
    fs::create_directory(folder.path / "share");
    NinepClient guest(folder.path / "share");
    REQUIRE(guest.walk(0, 1) == 0);
    REQUIRE(guest.open(1, kFolderFlag) == 0);
    const u64 own = guest.status(0).qid;
    REQUIRE(guest.ask(share::kTreaddir, u32{1}, u64{0}, u32{4096}) == 0);
    share::Reader in(guest.answer);
    share::Reader entry(in.bytes(in.number<u32>()));
    for (int i = 0; i < 2; ++i) {
        entry.bytes(5);
        CHECK(entry.number<u64>() == own);
        entry.bytes(9);
        entry.text();
    }
    CHECK(entry.done());
}

TEST_CASE("CVE-2017-7493: a host that renames meanwhile leads nobody outside", "[share]") {
    Folder folder;
    fs::create_directories(folder.path / "share/a/b");
    fs::create_directories(folder.path / "outside/b");
    folder.file("outside/b/mark", "secret");
    folder.file("outside/mark", "secret");
    folder.file("share/a/b/mark", "public");
    folder.file("share/a/mark", "public");
    std::atomic<bool> done{false};
    std::thread racer([&] {
        const fs::path a = folder.path / "share/a", kept = folder.path / "share/kept";
        while (!done) {
            fs::rename(a, kept);
            fs::create_directory_symlink(folder.path / "outside", a);
            fs::remove(a);
            fs::create_directory_symlink("../outside", a);
            fs::remove(a);
            fs::rename(kept, a);
        }
    });
    NinepClient guest(folder.path / "share", false, 32);
    unsigned reached = 0, refused = 0, escaped = 0;
    // A busy host may stop the racer in any of its states: the race lasts until both ends have been seen.
    const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    const auto raced = [&] { return reached > 0 && refused > 0; };
    for (u32 i = 0; i < 20'000 || (!raced() && std::chrono::steady_clock::now() < end); ++i) {
        const std::vector<std::string> way =
            i % 2 == 0 ? std::vector<std::string>{"a", "b", "mark"} : std::vector<std::string>{"a", "mark"};
        bool read = guest.walk(0, 1, way) == 0;
        if (read && guest.open(1, 0) == 0 && guest.read(1, 0, 100) == 0) {
            ++reached;
            escaped += guest.data() != "public";
        }
        refused += !read;
        guest.clunk(1);
        if (i % 3 == 0 && guest.walk(0, 2, {"a"}) == 0) {
            guest.create(2, "planted" + std::to_string(i % 5), kReadWrite);
            guest.clunk(2);
            guest.unlinkat(0, "mark");
        }
    }
    done = true;
    racer.join();
    CHECK(escaped == 0);
    CHECK(reached > 0);
    CHECK(refused > 0);
    for (const auto& entry : fs::recursive_directory_iterator(folder.path / "outside"))
        CHECK(entry.path().filename().string().find("planted") == std::string::npos);
    CHECK(folder.read("outside/mark") == "secret");
}

TEST_CASE("share: few descriptors of the host do for many fids", "[share]") {
    Folder folder;
    for (int i = 0; i < 300; ++i) {
        fs::create_directory(folder.path / std::to_string(i));
        folder.file(std::to_string(i) + "/file", std::to_string(i));
    }
    NinepClient guest(folder.path, false, 32);
    for (u32 i = 0; i < 300; ++i) REQUIRE(guest.walk(0, 10 + i, {std::to_string(i), "file"}) == 0);
    std::size_t open = 0;
    for ([[maybe_unused]] const auto& fd : fs::directory_iterator("/proc/self/fd")) ++open;
    CHECK(open < 100);
    REQUIRE(guest.renameat(0, "7", 0, "seven") == 0);  // its file is found again
    for (u32 i = 0; i < 300; ++i) {
        REQUIRE(guest.open(10 + i, 0) == (i < 32 ? 0u : share::linux_errno(ENFILE)));
        if (i < 32) REQUIRE(guest.read(10 + i, 0, 100) == 0);
        if (i < 32) CHECK(guest.data() == std::to_string(i));
    }
    fs::rename(folder.path / "200", folder.path / "elsewhere");  // by the host
    CHECK(guest.ask(share::kTgetattr, u32{210}, u64{0x7ff}) == share::linux_errno(ESTALE));
}

TEST_CASE("CVE-2020-27174: what a guest has open is bounded", "[share]") {
    Folder folder;
    NinepClient guest(folder.path);
    for (u32 i = 1; i < share::Server::kMostFids; ++i) REQUIRE(guest.walk(0, i) == 0);
    CHECK(guest.walk(0, 0xffff'fff0) == ENFILE);
    CHECK(guest.version() == 0);
    CHECK(guest.server.fids() == 0);
    CHECK(guest.attach(0) == 0);
    u32 made = 0;
    for (u32 error = 0; error == 0 && made < 1000; ++made) {
        REQUIRE(guest.walk(0, 100 + made) == 0);
        error = guest.ask(share::kTxattrcreate, 100 + made, "user.big", u64{65536}, u32{0});
    }
    CHECK(made == 65);
}

TEST_CASE("share: a session comes before everything, and unknown versions are refused", "[share]") {
    Folder folder;
    NinepClient guest(folder.path);
    CHECK(guest.ask(share::kTversion, u32{8192}, "9P2000.u") == 0);
    share::Reader in(guest.answer);
    CHECK(in.number<u32>() == 8192);
    CHECK(in.text() == "unknown");
    CHECK(guest.attach(0) == EPROTO);
    CHECK(guest.ask(share::kTversion, u32{100}, "9P2000.L") == EMSGSIZE);
    CHECK(guest.version(~u32{0}) == 0);
    CHECK(share::Reader(guest.answer).number<u32>() == share::kMostMessage);
    CHECK(guest.ask(share::kTauth, u32{5}, "", "", u32{0}) == EOPNOTSUPP);
    CHECK(guest.ask(share::kTattach, u32{0}, u32{5}, "", "", u32{0}) == EINVAL);
    CHECK(guest.ask(112, u32{0}, u8{0}) == EOPNOTSUPP);  // Topen of 9P2000
    CHECK(guest.ask(share::kTflush, u16{9}) == 0);
    CHECK(guest.attach(0) == 0);
    CHECK(guest.attach(0) == EBADF);  // in use
}

TEST_CASE("CVE-2023-2861: a file that became another kind while nobody looked is not opened", "[share]") {
    Folder folder;
    for (int i = 0; i < 100; ++i) folder.file(std::to_string(i), "x");
    NinepClient guest(folder.path, false, 32);
    for (u32 i = 0; i < 100; ++i) REQUIRE(guest.walk(0, 10 + i, {std::to_string(i)}) == 0);
    for (int i = 0; i < 60; ++i) {  // closed by now; the host may give their inodes to what comes
        fs::remove(folder.path / std::to_string(i));
        REQUIRE(::mkfifo((folder.path / std::to_string(i)).c_str(), 0600) == 0);
    }
    for (u32 i = 0; i < 60; ++i) {
        CHECK(guest.open(10 + i, 0) == share::linux_errno(ESTALE));
        REQUIRE(guest.walk(0, 200, {std::to_string(i)}) == 0);
        CHECK(guest.open(200, 0) == ENXIO);
        guest.clunk(200);
    }
}
