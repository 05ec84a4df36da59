// Random operations on qcow2 images, beside a plain array and beside qemu-img and qemu-io.
#include "devices/storage/raw.hpp"
#include "tests/devices/image_support.hpp"

using namespace hartline;
using namespace hartline::test;

namespace {
struct Shape {
    const char* name;
    qcow2::CreateOptions options;
    u64 backing = 0;  // bytes of a raw backing file
};

std::vector<Shape> shapes() {
    using qcow2::Compression;
    constexpr u64 kSize = 3 << 20;
    return {
        {"default", {.bytes = kSize}},
        {"version 2", {.bytes = kSize, .cluster = 4096, .version = 2}},
        {"512-byte clusters", {.bytes = (1 << 20) - 512, .cluster = 512}},
        {"2 MiB clusters", {.bytes = 9 << 20, .cluster = 2 << 20}},
        {"1-bit refcounts", {.bytes = kSize, .cluster = 1024, .refcount_bits = 1}},
        {"2-bit refcounts", {.bytes = kSize, .cluster = 1024, .refcount_bits = 2}},
        {"64-bit refcounts", {.bytes = kSize, .cluster = 512, .refcount_bits = 64}},
        {"zstd", {.bytes = kSize, .cluster = 4096, .compression = Compression::Zstd}},
        {"extended L2", {.bytes = kSize + 512, .cluster = 16384, .extended_l2 = true}},
        {"overlay", {.bytes = kSize, .cluster = 4096, .backing = "base.img"}, (2 << 20) + 512},
        {"overlay, version 2",
         {.bytes = kSize, .cluster = 4096, .version = 2, .backing = "base.img"},
         2 << 20},
        {"overlay, extended L2",
         {.bytes = kSize, .cluster = 65536, .extended_l2 = true, .backing = "base.img"},
         4 << 20},
    };
}

std::vector<u8> pattern(Random& random, u64 bytes) {
    std::vector<u8> data(bytes);
    const auto how = random.below(4);
    for (u64 i = 0; i < bytes; ++i)
        data[i] = how == 0 ? static_cast<u8>(random.next()) : static_cast<u8>(how + i / 700);
    return data;
}

// An image file and the array that it should equal.
struct Pair {
    std::string path;
    std::unique_ptr<DiskImage> image;
    std::vector<u8> plain;
    Random random;

    void open() { image = open_image(path); }
    void range(u64& offset, u64& bytes) {
        const u64 most = random.below(4) == 0 ? plain.size() : 40000, sectors = plain.size() / 512;
        offset = random.below(sectors) * 512;
        bytes = std::min<u64>((1 + random.below(most / 512)) * 512, plain.size() - offset);
    }
    void write() {
        u64 offset, bytes;
        range(offset, bytes);
        const auto data = pattern(random, bytes);
        REQUIRE(image->write(offset, data));
        std::ranges::copy(data, plain.begin() + static_cast<std::ptrdiff_t>(offset));
    }
    void write_compressed() {
        const u64 cluster = image->cluster_bytes(), offset = random.below(plain.size() / cluster) * cluster;
        const auto data = pattern(random, std::min(cluster, plain.size() - offset));
        REQUIRE(image->write_compressed(offset, data));
        std::ranges::copy(data, plain.begin() + static_cast<std::ptrdiff_t>(offset));
    }
    void clear() {
        u64 offset, bytes;
        range(offset, bytes);
        REQUIRE((random.below(2) == 0 ? image->discard(offset, bytes) : image->zero(offset, bytes)));
        std::fill_n(plain.begin() + static_cast<std::ptrdiff_t>(offset), bytes, u8{0});
    }
    void read() {
        u64 offset, bytes;
        range(offset, bytes);
        std::vector<u8> back(bytes);
        REQUIRE(image->read(offset, back));
        REQUIRE(std::equal(back.begin(), back.end(), plain.begin() + static_cast<std::ptrdiff_t>(offset)));
    }
    void resize() {
        const u64 bytes = plain.size() + (random.below(41) * 512 * 10) - 512 * 200;
        REQUIRE(image->resize(bytes));
        plain.resize(bytes);
    }
    void step() {
        switch (random.below(16)) {
            case 0: resize(); break;
            case 1: REQUIRE(image->flush()); break;
            case 2: image.reset(), open(); break;
            case 3:
            case 4: clear(); break;
            case 5:
            case 6: write_compressed(); break;
            case 7:
            case 8: read(); break;
            default: write();
        }
    }
    void compare() {
        std::vector<u8> back(plain.size());
        REQUIRE(image->bytes() == plain.size());
        REQUIRE(image->read(0, back));
        REQUIRE((back == plain));
    }
};

void check_file(const std::string& path) {
    const auto file = open_host_file(path, {.read_only = true});
    const auto result = qcow2::check(*file, qcow2::read_header(*file, path));
    for (const auto& line : result.lines) UNSCOPED_INFO(line);
    REQUIRE(result.clean());
}

Pair make_pair(const Folder& folder, const Shape& shape, u64 seed) {
    Pair pair{
        folder.at("disk.qcow2"), nullptr, std::vector<u8>(shape.options.bytes), {seed * 0x9e37'79b9 + 1}};
    if (shape.backing != 0) {
        const auto base = pattern(pair.random, shape.backing);
        save(folder.at("base.img"), base);
        std::copy_n(base.begin(), std::min<u64>(base.size(), pair.plain.size()), pair.plain.begin());
    }
    qcow2::create(*open_host_file(pair.path, {.create = true}), pair.path, shape.options);
    return pair;
}
}  // namespace

TEST_CASE("qcow2: random operations leave what they leave in an array", "[qcow2]") {
    for (const Shape& shape : shapes()) {
        for (u64 seed = 1; seed <= 3; ++seed) {
            INFO(shape.name << ", seed " << seed);
            const Folder folder;
            Pair pair = make_pair(folder, shape, seed);
            pair.open();
            for (unsigned step = 0; step < 150; ++step) pair.step();
            pair.compare();
            pair.image.reset();
            check_file(pair.path);
            pair.open();
            pair.compare();
        }
    }
}

TEST_CASE("qcow2: what we write qemu-img reads and finds sound", "[qcow2]") {
    if (lacks_qemu()) return;
    for (const Shape& shape : shapes()) {
        INFO(shape.name);
        const Folder folder;
        Pair pair = make_pair(folder, shape, 77);
        pair.open();
        for (unsigned step = 0; step < 120; ++step) pair.step();
        pair.image.reset();
        const std::string path = pair.path, raw = folder.at("out.raw");
        REQUIRE(shell("qemu-img check -q -f qcow2 " + path));
        REQUIRE(shell("qemu-img convert -f qcow2 -O raw " + path + " " + raw));
        REQUIRE((contents(raw) == pair.plain));
    }
}

TEST_CASE("qcow2: what QEMU writes we read, and both go on", "[qcow2]") {
    if (lacks_qemu()) return;
    const char* const kinds[] = {"compat=v2",
                                 "compat=v3",
                                 "compat=v3,cluster_size=512,refcount_bits=64",
                                 "compat=v3,extended_l2=on,cluster_size=16k",
                                 "compat=v3,lazy_refcounts=on",
                                 "compat=v3,compression_type=zstd,cluster_size=4k",
                                 "compat=v3,refcount_bits=1",
                                 "compat=v3,preallocation=metadata"};
    for (const std::string kind : kinds) {
        INFO(kind);
        const Folder folder;
        Random random{4711};
        const std::string path = folder.at("disk.qcow2"), in = folder.at("in.raw"),
                          out = folder.at("out.raw");
        std::vector<u8> plain = pattern(random, 3 << 20);
        std::fill_n(plain.begin() + 100000, 900000, u8{0});
        save(in, plain);
        const bool compressed = kind.find("prealloc") == std::string::npos;
        REQUIRE(shell("qemu-img convert -f raw -O qcow2 " + std::string(compressed ? "-c " : "") + "-o " +
                      kind + " " + in + " " + path));
        REQUIRE(shell(
            "qemu-io -f qcow2 -c 'write -P 7 65536 70000' -c 'write -z 300000 4096' -c 'discard 1M 256k' " +
            path));
        std::fill_n(plain.begin() + 65536, 70000, u8{7});
        std::fill_n(plain.begin() + 300000, 4096, u8{0});
        std::fill_n(plain.begin() + (1 << 20), 256 << 10, u8{0});
        Pair pair{path, nullptr, plain, {99}};
        pair.open();
        pair.compare();
        for (unsigned step = 0; step < 60; ++step) pair.step();
        pair.compare();
        pair.image.reset();
        REQUIRE(shell("qemu-img check -q -f qcow2 " + path));
        REQUIRE(shell("qemu-io -f qcow2 -c 'write -P 9 0 123456' " + path));
        std::fill_n(pair.plain.begin(), 123456, u8{9});
        REQUIRE(shell("qemu-img convert -f qcow2 -O raw " + path + " " + out));
        REQUIRE((contents(out) == pair.plain));
        pair.open();
        pair.compare();
    }
}

TEST_CASE("qcow2: internal snapshots keep what they hold", "[qcow2]") {
    if (lacks_qemu()) return;
    for (const std::string kind : {"compat=v2,cluster_size=4k", "compat=v3", "compat=v3,extended_l2=on"}) {
        INFO(kind);
        const Folder folder;
        const std::string path = folder.at("disk.qcow2"), raw = folder.at("out.raw");
        REQUIRE(shell("qemu-img create -f qcow2 -o " + kind + " " + path + " 3M"));
        Pair pair{path, nullptr, std::vector<u8>(3 << 20), {5}};
        std::vector<std::vector<u8>> kept;
        for (unsigned round = 0; round < 3; ++round) {
            pair.open();
            for (unsigned step = 0; step < 30; ++step) {
                pair.write();
                pair.clear();
                pair.write_compressed();
            }
            pair.compare();
            pair.image.reset();
            REQUIRE(shell("qemu-img check -q -f qcow2 " + path));
            REQUIRE(shell("qemu-img snapshot -c s" + std::to_string(round) + " " + path));
            kept.push_back(pair.plain);
        }
        pair.open();
        for (unsigned step = 0; step < 60; ++step) pair.write(), pair.clear();
        pair.image.reset();
        check_file(path);
        for (unsigned round = 0; round < 3; ++round) {
            REQUIRE(shell("qemu-img convert -f qcow2 -l snapshot.name=s" + std::to_string(round) +
                          " -O raw " + path + " " + raw));
            REQUIRE((contents(raw) == kept[round]));
        }
    }
}
