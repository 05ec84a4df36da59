// What the tests of disk images share: temporary folders, qemu-img, images in memory, random numbers.
#pragma once
#include <catch2/catch.hpp>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

#include "devices/storage/qcow2/check.hpp"
#include "devices/storage/qcow2/create.hpp"
#include "devices/storage/qcow2/image.hpp"
#include "tests/devices/memory_file.hpp"
#include "tests/folder.hpp"

namespace hartline::test {

inline void save(const std::string& path, std::span<const u8> bytes) {
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}
inline std::vector<u8> contents(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}
inline bool shell(const std::string& command) {
    return std::system(("( " + command + " ) > /dev/null 2>&1").c_str()) == 0;
}
inline bool lacks_qemu() {
    if (shell("qemu-img --version && qemu-io --version")) return false;
    WARN("qemu-img and qemu-io (package qemu-utils) are not installed");
    return true;
}

struct Random {
    u64 state;
    u64 next() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        return state * 0x2545'f491'4f6c'dd1d;
    }
    u64 below(u64 bound) { return (next() >> 11) % bound; }
};

inline std::vector<u8> new_image(const qcow2::CreateOptions& options) {
    MemoryFile file;
    qcow2::create(file, "new.qcow2", options);
    return file.data;
}
// `backing` may be null. The file is the image's.
inline std::unique_ptr<qcow2::Image> open_memory(std::unique_ptr<MemoryFile> file,
                                                 std::unique_ptr<DiskImage> backing = nullptr) {
    const qcow2::Header header = qcow2::read_header(*file, "memory.qcow2");
    return std::make_unique<qcow2::Image>(std::move(file), header, std::move(backing), "memory.qcow2");
}
inline qcow2::CheckResult checked(const std::vector<u8>& image) {
    MemoryFile file(image);
    return qcow2::check(file, qcow2::read_header(file, "memory.qcow2"));
}
}  // namespace hartline::test
