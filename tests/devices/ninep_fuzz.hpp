// What the fuzzer of 9P requests runs: the input is a list of messages, each behind 16 bits of its length, to
// a server of a folder that is made for it.
#pragma once
#include "tests/devices/ninep_client.hpp"

namespace hartline::test {
inline void fuzz_ninep(std::span<const u8> input) {
    const Folder folder;
    folder.file("file", "content");
    std::filesystem::create_directory(folder.path / "folder");
    std::filesystem::create_directory_symlink("/", folder.path / "link");
    NinepClient guest(folder.path, false, 32);
    guest.walk(0, 1, {"file"});
    guest.walk(0, 2, {"folder"});
    guest.walk(0, 3, {"link"});
    share::Reader in(input);
    while (!in.done()) {
        const auto bytes = in.bytes(in.number<u16>());
        if (bytes.empty()) break;  // the end
        const auto answer = guest.server.answer(bytes);
        if (answer.size() < share::kHeaderBytes || answer.size() > share::kMostMessage) __builtin_trap();
    }
}
}  // namespace hartline::test
