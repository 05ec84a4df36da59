// Boards as built: the device tree, what lies where in memory, and boards side by side.
#include <libfdt.h>

#include <random>

#include "frontend/session/board.hpp"
#include "programs.hpp"
#include "roms/firmware.hpp"

using namespace hartline;
using namespace hartline::test;

namespace {
class TextSink final : public ByteSink {
public:
    void write(std::span<const u8> bytes) override { text.append(bytes.begin(), bytes.end()); }
    std::string text;
};

RunConfig config_for(const std::string& image) {
    RunConfig config;
    config.image = image;
    config.memory = u64{64} << 20;
    config.deterministic = true;
    return config;
}

class Tree {
public:
    explicit Tree(const std::vector<u8>& blob) : blob_(blob) {}
    bool sound() const { return fdt_check_full(blob_.data(), blob_.size()) == 0; }
    bool has(const char* path) const { return fdt_path_offset(blob_.data(), path) >= 0; }
    std::string text(const char* path, const char* name) const {
        const auto bytes = property(path, name);
        return bytes.empty() ? "" : reinterpret_cast<const char*>(bytes.data());
    }
    std::vector<u32> cells(const char* path, const char* name) const {
        const auto bytes = property(path, name);
        std::vector<u32> values;
        for (std::size_t at = 0; at + 4 <= bytes.size(); at += 4) {
            fdt32_t cell;
            std::memcpy(&cell, bytes.data() + at, 4);
            values.push_back(fdt32_to_cpu(cell));
        }
        return values;
    }
    std::span<const u8> property(const char* path, const char* name) const {
        int length = 0;
        const void* data = fdt_getprop(blob_.data(), fdt_path_offset(blob_.data(), path), name, &length);
        return data == nullptr ? std::span<const u8>{}
                               : std::span(static_cast<const u8*>(data), static_cast<std::size_t>(length));
    }

private:
    const std::vector<u8>& blob_;
};

template <class T>
T at(Machine& machine, u64 paddr) {
    T value{};
    REQUIRE(machine.ram().read(paddr, value));
    return value;
}
}  // namespace

TEST_CASE("the_device_tree_has_the_shape_of_virt", "[frontend][board]") {
    const Folder folder;
    RunConfig config = config_for(folder.file("Image", make_image(8192, 1 << 20)));
    config.initrd = folder.file("initrd", std::string(5000, 'i'));
    config.append = "console=ttyS0";
    config.harts = 3;
    TextSink sink;
    Board board(config, sink);
    const Tree tree(board.tree());
    REQUIRE(tree.sound());
    CHECK(tree.text("/", "compatible") == "riscv-virtio");
    CHECK(tree.text("/chosen", "bootargs") == "console=ttyS0");
    CHECK(tree.has(tree.text("/chosen", "stdout-path").c_str()));
    CHECK(tree.property("/chosen", "rng-seed").size() == 32);
    CHECK(tree.cells("/memory@80000000", "reg") == std::vector<u32>{0, 0x8000'0000, 0, 64 << 20});
    CHECK(tree.cells("/cpus", "timebase-frequency") == std::vector<u32>{10'000'000});
    CHECK(tree.text("/cpus/cpu@2", "riscv,isa").starts_with("rv64i"));
    CHECK(tree.text("/cpus/cpu@2", "riscv,isa-base") == "rv64i");
    CHECK(tree.text("/cpus/cpu@2", "riscv,isa-extensions") == "i");  // the first of many
    CHECK(tree.text("/cpus/cpu@2", "mmu-type") == "riscv,sv57");
    CHECK(tree.cells("/cpus/cpu@2", "riscv,cboz-block-size") == std::vector<u32>{64});
    CHECK_FALSE(tree.has("/cpus/cpu@3"));
    CHECK(tree.cells("/cpus/cpu-map/cluster0/core1", "cpu") == tree.cells("/cpus/cpu@1", "phandle"));
    for (const char* node : {"/soc/serial@10000000", "/soc/plic@c000000", "/soc/test@100000",
                             "/soc/rtc@101000", "/soc/clint@2000000", "/soc/virtio_mmio@10008000"})
        CHECK(tree.has(node));
    CHECK(tree.cells("/soc/serial@10000000", "interrupt-parent") ==
          tree.cells("/soc/plic@c000000", "phandle"));
    // Every hart is wired to the PLIC twice: M and S.
    const auto wires = tree.cells("/soc/plic@c000000", "interrupts-extended");
    REQUIRE(wires.size() == 12);
    CHECK(wires[8] == tree.cells("/cpus/cpu@2/interrupt-controller", "phandle").at(0));
}

TEST_CASE("the_virtio_console_is_there_where_it_is_asked_for", "[frontend][board][ports]") {
    const Folder folder;
    RunConfig config = config_for(folder.file("Image", make_image(8192, 1 << 20)));
    TextSink sink;
    constexpr u64 kHostFeatures = 0x10, kMultiport = 2, kSize = 1;
    // Its features; nothing: it is not there.
    const auto features = [&]() -> std::optional<u64> {
        Board board(config, sink);
        CHECK(Tree(board.tree()).has("/soc/virtio_mmio@10007000") ==
              (config.virtio_input || !config.ports.empty()));
        for (const Machine::Attached& attached : board.machine().devices()) {
            u64 value = 0;
            if (attached.base != 0x1000'7000) continue;
            REQUIRE(attached.device->read(kHostFeatures, 4, value));
            return value & (kMultiport | kSize);
        }
        return {};
    };
    CHECK_FALSE(features());
    config.virtio_input = true;
    CHECK(features() == kSize);
    config.ports = {parse_port("a=" + folder.at("out"))};
    CHECK(features() == (kSize | kMultiport));
    config.virtio_input = false;
    CHECK(features() == kMultiport);
}

TEST_CASE("memory_holds_what_the_tree_and_the_rom_say", "[frontend][board]") {
    const Folder folder;
    RunConfig config = config_for(folder.file("Image", make_image(8192, 1 << 20)));
    config.initrd = folder.file("initrd", std::string(5000, 'i'));
    TextSink sink;
    Board board(config, sink);
    Machine& machine = board.machine();
    const Tree tree(board.tree());
    const u64 start = tree.cells("/chosen", "linux,initrd-start").at(1),
              end = tree.cells("/chosen", "linux,initrd-end").at(1);
    CHECK(end - start == 5000);
    CHECK(at<u8>(machine, start) == 'i');
    CHECK(at<u8>(machine, end - 1) == 'i');
    CHECK(at<u8>(machine, end) == 0);
    CHECK(at<u32>(machine, 0x8020'0038) == 0x05435352);
    CHECK(at<u8>(machine, 0x8000'0000) == embedded_firmware()[0]);
    const u64 where = board.boot().hand_over().device_tree;
    CHECK(where % 0x20'0000 == 0);
    CHECK(at<u32>(machine, where) == 0xedfe0dd0);
    CHECK(board.boot().hand_over().start == 0x8000'0000);
    CHECK(board.boot().hand_over().next == 0x8020'0000);
    // ROM: six instructions, then where to go.
    u64 word = 0;
    const auto& rom = *machine.devices().front().device;
    REQUIRE(const_cast<Device&>(rom).read(24, 8, word));
    CHECK(word == 0x8000'0000);
    REQUIRE(const_cast<Device&>(rom).read(40, 8, word));
    CHECK(word == 0x4942534f);
}

TEST_CASE("what_cannot_be_placed_is_refused", "[frontend][board]") {
    const Folder folder;
    TextSink sink;
    RunConfig config = config_for(folder.file("Image", make_image(8192, 1 << 20)));
    config.memory = RunConfig::kLeastMemory;
    const auto line = [&] { return complaint_of([&] { Board(config, sink); }); };
    CHECK(line().empty());
    config.initrd = folder.file("initrd", std::vector<u8>(u64{17} << 20));
    CHECK(line() == config.initrd + ": the initrd is larger than the memory of 16M: give more with --memory");
    folder.file("initrd", std::vector<u8>(u64{15} << 20));
    CHECK(line().find("needs 15M of memory in one piece") != std::string::npos);
    config.initrd = folder.at("none");
    CHECK(line().find("No such file") != std::string::npos);
    config.initrd.clear();
    config.disks = {{folder.at(""), false}};
    CHECK(line().find("is a directory") != std::string::npos);
    config.disks.clear();
    config.firmware = folder.at("none");
    CHECK_FALSE(line().empty());
    // A program where firmware is, but with firmware asked for.
    config.firmware = "default";
    config.image = folder.file("elf", elf_of(spin_program()));
    CHECK(line().find("lies where the firmware is") != std::string::npos);
    config.firmware.clear();
    CHECK(line().empty());
}

TEST_CASE("a_reset_board_is_a_new_board", "[frontend][board]") {
    const Folder folder;
    TextSink sink;
    const RunConfig config = config_for(folder.file("elf", elf_of(spin_program())));
    Board board(config, sink);
    const u64 hash = board.machine().hash();
    board.machine().run(1000);
    CHECK(board.machine().hash() != hash);
    board.reset();
    CHECK(board.machine().hash() == hash);
    folder.file("elf", elf_of(wait_program()));  // another program in the meantime
    CHECK_THROWS_AS(board.reset(), HostError);
}

TEST_CASE("boards_interleaved_in_one_process_end_as_alone", "[frontend][board]") {
    constexpr u64 kTicks = 300'000;
    const Folder folder;
    TextSink sink;
    const RunConfig first = config_for(folder.file("a", elf_of(spin_program())));
    RunConfig second = config_for(folder.file("b", elf_of(echo_program())));
    second.harts = 2;
    const auto alone = [&](const RunConfig& config) {
        Board board(config, sink);
        board.machine().run(kTicks);
        return board.machine().hash();
    };
    Board a(first, sink), b(second, sink);
    std::mt19937 random(1);
    for (Machine *m = &a.machine(), *n = &b.machine(); m->tick() < kTicks || n->tick() < kTicks;
         std::swap(m, n))
        m->run(std::min<u64>(random() % 5000, kTicks - m->tick()));
    CHECK(a.machine().hash() == alone(first));
    CHECK(b.machine().hash() == alone(second));
}
