// The bus, configuration spaces and MSI-X, by way of virtio over PCI.
#include <libfdt.h>
#include <catch2/catch.hpp>

#include <random>

#include "devices/virtio/entropy.hpp"
#include "devices/virtio/pci.hpp"
#include "tests/devices/pci_rig.hpp"

using namespace hartline;
using namespace hartline::test;

namespace {
constexpr u64 kIsr = 0x1000, kNotify = 0x3000;
constexpr u64 kRing = 0x8010'0000, kBuffer = 0x8020'0000;

struct Rig : PciRig {
    Rig() : PciRig([](pci::PciSlot slot) { return virtio_pci(slot, virtio_entropy(7)); }) { map(4); }
    // A queue of 8 with one descriptor: 64 bytes for the device to fill.
    void start() {
        available = 0;
        REQUIRE(port.ram.write(kRing, std::vector<u8>(0x300)));
        REQUIRE(port.ram.write(kRing, std::array<u32, 4>{static_cast<u32>(kBuffer), 0, 64, 2}));
        for (u64 status : {0, 1, 3}) put(*high, 0x14, status, 1);
        put(*high, 0x08, 1);
        put(*high, 0x0c, 1);  // VERSION_1
        put(*high, 0x14, 11, 1);
        put(*high, 0x16, 0, 2);
        put(*high, 0x18, 8, 2);
        put(*high, 0x20, kRing);
        put(*high, 0x28, kRing + 0x100);
        put(*high, 0x30, kRing + 0x200);
        put(*high, 0x1c, 1, 2);
        put(*high, 0x14, 15, 1);
    }
    void ask() {
        REQUIRE(port.ram.write(kRing + 0x102, ++available));
        put(*high, kNotify, 0, 2);
        port.advance(*device, 1'000'000);
    }
    u16 used() {
        u16 index = 0;
        REQUIRE(port.ram.read(kRing + 0x202, index));
        return index;
    }
    u16 available = 0;
};
}  // namespace

TEST_CASE("pci: absent functions and unmapped addresses read as ones", "[pci]") {
    Rig r;
    CHECK(get(*r.ecam, 0) == 0x0008'1b36);
    CHECK(get(*r.ecam, 31 << 15) == 0xffff'ffff);
    CHECK(get(*r.ecam, r.kFunction + 0x1000) == 0xffff'ffff);  // function 1
    CHECK(get(*r.ecam, 1 << 20, 2) == 0xffff);                 // bus 1
    CHECK(get(*r.memory, 0x10'0000, 1) == 0xff);
    CHECK(get(*r.io, 0, 8) == ~u64{0});
    put(*r.io, 0, 1);
    CHECK(r.config(0, 8) == 0x0010'0006'1044'1af4);
    CHECK(r.config(8) == 0x00ff'0001);
    CHECK(r.config(0x3d, 1) == 1);
    CHECK(r.config(0x100) == 0);  // no extended capabilities
}

TEST_CASE("pci: base address registers tell their size and keep their type", "[pci]") {
    Rig r;
    for (u64 at : {0x14u, 0x20u, 0x24u}) r.config(at, ~u64{0}, 4);
    CHECK(r.config(0x14) == 0xffff'f000);
    CHECK(r.config(0x20) == 0xffff'c00c);
    CHECK(r.config(0x24) == 0xffff'ffff);
    for (u64 at : {0x10u, 0x18u, 0x1cu, 0x30u}) {
        r.config(at, ~u64{0}, 4);
        CHECK(r.config(at) == 0);
    }
}

TEST_CASE("pci: a function is reached only where it is mapped and enabled", "[pci]") {
    Rig r;
    CHECK(get(*r.high, 0x12, 2) == 1);  // num_queues
    r.config(4, 0, 2);
    CHECK(get(*r.high, 0x12, 2) == 0xffff);
    r.config(4, 1, 2);  // I/O space only
    CHECK(get(*r.high, 0x12, 2) == 0xffff);
    r.config(4, 2, 2);
    r.config(0x20, 0x4000, 4);
    CHECK(get(*r.high, 0x12, 2) == 0xffff);
    CHECK(get(*r.high, 0x4012, 2) == 1);
    CHECK(get(*r.high, 0x8012, 2) == 0xffff);
}

TEST_CASE("pci: the bridge's node is that of QEMU's virt", "[pci]") {
    Rig r;
    DeviceTree tree;
    const u32 controller = tree.new_phandle();
    tree.begin("");
    r.ecam->describe_node(tree, {0x3000'0000, 32, controller, {}});
    tree.end();
    const auto blob = tree.finish();
    const int node = fdt_path_offset(blob.data(), "/pci@30000000");
    REQUIRE(node >= 0);
    const auto cells = [&](const char* name) {
        int bytes = 0;
        const auto* const at = static_cast<const fdt32_t*>(fdt_getprop(blob.data(), node, name, &bytes));
        std::vector<u32> values;
        for (int i = 0; i < bytes / 4; ++i) values.push_back(fdt32_to_cpu(at[i]));
        return values;
    };
    CHECK(cells("ranges") == std::vector<u32>{0x100'0000, 0, 0,           0, 0x300'0000,  0, 0x1'0000,
                                              0x200'0000, 0, 0x4000'0000, 0, 0x4000'0000, 0, 0x4000'0000,
                                              0x300'0000, 4, 0,           4, 0,           4, 0});
    CHECK(cells("reg") == std::vector<u32>{0, 0x3000'0000, 0, 0x1000'0000});
    CHECK(cells("interrupt-map-mask") == std::vector<u32>{0x1800, 0, 0, 7});
    const auto map = cells("interrupt-map");
    REQUIRE(map.size() == 96);
    CHECK(std::vector<u32>(map.begin() + 90, map.end()) == std::vector<u32>{0x1800, 0, 0, 4, controller, 34});
    CHECK(pci_high_base(0x8000'0000 + (u64{1} << 30)) == 0x4'0000'0000);
    CHECK(pci_high_base(0x8000'0000 + (u64{64} << 30)) == 0x14'0000'0000);
    CHECK(pci_high_base(0x4'0000'0000) == 0x4'0000'0000);
}

TEST_CASE("pci: pins are ORed and rotate with the slot", "[pci]") {
    Rig r;
    r.bus->set_pin(1, 1, true);
    CHECK(r.lines[1].irq);
    r.bus->set_pin(5, 1, true);
    r.bus->set_pin(1, 1, false);
    CHECK(r.lines[1].irq);
    r.bus->set_pin(5, 1, false);
    CHECK_FALSE(r.lines[1].irq);
    r.bus->set_pin(31, 4, true);
    CHECK(r.lines[2].irq);
    r.bus->set_pin(32, 1, true);  // there is no such slot or pin
    r.bus->set_pin(0, 5, true);
    CHECK_FALSE(r.lines[0].irq);
    CHECK_THROWS_AS(pci_host_function(r.bus)(r.port), std::invalid_argument);
}

TEST_CASE("virtio-pci: a queue is served, and the pin is taken back by the ISR status", "[pci]") {
    Rig r;
    r.start();
    r.ask();
    CHECK(r.used() == 1);
    CHECK(r.lines[1].irq);
    CHECK((r.config(6, 2) & 8) != 0);
    r.config(4, 0x406, 2);  // "Interrupt Disable"
    CHECK_FALSE(r.lines[1].irq);
    CHECK((r.config(6, 2) & 8) != 0);
    r.config(4, 6, 2);
    CHECK(r.lines[1].irq);
    CHECK(get(*r.high, kIsr, 1) == 1);
    CHECK(get(*r.high, kIsr, 1) == 0);
    CHECK_FALSE(r.lines[1].irq);
    put(*r.high, 0x14, 0, 1);
    CHECK(get(*r.high, 0x1c, 2) == 0);
    CHECK(get(*r.high, 0x20) == 0);
}

TEST_CASE("virtio-pci: MSI-X sends a message a vector, later when it is masked", "[pci]") {
    Rig r;
    r.start();
    const u32 msix = r.capability(0x11);
    REQUIRE(msix != 0);
    CHECK(r.config(msix + 2, 2) == 1);  // two vectors
    put(*r.memory, 0x10, Messages::kAt, 8);
    put(*r.memory, 0x18, 42);
    put(*r.high, 0x1a, 1, 2);
    CHECK(get(*r.high, 0x1a, 2) == 1);
    put(*r.high, 0x10, 2, 2);  // no such vector
    CHECK(get(*r.high, 0x10, 2) == 0xffff);
    r.config(msix + 2, 0x8000, 2);
    r.ask();
    CHECK(r.messages.sent.empty());
    CHECK(get(*r.memory, 0x800) == 2);
    put(*r.memory, 0x1c, 0);
    CHECK(r.messages.sent == std::vector<u32>{42});
    CHECK(get(*r.memory, 0x800) == 0);
    r.config(msix + 2, 0xc000, 2);
    r.ask();
    CHECK(r.messages.sent.size() == 1);
    r.config(msix + 2, 0x8000, 2);
    CHECK(r.messages.sent.size() == 2);
    CHECK_FALSE(r.lines[1].irq);
}

TEST_CASE("virtio-pci: its configuration access capability reaches registers that are not mapped", "[pci]") {
    Rig r;
    const u32 window = r.capability(9, 5);
    REQUIRE(window != 0);
    r.config(4, 0, 2);
    r.config(window + 4, 4, 1);
    r.config(window + 8, 0x12, 4);
    r.config(window + 12, 2, 4);
    CHECK(r.config(window + 16, 2) == 1);
    r.config(window + 8, 0x14, 4);
    r.config(window + 12, 1, 4);
    r.config(window + 16, 1, 1);
    CHECK(r.config(window + 16, 1) == 1);
    for (u64 wild : {0x4000u, 0x3fffu, 0xffff'ffffu}) {
        r.config(window + 8, wild, 4);
        r.config(window + 12, 4, 4);
        r.config(window + 16, ~u64{0}, 4);
        (void)r.config(window + 16, 4);
    }
    r.config(window + 4, 0xff, 1);
    (void)r.config(window + 16, 4);
    r.config(4, 2, 2);
    CHECK(get(*r.high, 0x14, 1) == 1);
}

TEST_CASE("CVE-2020-13754: every offset, size and class of value of every window is harmless", "[pci]") {
    Rig r;
    r.start();
    u64 value = 0;
    for (unsigned bytes : {1u, 2u, 4u, 8u})
        for (u64 with : {u64{0}, u64{1}, ~u64{0}, u64{0x8000}, u64{0x7f}})
            for (u64 offset = 0; offset < 0x4000; offset += bytes) {
                if (offset < 0x1000) {
                    REQUIRE(r.ecam->read(r.kFunction + offset, bytes, value));
                    REQUIRE((bytes == 8 || value >> (8 * bytes) == 0));
                    REQUIRE(r.ecam->write(r.kFunction + offset, bytes, with));
                    r.map(4);
                    REQUIRE(r.memory->read(offset, bytes, value));
                    REQUIRE(r.memory->write(offset, bytes, with));
                }
                REQUIRE(r.high->read(offset, bytes, value));
                REQUIRE((bytes == 8 || value >> (8 * bytes) == 0));
                REQUIRE(r.high->write(offset, bytes, with));
            }
    const auto image = save_of(*r.device);
    Rig other;
    load_into(*other.device, image);
    CHECK(save_of(*other.device) == image);
    r.device->reset();
    PciRig fresh([](pci::PciSlot slot) { return virtio_pci(slot, virtio_entropy(7)); });
    CHECK(hash_of(*r.device) == hash_of(*fresh.device));
}

TEST_CASE("CVE-2021-3750: DMA and messages to the function's own registers go nowhere", "[pci]") {
    Rig r;
    r.start();
    REQUIRE(r.port.ram.write(kRing, std::array<u64, 2>{r.kHigh + 0x14, 2ull << 32 | 64}));
    r.ask();
    CHECK(r.used() == 0);
    CHECK((get(*r.high, 0x14, 1) & 0x40) != 0);  // DEVICE_NEEDS_RESET
    const u32 msix = r.capability(0x11);
    r.start();
    put(*r.memory, 0x10, r.kHigh + 0x14, 8);
    put(*r.memory, 0x18, 0);
    put(*r.memory, 0x1c, 0);
    put(*r.high, 0x1a, 1, 2);
    r.config(msix + 2, 0x8000, 2);
    r.ask();
    CHECK(r.used() == 1);
    CHECK(get(*r.high, 0x14, 1) == 15);
}

TEST_CASE("pci: mutated snapshots throw or load, and random accesses do no harm", "[pci]") {
    std::mt19937_64 random(9);
    Rig r;
    r.start();
    r.ask();
    const auto image = save_of(*r.device);
    for (std::size_t cut = 0; cut < image.size(); ++cut)
        REQUIRE_THROWS_AS(load_into(*r.device, std::span(image).first(cut)), ArchiveError);
    for (int game = 0; game < 3000; ++game) {
        auto mutated = image;
        for (int i = 0; i < 3; ++i) mutated[random() % mutated.size()] = static_cast<u8>(random());
        try {
            load_into(*r.device, mutated);
        } catch (const ArchiveError&) {}
        r.map(4);
        for (int i = 0; i < 20; ++i) {
            const unsigned bytes = 1u << (random() % 4);
            const u64 offset = random() % 0x4000 / bytes * bytes, value = random() >> (random() % 64);
            Device& window = random() % 2 == 0 ? *r.high : *r.memory;
            (void)window.write(offset, bytes, value);
            (void)r.ecam->write(r.kFunction + offset % 256, bytes, value);
            u64 seen = 0;
            (void)window.read(offset, bytes, seen);
        }
        r.port.advance(*r.device, 100'000, 100);
    }
}
