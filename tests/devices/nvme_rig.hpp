// An NVMe controller on a bus of its own, driven as Linux does, for tests.
#pragma once
#include <catch2/catch.hpp>

#include "devices/nvme/nvme.hpp"
#include "tests/devices/memory_disk.hpp"
#include "tests/devices/pci_rig.hpp"

namespace hartline::test {
inline constexpr u64 kAdmin = 0x8010'0000, kAdminDone = 0x8011'0000, kIo = 0x8012'0000, kIoDone = 0x8013'0000,
                     kData = 0x8020'0000, kList = 0x8030'0000;
struct NvmeCommand {
    u32 opcode_id = 0, nsid = 0;
    u64 reserved = 0, metadata = 0, prp1 = 0, prp2 = 0;
    std::array<u32, 6> dword{};
};
static_assert(sizeof(NvmeCommand) == 64);
struct NvmeCompletion {
    u32 result, reserved;
    u16 head, queue, id, status;
};

struct NvmeRig : PciRig {
    std::shared_ptr<MemoryDisk> disk;
    std::array<u16, 2> tail{}, head{};
    explicit NvmeRig(bool read_only = false) : NvmeRig(std::make_shared<MemoryDisk>(4 << 20, read_only)) {}
    explicit NvmeRig(std::shared_ptr<MemoryDisk> d, BlockOptions options = {.serial = "serial"})
        : PciRig([d, options](pci::PciSlot slot) { return nvme_controller(slot, d, options); }), disk(d) {
        map(0);
    }
    void enable(u16 entries = 16) {
        put(*high, 0x14, 0);
        tail = head = {};
        REQUIRE(port.ram.write(kAdminDone, std::vector<u8>(0x1'0000)));
        REQUIRE(port.ram.write(kIoDone, std::vector<u8>(0x1'0000)));
        put(*high, 0x24, (entries - 1u) * 0x1'0001);
        put(*high, 0x28, kAdmin, 8);
        put(*high, 0x30, kAdminDone, 8);
        put(*high, 0x14, 0x0046'0001);
    }
    void submit(unsigned queue, const NvmeCommand& command) {
        const u64 base = queue == 0 ? kAdmin : kIo;
        REQUIRE(port.ram.write(base + 64u * tail[queue], command));
        tail[queue] = static_cast<u16>((tail[queue] + 1) % 16);
        put(*high, 0x1000 + 8 * queue, tail[queue]);
        port.advance(*device, 10'000'000);
    }
    NvmeCompletion take(unsigned queue) {
        NvmeCompletion done{};
        REQUIRE(port.ram.read((queue == 0 ? kAdminDone : kIoDone) + 16u * head[queue], done));
        head[queue] = static_cast<u16>((head[queue] + 1) % 16);
        put(*high, 0x1004 + 8 * queue, head[queue]);
        return done;
    }
    // The status without its phase.
    u32 ask(unsigned queue, const NvmeCommand& command) {
        submit(queue, command);
        return take(queue).status >> 1;
    }
    void start() {
        enable();
        REQUIRE(get(*high, 0x1c) == 1);
        REQUIRE(ask(0, {.opcode_id = 5, .prp1 = kIoDone, .dword = {15 << 16 | 1, 3}}) == 0);
        REQUIRE(ask(0, {.opcode_id = 1, .prp1 = kIo, .dword = {15 << 16 | 1, 1 << 16 | 1}}) == 0);
    }
    static NvmeCommand blocks(u32 opcode, u64 prp1, u64 prp2, u32 block, u32 count) {
        return {.opcode_id = opcode, .nsid = 1, .prp1 = prp1, .prp2 = prp2, .dword = {block, 0, count - 1}};
    }
};
}  // namespace hartline::test
