// virtio-net: a network card.
//
// References are to "Network Device" of virtio 1.2. Frames come in through the journal and wait in the card
// until the guest has buffers for them; what comes while too many wait is lost, as on a wire. A frame with
// more work left on it than the guest accepted (a sum, segments to cut) has that done here.
#include "devices/virtio/net.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <deque>
#include <type_traits>
#include <vector>

#include "devices/net/filter.hpp"
#include "devices/virtio/device.hpp"

namespace hartline {
namespace {
using net::Frame;
using net::ReceiveFilter;
using virtio::Chain;
using virtio::Segment;

constexpr u32 kDeviceType = 1;
constexpr unsigned kReceive = 0, kTransmit = 1, kControl = 2;
constexpr u32 kQueueSize = 256, kControlSize = 64;

// "Feature bits"
constexpr unsigned kCsum = 0, kGuestCsum = 1, kCtrlGuestOffloads = 2, kMtu = 3, kMac = 5, kGuestTso4 = 7,
                   kGuestTso6 = 8, kGuestEcn = 9, kHostTso4 = 11, kHostTso6 = 12, kHostEcn = 13,
                   kMrgRxbuf = 15, kStatus = 16, kCtrlVq = 17, kCtrlRx = 18, kCtrlVlan = 19,
                   kCtrlRxExtra = 20, kGuestAnnounce = 21, kCtrlMacAddr = 23, kVersion1 = 32, kGuestUso4 = 54,
                   kGuestUso6 = 55, kHostUso = 56;
constexpr u64 mask_of(std::initializer_list<unsigned> features) {
    u64 mask = 0;
    for (const unsigned feature : features) mask |= u64{1} << feature;
    return mask;
}
// "Setting Offloads State": those that a driver may switch while it runs.
constexpr u64 kGuestOffloads =
    mask_of({kGuestCsum, kGuestTso4, kGuestTso6, kGuestEcn, kGuestUso4, kGuestUso6});
constexpr u64 kFeatures =
    kGuestOffloads |
    mask_of({kCsum, kCtrlGuestOffloads, kMtu, kMac, kHostTso4, kHostTso6, kHostEcn, kMrgRxbuf, kStatus,
             kCtrlVq, kCtrlRx, kCtrlVlan, kCtrlRxExtra, kGuestAnnounce, kCtrlMacAddr, kHostUso});

constexpr u16 kLinkUp = 1, kAnnounce = 2;  // of the configuration's status

struct Header {
    net::Offload offload;
    u16 buffers = 1;  // that a received frame is spread over
};
static_assert(sizeof(Header) == 12);

constexpr u64 kBacklogBytes = 1 << 20;  // of frames that wait for buffers
constexpr std::size_t kBacklogFrames = 8192;
constexpr u64 kMostCommandBytes = 64 * 1024;  // of one control command

enum Class : u8 { kRx = 0, kMacClass = 1, kVlan = 2, kAnnounceClass = 3, kOffloads = 5 };
constexpr u8 kAckOk = 0, kAckError = 1;

// Input is looked at where a budget ends, so while packets flow budgets are cut: an answer comes after tens
// of microseconds, not after a turn of milliseconds. What the guest does decides when, so runs stay the same.
constexpr u32 kLook = 0x100;  // the event
constexpr u64 kLookNs = 50'000;
constexpr u32 kLooks = 20;  // after the last packet

class VirtioNet final : public virtio::VirtioDevice {
public:
    VirtioNet(DevicePort& port, std::shared_ptr<net::NetBackend> backend, const NetCardConfig& card);
    void input(std::span<const u8> record) override;
    std::size_t input_room() const override { return kBacklogBytes - backlog_bytes(); }

private:
    std::span<const u8> config() const override {
        return std::span(reinterpret_cast<const u8*>(&config_), sizeof config_);
    }
    void serve(unsigned queue) override;
    void forget(unsigned queue) override;
    void on_due(u32) override;
    void reset_own() override;
    void describe_own(Archive& archive) override;
    void describe_backlog(Archive& archive);

    // --- receiving
    struct Waiting {
        Frame frame;
        u64 credit = 0;  // of the backend; no state of the machine
    };
    u64 backlog_bytes() const;
    void input_frame(std::span<const u8> record);
    void set_link(bool up);
    void receive();
    bool suits(const Frame& frame) const;
    void adapt();
    void drop_front();
    void drop_all();
    bool place(const Frame& frame);
    bool gather(u64 wanted);

    // --- transmitting
    u64 transmit(const Chain& chain);
    bool may_send(const net::Offload& offload) const;
    u64 header_bytes() const { return accepted(kVersion1) || accepted(kMrgRxbuf) ? 12 : 10; }

    // --- control
    u64 command(const Chain& chain);
    bool obey(u8 kind, u8 number, std::span<const u8> data);
    bool set_mac(std::span<const u8> data);
    bool set_offloads(std::span<const u8> data);
    u64 guest_offloads() const;

    void look_often();
    void show_config();

    struct State {
        net::Mac mac{};
        bool link = true, announce = false;
        bool offloads_set = false;  // by the driver, to:
        u64 offloads = 0;
        u32 looks = 0;  // left
    } s_;
    static_assert(sizeof(State) == 32, "VirtioNet::State changed: extend describe_own()");
    std::deque<Waiting> backlog_;  // state too
    u64 backlog_bytes_ = 0;
    ReceiveFilter filter_;
    std::shared_ptr<net::NetBackend> backend_;
    NetCardConfig card_;
    struct Config {
        net::Mac mac{};
        u16 status = 0, max_virtqueue_pairs = 1, mtu = 0;
    } config_;
    static_assert(sizeof(Config) == 12 && std::has_unique_object_representations_v<Config>);
    // Buffers taken for one frame; kept between calls for their memory only.
    std::vector<Segment> room_;
    std::vector<std::pair<u16, u64>> taken_;  // heads, and the bytes of each
};

VirtioNet::VirtioNet(DevicePort& port, std::shared_ptr<net::NetBackend> backend, const NetCardConfig& card)
    : VirtioDevice(port, {"virtio_net", kDeviceType, kFeatures, {kQueueSize, kQueueSize, kControlSize}}),
      backend_(std::move(backend)),
      card_(card) {
    static_assert(kLook >= kOwnTags);
    s_.mac = card_.mac;
    show_config();
}

void VirtioNet::show_config() {
    config_.mac = s_.mac;
    config_.status = static_cast<u16>((s_.link ? kLinkUp : 0) | (s_.announce ? kAnnounce : 0));
    config_.mtu = card_.mtu;
}

void VirtioNet::serve(unsigned queue) {
    if (queue == kReceive) return receive();
    drain(
        queue, [] { return true; },
        [&](const Chain& chain) { return queue == kTransmit ? transmit(chain) : command(chain); });
}

// CVE-2021-3748: nothing of a queue is held between two calls, so there is nothing to hold too long.
void VirtioNet::forget(unsigned queue) {
    if (queue != kReceive) return;
    drop_all();
    port().cancel(kLook);
    filter_.reset();
    s_ = State{.mac = card_.mac, .link = s_.link};
    show_config();
}

void VirtioNet::reset_own() {
    drop_all();
    filter_.reset();
    s_ = State{.mac = card_.mac};
    show_config();
}

void VirtioNet::look_often() {
    if (std::exchange(s_.looks, kLooks) == 0) port().schedule(port().now() + kLookNs, kLook);
}

void VirtioNet::on_due(u32) {
    if (s_.looks != 0 && --s_.looks != 0) port().schedule(port().now() + kLookNs, kLook);
}

// --- receiving

u64 VirtioNet::backlog_bytes() const { return std::min(backlog_bytes_, kBacklogBytes); }

void VirtioNet::input(std::span<const u8> record) {
    if (record.empty()) return;
    switch (static_cast<net::RecordKind>(record[0])) {
        case net::RecordKind::Frame: return input_frame(record);
        case net::RecordKind::LinkDown: return set_link(false);
        case net::RecordKind::LinkUp: return set_link(true);
        case net::RecordKind::Announce:
            if (!running() || !accepted(kGuestAnnounce)) return;
            s_.announce = true;
            show_config();
            return config_changed();
    }
}

void VirtioNet::set_link(bool up) {
    if (std::exchange(s_.link, up) == up) return;
    show_config();
    config_changed();
}

void VirtioNet::input_frame(std::span<const u8> record) {
    Waiting waiting{.frame = {}, .credit = record.size()};
    const bool wanted = running() && s_.link && net::frame_of(record, waiting.frame) &&
                        net::sound(waiting.frame) && backlog_.size() < kBacklogFrames &&
                        backlog_bytes_ + waiting.frame.bytes.size() <= kBacklogBytes &&
                        filter_.accepts(waiting.frame.bytes, s_.mac, accepted(kCtrlVlan));
    if (!wanted) return backend_->taken(record.size());
    waiting.frame.offload.flags &= net::kNeedsCsum | net::kDataValid;
    backlog_bytes_ += waiting.frame.bytes.size();
    backlog_.push_back(std::move(waiting));
    receive();
}

void VirtioNet::drop_front() {
    backlog_bytes_ -= backlog_.front().frame.bytes.size();
    if (const u64 credit = backlog_.front().credit; credit != 0) backend_->taken(credit);
    backlog_.pop_front();
}

void VirtioNet::drop_all() {
    while (!backlog_.empty()) drop_front();
}

u64 VirtioNet::guest_offloads() const {
    u64 all = 0;
    for (unsigned feature = 0; feature < 64; ++feature)
        if (bit(kGuestOffloads, feature) != 0 && accepted(feature)) all |= u64{1} << feature;
    return s_.offloads_set ? all & s_.offloads : all;
}

// Has the guest accepted to do what is left to do?
bool VirtioNet::suits(const Frame& frame) const {
    const u64 guest = guest_offloads();
    if ((frame.offload.flags & net::kNeedsCsum) != 0 && bit(guest, kGuestCsum) == 0) return false;
    const u8 type = frame.offload.gso_type;
    if ((type & net::kGsoEcn) != 0 && bit(guest, kGuestEcn) == 0) return false;
    switch (type & ~net::kGsoEcn) {
        case net::kGsoNone: return type == net::kGsoNone;
        case net::kGsoTcp4: return bit(guest, kGuestTso4) != 0;
        case net::kGsoTcp6: return bit(guest, kGuestTso6) != 0;
        case net::kGsoUdp: return bit(guest, kGuestUso4) != 0 && bit(guest, kGuestUso6) != 0;
        default: return false;
    }
}

// Does the work on the oldest frame here. It may become several, or none.
void VirtioNet::adapt() {
    Waiting whole = std::move(backlog_.front());
    backlog_.pop_front();
    backlog_bytes_ -= whole.frame.bytes.size();
    std::vector<Frame> frames;
    if (whole.frame.offload.gso_type == net::kGsoNone) {
        net::finish_checksum(whole.frame);
        frames.push_back(std::move(whole.frame));
    } else {
        net::segment(whole.frame, [&](Frame&& piece) { frames.push_back(std::move(piece)); });
    }
    if (frames.empty()) return backend_->taken(whole.credit);
    u64 credit = whole.credit;  // goes with the last
    for (auto frame = frames.rbegin(); frame != frames.rend(); ++frame) {
        backlog_bytes_ += frame->bytes.size();
        backlog_.push_front({std::move(*frame), std::exchange(credit, 0)});
    }
}

void VirtioNet::receive() {
    u64 bytes = 0;
    bool received = false;
    for (unsigned frames = 0; running() && !backlog_.empty(); ++frames) {
        if (frames == kChainsAKick || bytes >= kBytesAKick) {
            work_later(kReceive);
            break;
        }
        if (!suits(backlog_.front().frame)) {
            adapt();
            continue;
        }
        if (!place(backlog_.front().frame)) break;
        bytes += backlog_.front().frame.bytes.size();
        received = true;
        drop_front();
    }
    if (received) look_often();
    signal(kReceive);
}

// Takes buffers until they hold `wanted` bytes. false: there are not enough of them, and all are given back.
bool VirtioNet::gather(u64 wanted) {
    room_.clear();
    taken_.clear();
    u64 held = 0;
    const unsigned most = accepted(kMrgRxbuf) ? queue(kReceive).size() : 1;
    while (held < wanted) {
        Chain chain;
        if (taken_.size() == most || !take(kReceive, chain)) break;
        if (chain.writable_bytes < (taken_.empty() ? header_bytes() : 1)) {
            needs_reset();
            return false;
        }
        room_.insert(room_.end(), chain.writable.begin(), chain.writable.end());
        taken_.emplace_back(chain.head, chain.writable_bytes);
        held += chain.writable_bytes;
    }
    if (held >= wanted) return true;
    untake(kReceive, static_cast<u16>(taken_.size()));
    return false;
}

// Writes a frame to the guest. false: it has no buffers for it now. One that can never be placed, as its
// buffers are too small, counts as placed.
bool VirtioNet::place(const Frame& frame) {
    const u64 head = header_bytes(), wanted = head + frame.bytes.size();
    if (!gather(wanted))
        return running() && taken_.size() == (accepted(kMrgRxbuf) ? queue(kReceive).size() : 1);
    Header header{.offload = frame.offload, .buffers = static_cast<u16>(taken_.size())};
    if (bit(guest_offloads(), kGuestCsum) == 0) header.offload.flags = 0;
    Ram& ram = port().memory();
    virtio::copy_out(ram, room_, 0, std::span(reinterpret_cast<const u8*>(&header), head));
    virtio::copy_out(ram, room_, head, frame.bytes);
    u64 left = wanted;
    for (const auto& [buffer, bytes] : taken_) {
        const u64 written = std::min(left, bytes);
        give(kReceive, buffer, written);
        left -= written;
    }
    return true;
}

// --- transmitting

bool VirtioNet::may_send(const net::Offload& offload) const {
    if ((offload.flags & net::kNeedsCsum) != 0 && !accepted(kCsum)) return false;
    if ((offload.gso_type & net::kGsoEcn) != 0 && !accepted(kHostEcn)) return false;
    switch (offload.gso_type & ~net::kGsoEcn) {
        case net::kGsoNone: return offload.gso_type == net::kGsoNone;
        case net::kGsoTcp4: return accepted(kHostTso4);
        case net::kGsoTcp6: return accepted(kHostTso6);
        case net::kGsoUdp: return accepted(kHostUso);
        default: return false;
    }
}

// CVE-2023-6693: the header is read into a struct of its own, and its length comes from one place. A frame
// that is none, or whose header lies, is lost; a chain that cannot be of a driver breaks the device.
u64 VirtioNet::transmit(const Chain& chain) {
    const u64 head = header_bytes();
    if (chain.readable_bytes < head || !chain.writable.empty()) {
        needs_reset();
        return 0;
    }
    const u64 size = chain.readable_bytes - head;
    if (size >= net::kEthernetBytes && size <= net::kMostFrameBytes && s_.link) {
        Frame frame;
        Ram& ram = port().memory();
        virtio::copy_in(ram, chain.readable, 0,
                        std::span(reinterpret_cast<u8*>(&frame.offload), sizeof frame.offload));
        frame.bytes.resize(size);
        virtio::copy_in(ram, chain.readable, head, frame.bytes);
        frame.offload.flags &= net::kNeedsCsum;
        if (may_send(frame.offload) && net::sound(frame)) backend_->send(std::move(frame));
    }
    give(kTransmit, chain.head, 0);
    look_often();
    return std::max<u64>(std::min(size, net::kMostFrameBytes), 64);
}

// --- control

// "Control Virtqueue": two bytes and data to read, one byte to write.
u64 VirtioNet::command(const Chain& chain) {
    if (chain.readable_bytes < 2 || chain.writable_bytes < 1) {
        needs_reset();
        return 0;
    }
    std::vector<u8> bytes(std::min(chain.readable_bytes, kMostCommandBytes + 1));
    virtio::copy_in(port().memory(), chain.readable, 0, bytes);
    const bool whole = bytes.size() <= kMostCommandBytes;
    const u8 ack =
        whole && obey(bytes[0], bytes[1], std::span<const u8>(bytes).subspan(2)) ? kAckOk : kAckError;
    virtio::copy_out(port().memory(), chain.writable, 0, std::span(&ack, 1));
    give(kControl, chain.head, 1);
    return bytes.size();
}

bool VirtioNet::obey(u8 kind, u8 number, std::span<const u8> data) {
    switch (kind) {
        case kRx:
            if (!accepted(number < 2 ? kCtrlRx : kCtrlRxExtra) || number >= ReceiveFilter::kModes ||
                data.size() != 1 || data[0] > 1)
                return false;
            filter_.set_mode(static_cast<ReceiveFilter::Mode>(number), data[0] != 0);
            return true;
        case kMacClass:
            if (number == 0) return accepted(kCtrlRx) && filter_.set_tables(data);
            return number == 1 && accepted(kCtrlMacAddr) && set_mac(data);
        case kVlan:
            return accepted(kCtrlVlan) && number < 2 && data.size() == 2 &&
                   filter_.set_vlan(data[0] | static_cast<unsigned>(data[1]) << 8, number == 0);
        case kAnnounceClass:
            if (!accepted(kGuestAnnounce) || number != 0 || !s_.announce) return false;
            s_.announce = false;
            show_config();
            return true;
        case kOffloads: return accepted(kCtrlGuestOffloads) && number == 0 && set_offloads(data);
        default: return false;  // CVE-2024-6505: what was not offered (RSS) has no path in
    }
}

bool VirtioNet::set_mac(std::span<const u8> data) {
    if (data.size() != s_.mac.size()) return false;
    std::copy(data.begin(), data.end(), s_.mac.begin());
    show_config();
    return true;
}

bool VirtioNet::set_offloads(std::span<const u8> data) {
    u64 wanted = 0;
    if (data.size() != sizeof wanted) return false;
    std::memcpy(&wanted, data.data(), sizeof wanted);
    const bool set = std::exchange(s_.offloads_set, false);
    const u64 possible = guest_offloads();
    s_.offloads_set = set;
    if ((wanted & ~possible) != 0) return false;
    s_.offloads_set = true;
    s_.offloads = wanted;
    return true;
}

// --- state

void VirtioNet::describe_own(Archive& archive) {
    u16 mtu = card_.mtu;
    archive.field("mtu", mtu);
    archive.require(mtu == card_.mtu, "virtio_net.mtu");
    archive.field("mac", s_.mac);
    archive.field("link", s_.link);
    archive.field("announce", s_.announce);
    archive.field("offloads_set", s_.offloads_set);
    archive.field("offloads", s_.offloads);
    archive.field("looks", s_.looks);
    archive.require(s_.looks <= kLooks, "virtio_net.looks");
    filter_.describe(archive);
    describe_backlog(archive);
    if (archive.loading()) show_config();
}

// A frame that was cut is more bytes than it was, by its headers.
void VirtioNet::describe_backlog(Archive& archive) {
    u64 count = backlog_.size();
    archive.field("backlog", count);
    archive.require(count <= kBacklogFrames + net::kMostSegments, "virtio_net.backlog");
    if (archive.loading()) {
        drop_all();
        backlog_.resize(count);
    }
    for (Waiting& waiting : backlog_) {
        net::Offload& offload = waiting.frame.offload;
        archive.field("flags", offload.flags);
        archive.field("gso_type", offload.gso_type);
        archive.field("header_bytes", offload.header_bytes);
        archive.field("gso_size", offload.gso_size);
        archive.field("csum_start", offload.csum_start);
        archive.field("csum_offset", offload.csum_offset);
        archive.field("frame", waiting.frame.bytes, net::kMostFrameBytes);
        archive.require(net::sound(waiting.frame), "virtio_net.frame");
        if (archive.loading()) backlog_bytes_ += waiting.frame.bytes.size();
    }
}
}  // namespace

VirtioFactory virtio_net(std::shared_ptr<net::NetBackend> backend, const NetCardConfig& card) {
    return [backend = std::move(backend), card](DevicePort& port) {
        return std::make_unique<VirtioNet>(port, backend, card);
    };
}
}  // namespace hartline
