// virtio-rng: random bytes that are the same in every run of a seed.
//
// ChaCha20 in counter mode (RFC 8439), keyed with the seed. Each request begins a block of its own.
#include "devices/virtio/entropy.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "devices/virtio/device.hpp"

namespace hartline {
namespace {
using virtio::Chain;

constexpr u32 kDeviceType = 4;
constexpr u32 kQueueSize = 16;
constexpr u64 kMostBytes = 64 * 1024;  // of one buffer; the device may fill less than it is given

using Block = std::array<u32, 16>;

// RFC 8439, "The ChaCha Quarter Round"
void quarter_round(Block& x, unsigned a, unsigned b, unsigned c, unsigned d) {
    x[a] += x[b], x[d] = std::rotl(x[d] ^ x[a], 16);
    x[c] += x[d], x[b] = std::rotl(x[b] ^ x[c], 12);
    x[a] += x[b], x[d] = std::rotl(x[d] ^ x[a], 8);
    x[c] += x[d], x[b] = std::rotl(x[b] ^ x[c], 7);
}

// The nonce is zero; key words beyond the seed are too.
Block chacha20(u64 seed, u64 counter) {
    const Block start{0x6170'7865,
                      0x3320'646e,
                      0x7962'2d32,
                      0x6b20'6574,
                      static_cast<u32>(seed),
                      static_cast<u32>(seed >> 32),
                      0,
                      0,
                      0,
                      0,
                      0,
                      0,
                      static_cast<u32>(counter),
                      static_cast<u32>(counter >> 32),
                      0,
                      0};
    Block x = start;
    for (unsigned round = 0; round < 20; round += 2) {
        for (unsigned i = 0; i < 4; ++i) quarter_round(x, i, i + 4, i + 8, i + 12);
        for (unsigned i = 0; i < 4; ++i)
            quarter_round(x, i, (i + 1) % 4 + 4, (i + 2) % 4 + 8, (i + 3) % 4 + 12);
    }
    for (unsigned i = 0; i < x.size(); ++i) x[i] += start[i];
    return x;
}

class VirtioEntropy final : public virtio::VirtioDevice {
public:
    VirtioEntropy(DevicePort& port, u64 seed)
        : VirtioDevice(port, {"virtio_entropy", kDeviceType, 0, {kQueueSize}}), seed_(seed) {
        s_.seed = seed;
    }

private:
    void serve(unsigned queue) override {
        drain(
            queue, [] { return true; }, [this](const Chain& chain) { return fill(chain); });
    }
    void reset_own() override { s_ = State{.seed = seed_}; }
    void describe_own(Archive& archive) override {
        archive.field("seed", s_.seed);
        archive.field("counter", s_.counter);
    }
    u64 fill(const Chain& chain);

    struct State {
        u64 seed = 0;
        u64 counter = 0;  // of blocks used
    } s_;
    static_assert(sizeof(State) == 16, "VirtioEntropy::State changed: extend describe_own()");
    u64 seed_;
};

u64 VirtioEntropy::fill(const Chain& chain) {
    const u64 bytes = std::min(chain.writable_bytes, kMostBytes);
    for (u64 done = 0; done < bytes; done += sizeof(Block)) {
        const Block block = chacha20(s_.seed, s_.counter++);
        const std::span all(reinterpret_cast<const u8*>(block.data()), sizeof block);
        copy_out(port().memory(), chain.writable, done, all.first(std::min<u64>(bytes - done, sizeof block)));
    }
    give(0, chain.head, bytes);
    return bytes;
}
}  // namespace

VirtioFactory virtio_entropy(u64 seed) {
    return [seed](DevicePort& port) { return std::make_unique<VirtioEntropy>(port, seed); };
}
}  // namespace hartline
