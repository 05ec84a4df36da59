// virtio-blk: a disk.
//
// The host's I/O is done when a request is taken; its completion is shown at a virtual time that depends on
// nothing but the request: after its bytes have passed a link of 1 byte/ns, one request behind the other, and
// 20 us more. So a slow host disk stalls a guest unseen, and a run is the same on every host.
#include "devices/virtio/block.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <deque>
#include <type_traits>
#include <vector>

#include "devices/virtio/device.hpp"

namespace hartline {
namespace {
using virtio::Chain;

constexpr u32 kDeviceType = 2;
constexpr u32 kQueueSize = 256;
constexpr u64 kSector = 512;
constexpr u64 kLatencyNs = 20'000, kNsAByte = 1;
constexpr u64 kZeroedAByte = 8;  // zeroing counts as moving an eighth of the bytes

// "Block Device", "Feature bits"
constexpr unsigned kSegMax = 2, kRo = 5, kBlkSize = 6, kFlush = 9, kTopology = 10, kDiscard = 13,
                   kWriteZeroes = 14;

enum RequestType : u32 {
    kIn = 0,
    kOut = 1,
    kFlushRequest = 4,
    kGetId = 8,
    kDiscardRequest = 11,
    kZeroRequest = 13
};
enum Status : u8 { kOk = 0, kIoError = 1, kUnsupported = 2 };

// Bounds on what one request makes the host do.
constexpr u64 kMostBytes = 128 << 20;
constexpr u32 kMostDiscardSectors = (128 << 20) / kSector, kMostZeroSectors = (32 << 20) / kSector;
constexpr u64 kPieceBytes = 64 * 1024;

struct RequestHeader {
    u32 type;
    u32 reserved;
    u64 sector;
};
static_assert(sizeof(RequestHeader) == 16);

struct Range {  // of discard and write zeroes
    u64 sector;
    u32 sectors;
    u32 flags;  // bit 0: unmap
};
static_assert(sizeof(Range) == 16);

struct Config {
    u64 capacity = 0;
    u32 size_max = 0;
    u32 seg_max = kQueueSize - 2;
    u32 geometry = 0;
    u32 blk_size = kSector;
    u8 physical_block_exp = 3;
    u8 alignment_offset = 0;
    u16 min_io_size = 1;
    u32 opt_io_size = 0;
    u8 writeback = 0;
    u8 unused0 = 0;
    u16 num_queues = 1;
    u32 max_discard_sectors = kMostDiscardSectors;
    u32 max_discard_seg = 1;
    u32 discard_sector_alignment = 8;
    u32 max_write_zeroes_sectors = kMostZeroSectors;
    u32 max_write_zeroes_seg = 1;
    u8 write_zeroes_may_unmap = 1;
    std::array<u8, 3> unused1{};
    u32 max_secure_erase_sectors = 0;  // not offered
};
static_assert(sizeof(Config) == 64 && offsetof(Config, max_discard_sectors) == 36);
static_assert(std::has_unique_object_representations_v<Config>, "a guest would see padding");

struct Outcome {
    Status status = kIoError;
    u64 written = 0;  // into the writable part, without the status byte
    u64 moved = 0;    // bytes, for the time that it takes
};

class VirtioBlock final : public virtio::VirtioDevice {
public:
    VirtioBlock(DevicePort& port, std::shared_ptr<BlockBackend> backend, std::string serial);

private:
    std::span<const u8> config() const override {
        return std::span(reinterpret_cast<const u8*>(&config_), sizeof config_);
    }
    void serve(unsigned queue) override;
    void forget(unsigned) override;
    void on_due(u32) override;
    void reset_own() override { s_ = State{}; }
    void describe_own(Archive& archive) override;

    u64 submit(const Chain& chain);
    void complete_later(u16 head, const Outcome& outcome);
    Outcome perform(const Chain& chain, const RequestHeader& header);
    Outcome read_sectors(const Chain& chain, u64 sector);
    Outcome write_sectors(const Chain& chain, u64 sector);
    Outcome get_id(const Chain& chain);
    Outcome clear_range(const Chain& chain, bool discard);
    bool in_range(u64 sector, u64 bytes) const;
    // "Device Requirements: Device Operation": without FLUSH the cache is write-through.
    bool make_durable() { return accepted(kFlush) || backend_->flush(); }

    struct InFlight {
        u64 due = 0;
        u32 written = 0;
        u16 head = 0;
    };
    struct State {
        u64 link_free = 0;               // when the link has moved all bytes so far
        std::deque<InFlight> in_flight;  // by due
    } s_;
    std::shared_ptr<BlockBackend> backend_;
    std::string serial_;
    Config config_;
};

constexpr u32 kDue = 0x100;  // the event: the first request in flight is complete

u64 features_of(const BlockBackend& backend) {
    constexpr u64 kAlways = 1u << kSegMax | 1u << kBlkSize | 1u << kFlush | 1u << kTopology;
    return kAlways | (backend.read_only() ? 1u << kRo : 1u << kDiscard | 1u << kWriteZeroes);
}

VirtioBlock::VirtioBlock(DevicePort& port, std::shared_ptr<BlockBackend> backend, std::string serial)
    : VirtioDevice(port, {"virtio_block", kDeviceType, features_of(*backend), {kQueueSize}}),
      backend_(std::move(backend)),
      serial_(std::move(serial)) {
    static_assert(kDue >= kOwnTags);
    config_.capacity = backend_->bytes() / kSector;
}

void VirtioBlock::serve(unsigned queue) {
    drain(
        queue, [] { return true; }, [this](const Chain& chain) { return submit(chain); });
}

// Returns the bytes moved.
u64 VirtioBlock::submit(const Chain& chain) {
    RequestHeader header{};
    const std::span bytes(reinterpret_cast<u8*>(&header), sizeof header);
    if (s_.in_flight.size() >= queue(0).size() || chain.writable_bytes == 0 ||
        copy_in(port().memory(), chain.readable, 0, bytes) != sizeof header) {
        needs_reset();
        return 0;
    }
    const Outcome outcome = perform(chain, header);
    const u8 status = outcome.status;
    copy_out(port().memory(), chain.writable, chain.writable_bytes - 1, std::span(&status, 1));
    complete_later(chain.head, outcome);
    return outcome.moved;
}

void VirtioBlock::complete_later(u16 head, const Outcome& outcome) {
    s_.link_free = std::max(s_.link_free, port().now()) + outcome.moved * kNsAByte;
    s_.in_flight.push_back({s_.link_free + kLatencyNs, static_cast<u32>(outcome.written + 1), head});
    if (s_.in_flight.size() == 1) port().schedule(s_.in_flight.front().due, kDue);
}

void VirtioBlock::on_due(u32) {
    if (!running()) return;
    while (!s_.in_flight.empty() && s_.in_flight.front().due <= port().now()) {
        const InFlight done = s_.in_flight.front();
        s_.in_flight.pop_front();
        give(0, done.head, done.written);
    }
    if (!s_.in_flight.empty()) port().schedule(s_.in_flight.front().due, kDue);
    signal(0);
}

void VirtioBlock::forget(unsigned) {
    s_ = State{};
    port().cancel(kDue);
}

Outcome VirtioBlock::perform(const Chain& chain, const RequestHeader& header) {
    switch (header.type) {
        case kIn: return read_sectors(chain, header.sector);
        case kOut: return write_sectors(chain, header.sector);
        case kFlushRequest: return {.status = backend_->flush() ? kOk : kIoError};
        case kGetId: return get_id(chain);
        case kDiscardRequest: return clear_range(chain, true);
        case kZeroRequest: return clear_range(chain, false);
        default: return {.status = kUnsupported};
    }
}

bool VirtioBlock::in_range(u64 sector, u64 bytes) const {
    return bytes % kSector == 0 && sector <= config_.capacity && bytes / kSector <= config_.capacity - sector;
}

Outcome VirtioBlock::read_sectors(const Chain& chain, u64 sector) {
    const u64 bytes = chain.writable_bytes - 1;
    if (!in_range(sector, bytes) || bytes > kMostBytes) return {};
    std::vector<u8> piece(std::min(bytes, kPieceBytes));
    for (u64 done = 0; done < bytes; done += piece.size()) {
        piece.resize(std::min(bytes - done, kPieceBytes));
        if (!backend_->read(sector * kSector + done, piece)) return {.moved = done};
        copy_out(port().memory(), chain.writable, done, piece);
    }
    return {.status = kOk, .written = bytes, .moved = bytes};
}

Outcome VirtioBlock::write_sectors(const Chain& chain, u64 sector) {
    const u64 bytes = chain.readable_bytes - sizeof(RequestHeader);
    if (backend_->read_only() || !in_range(sector, bytes) || bytes > kMostBytes) return {};
    std::vector<u8> piece(std::min(bytes, kPieceBytes));
    for (u64 done = 0; done < bytes; done += piece.size()) {
        piece.resize(std::min(bytes - done, kPieceBytes));
        copy_in(port().memory(), chain.readable, sizeof(RequestHeader) + done, piece);
        if (!backend_->write(sector * kSector + done, piece)) return {.moved = done};
    }
    return {.status = make_durable() ? kOk : kIoError, .moved = bytes};
}

Outcome VirtioBlock::get_id(const Chain& chain) {
    std::array<u8, 20> id{};
    std::copy_n(serial_.begin(), std::min(serial_.size(), id.size()), id.begin());
    const u64 room = std::min<u64>(id.size(), chain.writable_bytes - 1);
    copy_out(port().memory(), chain.writable, 0, std::span(id).first(room));
    return {.status = kOk, .written = room, .moved = room};
}

// "Device Requirements: Device Operation": unknown flags, and unmap in a discard, are unsupported.
Outcome VirtioBlock::clear_range(const Chain& chain, bool discard) {
    Range range{};
    if (backend_->read_only() || chain.readable_bytes != sizeof(RequestHeader) + sizeof range) return {};
    copy_in(port().memory(), chain.readable, sizeof(RequestHeader),
            std::span(reinterpret_cast<u8*>(&range), sizeof range));
    if ((range.flags & ~(discard ? 0u : 1u)) != 0) return {.status = kUnsupported};
    const u64 offset = range.sector * kSector, bytes = range.sectors * kSector;
    if (!in_range(range.sector, bytes) || range.sectors > (discard ? kMostDiscardSectors : kMostZeroSectors))
        return {};
    const bool unmap = discard || range.flags != 0;
    const bool done =
        (unmap ? backend_->discard(offset, bytes) : backend_->zero(offset, bytes)) && make_durable();
    return {.status = done ? kOk : kIoError, .moved = bytes / kZeroedAByte};
}

// The disk's contents are no part of the machine's state; which disk it is, is.
void VirtioBlock::describe_own(Archive& archive) {
    u64 capacity = config_.capacity, count = s_.in_flight.size();
    archive.field("capacity", capacity);
    archive.require(capacity == config_.capacity, "virtio_block.capacity");
    archive.field("link_free", s_.link_free);
    archive.field("in_flight", count);
    archive.require(count <= queue(0).size(), "virtio_block.in_flight");
    if (archive.loading()) s_.in_flight.resize(count);
    u64 least = 0;
    for (InFlight& request : s_.in_flight) {
        archive.field("due", request.due);
        archive.field("written", request.written);
        archive.field("head", request.head);
        archive.require(request.due >= least && request.head < queue(0).size(), "virtio_block.in_flight");
        least = request.due;
    }
}
}  // namespace

VirtioFactory virtio_block(std::shared_ptr<BlockBackend> backend, std::string serial) {
    return [backend = std::move(backend), serial = std::move(serial)](DevicePort& port) {
        return std::make_unique<VirtioBlock>(port, backend, serial);
    };
}
}  // namespace hartline
