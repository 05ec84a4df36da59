// What holds for every device: snapshots, refusals, resets, device-tree nodes.
#include <libfdt.h>
#include <catch2/catch.hpp>

#include <array>
#include <random>

#include "core/machine.hpp"
#include "devices/board.hpp"
#include "tests/devices/every_device.hpp"
#include "tests/devices/other_layout.hpp"

using namespace hartline;
using namespace hartline::test;

namespace {
struct NoSink final : ByteSink {
    void write(std::span<const u8>) override {}
};

// Where a device's registers lie close together, and where random offsets would rarely meet them.
u64 likely_offset(std::string_view name, u64 random) {
    constexpr std::array<u64, 12> kPlic{0x4,    0x8,    0xc,       0x10,      0x1000,    0x2000,
                                        0x2080, 0x2100, 0x20'0000, 0x20'0004, 0x20'1000, 0x20'1004};
    constexpr std::array<u64, 8> kAclint{0, 4, 0x4000, 0x4004, 0x4008, 0x400c, 0xbff8, 0xbffc};
    constexpr std::array<u64, 10> kVirtio{0x10, 0x14, 0x20, 0x24, 0x30, 0x34, 0x38, 0x44, 0x60, 0x70};
    if (name == "plic") return kPlic[random % kPlic.size()];
    if (name == "aclint") return kAclint[random % kAclint.size()];
    if (name.starts_with("virtio")) return kVirtio[random % kVirtio.size()];
    return random % 0x20 & ~u64{3};
}

// Random accesses, input, interrupt sources and time. Returns what it saw, as a sum.
u64 shake(FakePort& port, Device& device, std::mt19937_64& random, int rounds) {
    constexpr std::array<u64, 4> kSpans{8, 0x80, 0x200, ~u64{0}};
    u64 seen = 0;
    for (int i = 0; i < rounds; ++i) {
        const bool likely = random() % 2 == 0;
        const unsigned bytes = likely ? 4 : 1u << (random() % 4);
        const u64 span = std::min(device.size(), kSpans[random() % 4]);
        u64 value = random() >> (random() % 64);
        if (span != 0) {
            const u64 offset =
                likely ? likely_offset(device.name(), random()) : random() % span / bytes * bytes;
            const bool reading = random() % 2 == 0;
            for (u64 again = random() % 8 == 0 ? 17 : 1; again != 0; --again) {
                if (!reading)
                    (void)device.write(offset, bytes, value);
                else if (device.read(offset, bytes, value))
                    seen = seen * 31 + value;
            }
        }
        seen = seen * 31 + port.irq;
        for (const auto& [line, level] : port.lines) seen = seen * 31 + level;
        if (random() % 16 == 0)
            device.set_source(static_cast<u32>(random() % (i % 2 == 0 ? 100 : 5)), random() % 2 == 0);
        if (random() % 16 == 0) device.input(bytes_of("input"));
        if (random() % 4 == 0) port.advance(device, random() % 100'000, 100);
        if (port.ram.write(0x8000'1000, value & 0xffff'ffff'0000'1fff)) device.watched_write(0x8000'1000, 8);
    }
    return seen;
}
}  // namespace

TEST_CASE("battery: a snapshot round trip gives an equal hash, and equal behaviour after it") {
    NoSink sink;
    std::mt19937_64 random(1);
    for (const auto& [name, make] : every_device(sink)) {
        for (int seed = 0; seed < 60; ++seed) {
            INFO(name << " " << seed);
            FakePort port;
            const auto device = make(port);
            shake(port, *device, random, 300);
            const auto image = save_of(*device);
            FakePort other_port;
            const auto other = make(other_port);
            load_into(*other, image);
            REQUIRE(hash_of(*other) == hash_of(*device));
            REQUIRE(save_of(*other) == image);
            other_port.time = port.time;
            other_port.events = port.events;
            other_port.offset = port.offset;
            std::mt19937_64 one(random()), two = one;
            for (u64 at = 0x8000'0000; at < 0x8000'4000; at += 4096) {
                std::array<u8, 4096> frame{};
                REQUIRE((port.ram.read(at, frame) && other_port.ram.write(at, frame)));
            }
            other_port.irq = port.irq;
            other_port.lines = port.lines;
            REQUIRE(shake(port, *device, one, 300) == shake(other_port, *other, two, 300));
            REQUIRE(hash_of(*other) == hash_of(*device));
        }
    }
}

TEST_CASE("battery: truncated and mutated snapshots throw or load, and then nothing crashes") {
    NoSink sink;
    std::mt19937_64 random(2);
    for (const auto& [name, make] : every_device(sink)) {
        INFO(name);
        FakePort port;
        const auto device = make(port);
        shake(port, *device, random, 200);
        const auto image = save_of(*device);
        for (std::size_t cut = 0; cut < image.size(); cut += 1 + image.size() / 97)
            REQUIRE_THROWS_AS(load_into(*device, std::span(image).first(cut)), ArchiveError);
        auto longer = image;
        longer.push_back(0);
        REQUIRE_THROWS_AS(load_into(*device, longer), ArchiveError);
        for (int i = 0; i < 300 && !image.empty(); ++i) {
            auto mutated = image;
            for (int k = 0; k < 3; ++k) mutated[random() % mutated.size()] = static_cast<u8>(random());
            try {
                load_into(*device, mutated);
            } catch (const ArchiveError&) {}
            shake(port, *device, random, 20);
        }
    }
}

TEST_CASE("battery: a snapshot that was saved with other fields is refused") {
    NoSink sink;
    std::mt19937_64 random(5);
    for (const auto& [name, make] : every_device(sink)) {
        FakePort port;
        const auto device = make(port);
        shake(port, *device, random, 200);
        check_other_layouts_are_refused(*device);
    }
}

namespace {
// Leaves `byte` in the memory that the next allocations get.
void soil_heap(u8 byte) {
    std::vector<std::vector<u8>> blocks;
    for (std::size_t size = 16; size <= 4096; size += 16)
        for (int i = 0; i < 4; ++i) blocks.emplace_back(size, byte);
}

// What reads of a new device's first registers give, by every size.
std::vector<u64> first_sight(const DeviceFactory& make) {
    FakePort port;
    const auto device = make(port);
    std::vector<u64> seen;
    for (unsigned bytes : {1u, 2u, 4u, 8u})
        for (u64 offset = 0; offset < std::min<u64>(device->size(), 0x1000); offset += bytes) {
            u64 value = 0;
            seen.push_back(device->read(offset, bytes, value) ? value : 0);
        }
    return seen;
}
}  // namespace

TEST_CASE("battery: a new device shows nothing of what its memory held before") {
    NoSink sink;
    for (const auto& [name, make] : every_device(sink)) {
        INFO(name);
        soil_heap(0x5a);
        const auto one = first_sight(make);
        soil_heap(0xa5);
        const bool same = first_sight(make) == one;  // not both in full when it fails
        REQUIRE(same);
    }
}

TEST_CASE("battery: every offset and size is handled or refused") {
    NoSink sink;
    for (const auto& [name, make] : every_device(sink)) {
        INFO(name);
        FakePort port;
        const auto device = make(port);
        const u64 step = device->size() > 0x2'0000 ? 0x1fc : 1;
        for (unsigned bytes : {1u, 2u, 4u, 8u}) {
            const auto touch = [&](u64 offset) {
                u64 value = 0;
                if (device->read(offset, bytes, value) && bytes < 8) REQUIRE(value >> (8 * bytes) == 0);
                (void)device->write(offset, bytes, ~u64{0});
                (void)device->write(offset, bytes, 0);
            };
            for (u64 offset = 0; offset < device->size();
                 offset += std::max<u64>(step / bytes * bytes, bytes))
                touch(offset);
            if (device->size() >= 8) touch(device->size() - bytes);
        }
    }
}

TEST_CASE("battery: a reset device equals a new one") {
    NoSink sink;
    std::mt19937_64 random(3);
    for (const auto& [name, make] : every_device(sink)) {
        INFO(name);
        FakePort port;
        const auto device = make(port);
        const u64 fresh = hash_of(*device);
        shake(port, *device, random, 500);
        device->reset();
        REQUIRE(hash_of(*device) == fresh);
    }
}

namespace {
struct WaitingHart final : Hart {
    u64 lines = 0;
    u64 run(u64) override { return 0; }
    u64 progress() const override { return 0; }
    void cut(u64) override {}
    bool waiting() const override { return true; }
    bool gave_way() const override { return true; }
    void set_line(unsigned line, bool level) override {
        lines = merge(lines, u64{1} << line, level ? ~u64{0} : 0);
    }
    void on_event(u32) override {}
    void reset() override { lines = 0; }
    void describe(Archive& archive) override { archive.field("lines", lines); }
    void drop_derived() override {}
    void turn_ended() override {}
    bool code_changed(u64, u64) override { return false; }
    void frame_changed(u64) override {}
    void frame_marked(u64) override {}
    u64 retired() const override { return 0; }
};

struct Board {
    NoSink sink;
    std::shared_ptr<MemoryDisk> disk = std::make_shared<MemoryDisk>(4096);
    Machine machine{{.ram_bytes = 1 << 20}};
    Board() {
        for (const auto& [name, make] : every_device(sink)) {
            const BoardPlace at = name == "htif" ? BoardPlace{} : place_of(name);
            Device& device = machine.attach(at.base, at.irq, make);
            if (name == "plic") machine.set_interrupt_controller(device);
            if (name == "htif") machine.watch(0x8000'1000, 8, device);
        }
        machine.attach(0x1000'9000, 9, virtio_mmio(virtio_block(disk)));  // behind the board's own
        for (int i = 0; i < 2; ++i)
            machine.add_hart([](HartPort&, unsigned) { return std::make_unique<WaitingHart>(); });
    }
    Device& device(std::string_view name) {
        for (const auto& attached : machine.devices())
            if (attached.device->name() == name) return *attached.device;
        throw std::out_of_range("no such device");
    }
};
}  // namespace

TEST_CASE("checklist 67: a reset gives a machine equal to a new one, with disks kept") {
    Board board;
    const u64 fresh = board.machine.hash();
    CHECK(Board().machine.hash() == fresh);
    std::mt19937_64 random(4);
    for (int i = 0; i < 3000; ++i)
        for (const auto& attached : board.machine.devices()) {
            if (attached.device->size() == 0) continue;
            const u64 offset = random() % std::min<u64>(attached.device->size(), 0x100) & ~u64{3};
            (void)attached.device->write(offset, 4, random() & 0xffff);
            if (i % 100 == 0) attached.device->input(bytes_of("x"));
        }
    board.disk->data[7] = 42;
    CHECK(board.machine.hash() != fresh);
    const auto image = board.machine.save();
    Board other;
    other.machine.load(image);
    CHECK(other.machine.hash() == board.machine.hash());
    board.machine.reset();
    CHECK(board.machine.hash() == fresh);
    CHECK(board.disk->data[7] == 42);
}

TEST_CASE("an interrupt goes from a device through the controller to a hart") {
    Board board;
    Device &plic = board.device("plic"), &uart = board.device("uart");
    put(plic, 4 * 10, 1);
    put(plic, 0x2000 + 0x80 * 3, 1 << 10);  // S of hart 1
    put(uart, 1, 2, 1);
    const auto& hart = static_cast<WaitingHart&>(board.machine.hart(1));
    CHECK(hart.lines == 1 << 9);
    CHECK(get(plic, 0x20'3004) == 10);
    CHECK(hart.lines == 0);
    CHECK(get(uart, 2, 1) == 2);
    put(plic, 0x20'3004, 10);
    CHECK(hart.lines == 0);
}

namespace {
std::vector<u8> tree_of(std::vector<std::pair<std::string, DeviceFactory>> devices) {
    FakePort port;
    DeviceTree tree;
    std::vector<u32> harts{tree.new_phandle(), tree.new_phandle()};
    const u32 controller = tree.new_phandle();
    tree.begin("");
    tree.begin("soc");
    for (const auto& [name, make] : devices) {
        const BoardPlace at = name == "htif" ? BoardPlace{} : place_of(name);
        make(port)->describe_node(tree, {at.base, at.irq, controller, harts});
    }
    tree.end();
    tree.end();
    return tree.finish();
}
struct Node {
    const void* tree;
    int at;
    Node(const std::vector<u8>& blob, const char* path)
        : tree(blob.data()), at(fdt_path_offset(blob.data(), path)) {}
    std::string raw(const char* name) const {
        int length = 0;
        const auto* const bytes = static_cast<const char*>(fdt_getprop(tree, at, name, &length));
        return bytes == nullptr ? "absent" : std::string(bytes, static_cast<std::size_t>(length));
    }
    bool cells(const char* name, std::vector<u32> expected) const {
        std::string big_endian;
        for (u32 cell : expected)
            for (int shift = 24; shift >= 0; shift -= 8) big_endian += static_cast<char>(cell >> shift);
        return raw(name) == big_endian;
    }
};
}  // namespace

TEST_CASE("nodes are those of QEMU's virt") {
    using namespace std::string_literals;
    NoSink sink;
    const auto blob = tree_of(every_device(sink));
    const Node uart(blob, "/soc/serial@10000000"), plic(blob, "/soc/plic@c000000"),
        clint(blob, "/soc/clint@2000000");
    CHECK(uart.raw("compatible") == "ns16550a\0"s);
    CHECK(uart.cells("clock-frequency", {3686400}));
    CHECK(uart.cells("interrupts", {10}));
    CHECK(uart.cells("interrupt-parent", {3}));
    CHECK(uart.cells("reg", {0, 0x1000'0000, 0, 0x100}));
    CHECK(plic.raw("compatible") == "sifive,plic-1.0.0\0riscv,plic0\0"s);
    CHECK(plic.cells("phandle", {3}));
    CHECK(plic.cells("riscv,ndev", {0x5f}));
    CHECK(plic.cells("interrupts-extended", {1, 11, 1, 9, 2, 11, 2, 9}));
    CHECK(plic.cells("reg", {0, 0xc00'0000, 0, 0x60'0000}));
    CHECK(plic.cells("#interrupt-cells", {1}));
    CHECK(plic.cells("#address-cells", {0}));
    CHECK(plic.raw("interrupt-controller").empty());
    CHECK(clint.raw("compatible") == "sifive,clint0\0riscv,clint0\0"s);
    CHECK(clint.cells("interrupts-extended", {1, 3, 1, 7, 2, 3, 2, 7}));
    CHECK(clint.cells("reg", {0, 0x200'0000, 0, 0x1'0000}));
    const Node sswi(blob, "/soc/sswi@2f00000"), test(blob, "/soc/test@100000"), off(blob, "/soc/poweroff");
    CHECK(sswi.cells("interrupts-extended", {1, 1, 2, 1}));
    CHECK(sswi.raw("compatible") == "riscv,aclint-sswi\0"s);
    CHECK(test.raw("compatible") == "sifive,test1\0sifive,test0\0syscon\0"s);
    CHECK(off.raw("compatible") == "syscon-poweroff\0"s);
    CHECK(off.cells("value", {0x5555}));
    CHECK(off.raw("regmap") == test.raw("phandle"));
    CHECK(Node(blob, "/soc/reboot").cells("value", {0x7777}));
    CHECK(Node(blob, "/soc/rtc@101000").raw("compatible") == "google,goldfish-rtc\0"s);
    const Node virtio(blob, "/soc/virtio_mmio@10003000");
    CHECK(virtio.raw("compatible") == "virtio,mmio\0"s);
    CHECK(virtio.cells("interrupts", {3}));
    CHECK(Node(blob, "/soc/htif").raw("compatible") == "ucb,htif0\0"s);
}
