// virtio-9p: requests go out, answers come in through the journal.
//
// References are to "9P Transport" (device type 9) of virtio 1.2. What a guest has open is no part of the
// machine's state but the server's: a machine that is loaded from a snapshot finds its fids gone (EBADF).
#include "devices/virtio/ninep.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <span>
#include <vector>

#include "devices/share/protocol.hpp"

namespace hartline {
namespace {
using virtio::Chain;
using virtio::Segment;

constexpr u32 kDeviceType = 9;
constexpr u64 kMountTag = 1;     // the feature VIRTIO_9P_MOUNT_TAG: the configuration holds the tag
constexpr u32 kQueueSize = 128;  // as many segments as Linux' driver makes of one request
constexpr u32 kTooLong = 90;     // EMSGSIZE

// "9P Transport", "Device configuration layout": the length of the tag, and the tag.
std::vector<u8> config_of(const std::string& tag) {
    std::vector<u8> config(2 + tag.size());
    config[0] = static_cast<u8>(tag.size());
    std::copy(tag.begin(), tag.end(), config.begin() + 2);
    return config;
}

class VirtioNinep final : public virtio::VirtioDevice {
public:
    VirtioNinep(DevicePort& port, std::shared_ptr<share::Channel> channel, const std::string& tag)
        : VirtioDevice(port, {"virtio_9p", kDeviceType, kMountTag, {kQueueSize}}),
          channel_(std::move(channel)),
          config_(config_of(tag)) {}
    void input(std::span<const u8> bytes) override;

private:
    std::span<const u8> config() const override { return config_; }
    void serve(unsigned queue) override;
    void forget(unsigned) override;
    void reset_own() override {
        forget(0);
        s_ = State{};
    }
    void describe_own(Archive& archive) override;
    u64 submit(const Chain& chain);
    void finish(u16 head, std::span<const Segment> writable, std::span<const u8> answer);

    struct InFlight {
        u32 ticket = 0;
        u16 head = 0;
        std::vector<Segment> writable;
    };
    struct State {
        u32 next_ticket = 0;
        std::vector<InFlight> in_flight;  // at most one a descriptor of the queue
    } s_;
    static_assert(sizeof(State) == 32, "VirtioNinep::State changed: extend describe_own()");
    // Counts resets, and is not reset: an answer from before one finds nobody (CVE-2021-3748).
    u32 epoch_ = 0;
    std::shared_ptr<share::Channel> channel_;
    std::vector<u8> config_;
};

void VirtioNinep::serve(unsigned number) {
    drain(
        number, [this] { return s_.in_flight.size() < queue(0).size(); },
        [this](const Chain& chain) { return submit(chain); });
}

// Returns the bytes moved.
u64 VirtioNinep::submit(const Chain& chain) {
    if (chain.readable_bytes < share::kHeaderBytes || chain.readable_bytes > share::kMostMessage ||
        chain.writable_bytes < share::kHeaderBytes) {
        needs_reset();
        return 0;
    }
    std::vector<u8> request(static_cast<std::size_t>(chain.readable_bytes));
    copy_in(port().memory(), chain.readable, 0, request);
    const u32 ticket = s_.next_ticket++;
    s_.in_flight.push_back({ticket, chain.head, chain.writable});
    channel_->submit({epoch_, ticket}, std::move(request));
    return chain.readable_bytes;
}

void VirtioNinep::input(std::span<const u8> bytes) {
    share::Ticket ticket;
    if (bytes.size() < sizeof ticket + share::kHeaderBytes) return;
    std::memcpy(&ticket, bytes.data(), sizeof ticket);
    const auto at = std::find_if(s_.in_flight.begin(), s_.in_flight.end(), [&](const InFlight& request) {
        return ticket.epoch == epoch_ && request.ticket == ticket.number;
    });
    if (at == s_.in_flight.end() || !running()) return;
    const InFlight request = std::move(*at);
    s_.in_flight.erase(at);
    finish(request.head, request.writable, bytes.subspan(sizeof ticket));
    serve(0);  // there may be requests that had to wait for room; it signals too
}

// An answer that the guest left no room for is an error, as far as that fits.
void VirtioNinep::finish(u16 head, std::span<const Segment> writable, std::span<const u8> answer) {
    u64 room = 0;
    for (const Segment& segment : writable) room += segment.bytes;
    std::array<u8, share::kHeaderBytes + 4> refusal{sizeof refusal,  0,         0,         0,
                                                    share::kRlerror, answer[5], answer[6], kTooLong};
    if (answer.size() > room) answer = refusal;
    const u64 written = answer.size() <= room ? answer.size() : 0;
    if (written != 0) copy_out(port().memory(), writable, 0, answer);
    give(0, head, written);
}

void VirtioNinep::forget(unsigned) {
    s_.in_flight.clear();
    ++epoch_;
    channel_->reset();
}

void VirtioNinep::describe_own(Archive& archive) {
    u64 count = s_.in_flight.size();
    archive.field("next_ticket", s_.next_ticket);
    archive.field("in_flight", count);
    archive.require(count <= kQueueSize, "virtio_9p.in_flight");
    if (archive.loading()) s_.in_flight.resize(static_cast<std::size_t>(count));
    for (InFlight& request : s_.in_flight) {
        u64 segments = request.writable.size();
        archive.field("ticket", request.ticket);
        archive.field("head", request.head);
        archive.field("segments", segments);
        archive.require(request.head < queue(0).size() && segments <= virtio::Queue::kMostSize,
                        "virtio_9p.in_flight");
        if (archive.loading()) request.writable.resize(static_cast<std::size_t>(segments));
        for (Segment& segment : request.writable) {
            archive.field("address", segment.address);
            archive.field("bytes", segment.bytes);
        }
    }
}
}  // namespace

VirtioFactory virtio_ninep(std::shared_ptr<share::Channel> channel, const std::string& tag) {
    return [channel = std::move(channel), tag](DevicePort& port) {
        return std::make_unique<VirtioNinep>(port, channel, tag);
    };
}
}  // namespace hartline
