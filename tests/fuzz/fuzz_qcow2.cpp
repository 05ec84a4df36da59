// A qcow2 image of any content is opened, read, written and checked; it is refused or it works, and takes
// little memory. After the first two bytes, which say what is done with it, the input is the image.

// floor: devices
#include <algorithm>
#include <exception>
#include <memory>

#include "devices/storage/qcow2/check.hpp"
#include "devices/storage/qcow2/image.hpp"
#include "tests/devices/memory_file.hpp"

using namespace hartline;

namespace {
constexpr u64 kMostTouched = u64{1} << 20;

void touch(DiskImage& image, u64 at, u8 how) {
    std::vector<u8> bytes(std::min(kMostTouched, image.bytes() - at));
    (void)image.extent(at);
    (void)image.read(at, bytes);
    std::ranges::fill(bytes, how);
    if ((how & 1) != 0) (void)image.write(at, std::span(bytes).first(bytes.size() / 2));
    if ((how & 2) != 0) (void)image.discard(at, std::min<u64>(bytes.size(), 70000));
    if ((how & 4) != 0) (void)image.zero(at, std::min<u64>(bytes.size(), 70000));
    if ((how & 8) != 0) {
        const u64 cluster = image.cluster_bytes(), from = at / cluster * cluster;
        bytes.resize(std::min(cluster, image.bytes() - from));
        (void)image.write_compressed(from, bytes);
    }
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const u8* input, std::size_t size) {
    if (size < 2) return 0;
    const u8 how = input[0], flags = input[1];
    const std::vector<u8> contents(input + 2, input + size);
    try {
        test::MemoryFile looked(contents);
        qcow2::Header header = qcow2::read_header(looked, "fuzz.qcow2");
        (void)qcow2::check(looked, header);
        if ((flags & 4) != 0) (void)qcow2::repair(looked, header, {.all = true});
        auto file = std::make_unique<test::MemoryFile>(contents);
        file->fixed = (flags & 1) != 0;
        qcow2::Image image(std::move(file), qcow2::read_header(looked, "fuzz.qcow2"), nullptr, "fuzz.qcow2");
        if (image.bytes() == 0) return 0;
        for (const u64 at : {u64{0}, image.bytes() / 2, image.bytes() - std::min<u64>(image.bytes(), 5000)})
            touch(image, at, how);
        (void)image.flush();
        if ((flags & 8) != 0) (void)image.resize(image.bytes() / 512 * 512 + 512 * how);
        (void)image.flush();
    } catch (const std::runtime_error&) {
        // refused
    }
    return 0;
}
