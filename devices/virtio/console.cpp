// virtio-console: one port.
#include "devices/virtio/console.hpp"

#include <algorithm>
#include <vector>

#include "devices/byte_queue.hpp"
#include "devices/virtio/device.hpp"

namespace hartline {
namespace {
using virtio::Chain;

constexpr u32 kDeviceType = 3;
constexpr u64 kSize = 1;  // the feature VIRTIO_CONSOLE_F_SIZE: the configuration holds columns and rows
constexpr unsigned kReceive = 0, kTransmit = 1;
constexpr u32 kQueueSize = 64;
constexpr std::size_t kBacklogBytes = 64 * 1024;
constexpr u64 kMostBytes =
    4 << 20;  // of one buffer to send; a driver that sends more gets DEVICE_NEEDS_RESET
constexpr u64 kPieceBytes = 64 * 1024;

class VirtioConsole final : public virtio::VirtioDevice {
public:
    VirtioConsole(DevicePort& port, ByteSink& sink, ConsoleSize size)
        : VirtioDevice(port, {"virtio_console", kDeviceType, kSize, {kQueueSize, kQueueSize}}), sink_(sink) {
        config_.columns = size.columns;
        config_.rows = size.rows;
    }
    void input(std::span<const u8> bytes) override {
        s_.backlog.append(bytes);
        if (running()) serve(kReceive);
    }
    std::size_t input_room() const override { return s_.backlog.room(); }

private:
    std::span<const u8> config() const override {
        return std::span(reinterpret_cast<const u8*>(&config_), sizeof config_);
    }
    void serve(unsigned queue) override;
    void reset_own() override { s_ = State{}; }
    void describe_own(Archive& archive) override { s_.backlog.describe(archive, "backlog"); }
    u64 receive(const Chain& chain);
    u64 transmit(const Chain& chain);

    struct State {
        ByteQueue backlog{kBacklogBytes};  // it outlives a reset by the driver: typing ahead is not lost
    } s_;
    ByteSink& sink_;
    struct Config {
        u16 columns = 0, rows = 0;
        u32 max_nr_ports = 1, emerg_wr = 0;
    } config_;
    static_assert(sizeof(Config) == 12 && std::has_unique_object_representations_v<Config>);
};

void VirtioConsole::serve(unsigned queue) {
    if (queue == kReceive)
        drain(
            kReceive, [this] { return !s_.backlog.empty(); },
            [this](const Chain& chain) { return receive(chain); });
    else
        drain(
            kTransmit, [] { return true; }, [this](const Chain& chain) { return transmit(chain); });
}

u64 VirtioConsole::receive(const Chain& chain) {
    const std::vector<u8> bytes = s_.backlog.take(std::min<u64>(chain.writable_bytes, kBacklogBytes));
    copy_out(port().memory(), chain.writable, 0, bytes);
    give(kReceive, chain.head, bytes.size());
    return bytes.size();
}

u64 VirtioConsole::transmit(const Chain& chain) {
    if (chain.readable_bytes > kMostBytes) {
        needs_reset();
        return 0;
    }
    std::vector<u8> piece(std::min(chain.readable_bytes, kPieceBytes));
    for (u64 done = 0; done < chain.readable_bytes; done += piece.size()) {
        piece.resize(std::min(chain.readable_bytes - done, kPieceBytes));
        copy_in(port().memory(), chain.readable, done, piece);
        sink_.write(piece);
    }
    give(kTransmit, chain.head, 0);
    return chain.readable_bytes;
}
}  // namespace

VirtioFactory virtio_console(ByteSink& sink, ConsoleSize size) {
    return [&sink, size](DevicePort& port) { return std::make_unique<VirtioConsole>(port, sink, size); };
}
}  // namespace hartline
