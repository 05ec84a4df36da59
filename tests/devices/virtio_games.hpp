// The fuzzers' games with a disk and with a network card.
#pragma once
#include "devices/virtio/block.hpp"
#include "devices/virtio/mmio.hpp"
#include "devices/virtio/net.hpp"
#include "tests/devices/memory_disk.hpp"
#include "tests/devices/virtio_game.hpp"

namespace hartline::test {

inline void disk_request(VirtioGame& game, Moves& moves) {
    const u64 header = VirtioGame::kScratch + moves.number<u8>() * 16;
    static constexpr std::array<u32, 8> kTypes{0, 1, 4, 8, 11, 13, 0, 14};
    const u32 type = kTypes[moves.number<u8>() % kTypes.size()];
    const auto sector = [&] { return moves.number<u16>() % 2064u; };  // of a disk of 2048
    game.driver.store(header, std::array<u32, 4>{type, 0, sector(), 0});
    const u64 range = VirtioGame::kScratch + 0x1000;  // of discards and zeroing
    game.driver.store(range, std::array<u32, 4>{sector(), 0, moves.number<u16>(), type & 1});
    std::vector<VirtioDriver::Buffer> buffers{{header, 16}};
    if (type == 11 || type == 13) buffers.push_back({range, 16});
    for (unsigned left = moves.number<u8>() % 4; left != 0; --left) {
        const u64 at = game.address(moves);
        const u16 bytes = moves.number<u16>();
        buffers.push_back({at, (bytes & 1) != 0 ? bytes : bytes % 16 * 512u, type == 0 || type == 8});
    }
    buffers.push_back({VirtioGame::kScratch + 0x2000, 1, true});
    if (game.driver.free < 0x801f'0000) game.driver.submit_indirect(0, buffers);
}

// The first byte says what disk it is.
inline void fuzz_virtio_blk(std::span<const u8> input) {
    if (input.empty()) return;
    const u8 how = input[0];
    const auto disk = std::make_shared<MemoryDisk>(u64{1} << 20, (how & 1) != 0);
    disk->failing = (how & 2) != 0;
    BlockOptions options;
    options.discard = (how & 4) == 0;
    options.exact = (how & 8) == 0;
    if ((how & 16) != 0) options.pool = std::make_shared<IoPool>(2);
    VirtioGame game(virtio_mmio(virtio_block(disk, options)), 1, disk_request);
    game.play(input.subspan(1));
}

// A network that does with frames what all do: trusts what is sound, and cuts and sums it.
struct CuttingNetwork final : net::NetBackend {
    void open(net::Deliver) override {}
    void close() override {}
    void send(net::Frame frame) override {
        if (!net::sound(frame)) __builtin_trap();
        if (frame.offload.gso_type == net::kGsoNone) return net::finish_checksum(frame);
        (void)net::segment(frame, [](net::Frame&& cut) {
            if (cut.bytes.size() > net::kMostFrameBytes) __builtin_trap();
        });
    }
    void taken(u64) override {}
};

// Receive buffers, frames to send, commands.
inline void card_request(VirtioGame& game, Moves& moves) {
    const u32 number = game.queue(moves);
    const u64 at = VirtioGame::kScratch + moves.number<u8>() * 64, after = VirtioGame::kScratch + 0x8000;
    const u16 room = moves.number<u16>();
    std::vector<VirtioDriver::Buffer> buffers;
    if (number != 0) {
        const auto bytes = moves.bytes(moves.number<u8>());
        if (!game.port.ram.write(at, bytes)) __builtin_trap();
        const auto size = static_cast<u32>(bytes.size()), cut = moves.number<u8>() % (size + 1);
        buffers = {{at, cut}, {at + cut, size - cut}, {after, room % 2048u}};
        if (number == 2) buffers.back() = {after, 1, true};
    } else {
        buffers = {{after, room % 0x4000u, true}, {after + 0x4000, moves.number<u16>(), true}};
    }
    if (game.driver.free < 0x801f'0000) game.driver.submit_indirect(number, buffers);
}

inline void fuzz_virtio_net(std::span<const u8> input) {
    VirtioGame game(virtio_mmio(virtio_net(std::make_shared<CuttingNetwork>())), 3, card_request);
    game.play(input);
}
}  // namespace hartline::test
