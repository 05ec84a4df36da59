// virtio-blk: a disk.
//
// A request goes to the host when it is taken, with a copy of what it writes, and is done by the threads of a
// pool. It completes at a virtual time that depends on nothing but the request: after its bytes have passed a
// link, one request behind the other, and some time more. Only then, and on the machine's thread, does it
// reach guest memory; a host that is not done by then is waited for. So a slow host disk stalls a guest
// unseen, and a run is the same on every host.
#include "devices/virtio/block.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <deque>
#include <type_traits>
#include <vector>

#include "devices/storage/disk_queue.hpp"
#include "devices/virtio/device.hpp"

namespace hartline {
namespace {
using virtio::Chain;
using virtio::Segment;

constexpr u32 kDeviceType = 2;
constexpr u32 kQueueSize = 256;
constexpr u64 kSector = 512;
constexpr u64 kLatencyNs = 20'000, kBytesANs = 4;
constexpr u64 kZeroedAByte = 8;  // zeroing counts as moving an eighth of the bytes

// "Block Device", "Feature bits"
constexpr unsigned kSegMax = 2, kRo = 5, kBlkSize = 6, kFlush = 9, kTopology = 10, kConfigWce = 11,
                   kDiscard = 13, kWriteZeroes = 14;

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
constexpr u64 kMostHeldBytes = 16 << 20;                     // in flight, before another is taken
constexpr u64 kLookAgainNs = 50'000;                         // at a host that is late
constexpr u64 kMostSegments = 2 * virtio::Queue::kMostSize;  // of a chain: in the ring, in an indirect table

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

class VirtioBlock final : public virtio::VirtioDevice {
public:
    VirtioBlock(DevicePort& port, std::shared_ptr<BlockBackend> backend, BlockOptions options);
    void write_config(u64 offset, unsigned bytes, u64 value) override;

private:
    using Request = std::shared_ptr<DiskRequest>;
    enum class CacheMode : u8 { WriteThrough, WriteBack, Default };
    struct InFlight {
        u64 due = 0;
        u16 head = 0;
        Status status = kOk;     // where there is nothing that could fail
        u64 writable_bytes = 0;  // with the status byte, which is the last
        std::vector<Segment> writable;
        Request io;     // null: nothing to do for the host, nothing to show the guest
        u64 moved = 0;  // bytes, for the time that it takes
    };

    std::span<const u8> config() const override;
    void serve(unsigned queue) override;
    void forget(unsigned) override;
    void on_due(u32) override;
    void reset_own() override;
    void driver_reset_own() override { s_.cache = CacheMode::Default; }
    void describe_own(Archive& archive) override;
    void describe_request(Archive& archive, InFlight& request);

    u64 submit(const Chain& chain);
    void prepare(const Chain& chain, const RequestHeader& header, InFlight& request);
    void prepare_read(u64 sector, InFlight& request);
    void prepare_write(const Chain& chain, u64 sector, InFlight& request);
    void prepare_id(InFlight& request);
    void prepare_clear(const Chain& chain, bool discard, InFlight& request);
    void ask_host(InFlight& request, DiskRequest&& io, u64 moved);
    bool late(const InFlight& request);
    void complete(InFlight& request);
    void complain(const DiskRequest& io);
    void look_later(u64 when) { port().schedule(when, kDue); }
    bool in_range(u64 sector, u64 bytes) const;
    bool write_back() const;
    static u64 held(const InFlight& request);

    static constexpr u32 kDue = 0x100;  // the event: the first request in flight is complete
    static_assert(kDue >= kOwnTags);

    struct State {
        u64 link_free = 0;  // when the link has moved all bytes so far
        CacheMode cache = CacheMode::Default;
        bool held_back = false;          // chains wait in the queue for requests in flight to complete
        std::deque<InFlight> in_flight;  // by due
    } s_;
    u64 held_bytes_ = 0;  // of all in flight
    BlockOptions options_;
    std::shared_ptr<BlockBackend> backend_;
    DiskQueue disk_;
    u32 told_ = 0;  // a bit for each kind of request that the host failed at
    mutable Config config_;
};

u64 VirtioBlock::held(const InFlight& request) {
    using Kind = DiskRequest::Kind;
    const bool moves = request.io && (request.io->kind == Kind::Read || request.io->kind == Kind::Write);
    return moves ? request.io->bytes : 0;
}

u64 features_of(const BlockBackend& backend, const BlockOptions& options) {
    constexpr u64 kAlways =
        1u << kSegMax | 1u << kBlkSize | 1u << kFlush | 1u << kTopology | 1u << kConfigWce;
    if (backend.read_only()) return kAlways | 1u << kRo;
    return kAlways | 1u << kWriteZeroes | (options.discard ? 1u << kDiscard : 0u);
}

VirtioBlock::VirtioBlock(DevicePort& port, std::shared_ptr<BlockBackend> backend, BlockOptions options)
    : VirtioDevice(port, {"virtio_block", kDeviceType, features_of(*backend, options), {kQueueSize}}),
      options_(std::move(options)),
      backend_(backend),
      disk_(std::move(backend), options_.pool) {
    config_.capacity = backend_->bytes() / kSector;
    config_.write_zeroes_may_unmap = options_.discard ? 1 : 0;
}

// "Device Initialization", "Device Operation": without FLUSH the cache is write-through, unless the driver
// says otherwise in `writeback`.
bool VirtioBlock::write_back() const {
    return s_.cache == CacheMode::Default ? accepted(kFlush) : s_.cache == CacheMode::WriteBack;
}

std::span<const u8> VirtioBlock::config() const {
    config_.writeback = write_back() ? 1 : 0;
    return std::span(reinterpret_cast<const u8*>(&config_), sizeof config_);
}

void VirtioBlock::write_config(u64 offset, unsigned bytes, u64 value) {
    if (offset != offsetof(Config, writeback) || bytes != 1 || !accepted(kConfigWce)) return;
    s_.cache = (value & 1) != 0 ? CacheMode::WriteBack : CacheMode::WriteThrough;
}

void VirtioBlock::serve(unsigned queue) {
    s_.held_back = false;
    const auto wants = [this] { return !(s_.held_back = held_bytes_ >= kMostHeldBytes); };
    drain(queue, wants, [this](const Chain& chain) { return submit(chain); });
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
    InFlight request{.head = chain.head,
                     .writable_bytes = chain.writable_bytes,
                     .writable = chain.writable,
                     .io = nullptr};
    prepare(chain, header, request);
    s_.link_free = std::max(s_.link_free, port().now()) + request.moved / kBytesANs;
    request.due = s_.link_free + kLatencyNs;
    held_bytes_ += held(request);
    const u64 moved = request.moved;
    s_.in_flight.push_back(std::move(request));
    if (s_.in_flight.size() == 1) look_later(s_.in_flight.front().due);
    return moved;
}

void VirtioBlock::prepare(const Chain& chain, const RequestHeader& header, InFlight& request) {
    switch (header.type) {
        case kIn: return prepare_read(header.sector, request);
        case kOut: return prepare_write(chain, header.sector, request);
        case kFlushRequest: return ask_host(request, {.kind = DiskRequest::Kind::Flush}, 0);
        case kGetId: return prepare_id(request);
        case kDiscardRequest: return prepare_clear(chain, true, request);
        case kZeroRequest: return prepare_clear(chain, false, request);
        default: request.status = kUnsupported;
    }
}

void VirtioBlock::ask_host(InFlight& request, DiskRequest&& io, u64 moved) {
    request.io = std::make_shared<DiskRequest>(std::move(io));
    request.moved = moved;
    disk_.put(request.io);
}

bool VirtioBlock::in_range(u64 sector, u64 bytes) const {
    return bytes % kSector == 0 && sector <= config_.capacity && bytes / kSector <= config_.capacity - sector;
}

void VirtioBlock::prepare_read(u64 sector, InFlight& request) {
    const u64 bytes = request.writable_bytes - 1;
    request.status = in_range(sector, bytes) && bytes <= kMostBytes ? kOk : kIoError;
    if (request.status != kOk || bytes == 0) return;
    DiskRequest io{.kind = DiskRequest::Kind::Read, .offset = sector * kSector, .bytes = bytes};
    io.make_room();
    ask_host(request, std::move(io), bytes);
}

void VirtioBlock::prepare_write(const Chain& chain, u64 sector, InFlight& request) {
    const u64 bytes = chain.readable_bytes - sizeof(RequestHeader);
    const bool possible = !backend_->read_only() && in_range(sector, bytes) && bytes <= kMostBytes;
    request.status = possible ? kOk : kIoError;
    if (!possible || bytes == 0) return;
    DiskRequest io{.kind = DiskRequest::Kind::Write,
                   .durable = !write_back(),
                   .offset = sector * kSector,
                   .bytes = bytes};
    io.make_room();
    copy_in(port().memory(), chain.readable, sizeof(RequestHeader), io.span());
    ask_host(request, std::move(io), bytes);
}

void VirtioBlock::prepare_id(InFlight& request) {
    std::array<u8, 20> id{};
    std::copy_n(options_.serial.begin(), std::min(options_.serial.size(), id.size()), id.begin());
    const u64 room = std::min<u64>(id.size(), request.writable_bytes - 1);
    request.io = std::make_shared<DiskRequest>(DiskRequest{.bytes = room, .ok = true});
    request.io->make_room();
    std::copy_n(id.begin(), room, request.io->data.get());
    request.moved = room;
}

// "Device Requirements: Device Operation": unknown flags, and unmap in a discard, are unsupported.
void VirtioBlock::prepare_clear(const Chain& chain, bool discard, InFlight& request) {
    Range range{};
    request.status = kIoError;
    if (backend_->read_only() || chain.readable_bytes != sizeof(RequestHeader) + sizeof range) return;
    copy_in(port().memory(), chain.readable, sizeof(RequestHeader),
            std::span(reinterpret_cast<u8*>(&range), sizeof range));
    const u64 bytes = u64{range.sectors} * kSector;
    const u32 most = discard ? kMostDiscardSectors : kMostZeroSectors;
    if ((range.flags & ~(discard ? 0u : 1u)) != 0 || (discard && !options_.discard)) {
        request.status = kUnsupported;
    } else if (in_range(range.sector, bytes) && range.sectors <= most) {
        request.status = kOk;
        if (bytes == 0) return;
        const bool unmap = options_.discard && (discard || range.flags != 0);
        ask_host(request,
                 {.kind = unmap ? DiskRequest::Kind::Discard : DiskRequest::Kind::Zero,
                  .durable = !write_back(),
                  .offset = range.sector * kSector,
                  .bytes = bytes},
                 bytes / kZeroedAByte);
    }
}

bool VirtioBlock::late(const InFlight& request) {
    return !options_.exact && request.io && !disk_.done(*request.io);
}

void VirtioBlock::on_due(u32) {
    if (!running()) return;
    bool waits = false;
    auto& all = s_.in_flight;
    for (auto request = all.begin(); request != all.end() && request->due <= port().now();) {
        if (late(*request)) {
            waits = true;
            ++request;
            continue;
        }
        InFlight done = std::move(*request);
        request = all.erase(request);
        complete(done);
    }
    if (!all.empty()) look_later(waits ? port().now() + kLookAgainNs : all.front().due);
    signal(0);
    if (s_.held_back) kick(0);
}

void VirtioBlock::complete(InFlight& request) {
    held_bytes_ -= held(request);
    u64 written = 0;
    if (request.io) {
        const DiskRequest& io = *request.io;
        disk_.wait(io);
        request.status = io.ok ? kOk : kIoError;
        if (!io.ok) complain(io);
        if (io.ok && io.kind == DiskRequest::Kind::Read)
            written = copy_out(port().memory(), request.writable, 0, io.span());
    }
    const auto status = static_cast<u8>(request.status);
    copy_out(port().memory(), request.writable, request.writable_bytes - 1, std::span(&status, 1));
    give(0, request.head, written + 1);
}

// Once for each kind: a guest that goes on trying would fill the console.
void VirtioBlock::complain(const DiskRequest& io) {
    const auto kind = static_cast<std::size_t>(io.kind);
    if (!options_.failed || bit(told_, static_cast<unsigned>(kind)) != 0) return;
    told_ |= 1u << kind;
    options_.failed(failure_text(io));
}

// The host does what it was asked for all the same, and in its order; nobody waits for it.
void VirtioBlock::forget(unsigned) {
    s_.in_flight.clear();
    s_.link_free = 0;
    s_.held_back = false;
    held_bytes_ = 0;
    port().cancel(kDue);
}

void VirtioBlock::reset_own() {
    s_ = State{};
    held_bytes_ = 0;
}

// What the guest will see of a request: a disk may change between save and load, so it is saved, too.
void VirtioBlock::describe_request(Archive& archive, InFlight& request) {
    if (request.io) disk_.wait(*request.io);
    bool io = request.io != nullptr;
    archive.field("due", request.due);
    archive.field("head", request.head);
    archive.field("status", request.status);
    archive.require(request.status <= kUnsupported, "virtio_block.status");
    u64 segments = request.writable.size();
    archive.field("segments", segments);
    archive.require(segments <= kMostSegments, "virtio_block.segments");
    if (archive.loading()) request.writable.resize(segments);
    request.writable_bytes = 0;
    for (Segment& segment : request.writable) {
        archive.field("address", segment.address);
        archive.field("bytes", segment.bytes);
        archive.require(port().memory().contains(segment.address, segment.bytes), "virtio_block.segments");
        request.writable_bytes += segment.bytes;
    }
    archive.require(request.writable_bytes != 0, "virtio_block.segments");
    archive.field("io", io);
    if (!io) return;
    if (archive.loading()) request.io = std::make_shared<DiskRequest>();
    DiskRequest& done = *request.io;
    archive.field("kind", done.kind);
    archive.require(done.kind <= DiskRequest::Kind::Zero, "virtio_block.kind");
    archive.field("ok", done.ok);
    archive.field("error", done.error);
    archive.field("bytes", done.bytes);
    archive.require(held(request) <= kMostBytes, "virtio_block.bytes");
    if (!done.ok || done.kind != DiskRequest::Kind::Read) return;
    archive.require(done.bytes < request.writable_bytes, "virtio_block.bytes");
    if (archive.loading()) done.make_room();
    archive.raw("data", done.data.get(), done.bytes, 1);
}

// The disk's contents are no part of the machine's state; which disk it is, is.
void VirtioBlock::describe_own(Archive& archive) {
    u64 capacity = config_.capacity, count = s_.in_flight.size();
    archive.field("capacity", capacity);
    archive.require(capacity == config_.capacity, "virtio_block.capacity");
    archive.field("link_free", s_.link_free);
    archive.field("cache", s_.cache);
    archive.require(s_.cache <= CacheMode::Default, "virtio_block.cache");
    archive.field("held_back", s_.held_back);
    archive.field("in_flight", count);
    archive.require(count <= queue(0).size(), "virtio_block.in_flight");
    disk_.drain();
    if (archive.loading()) s_.in_flight = std::deque<InFlight>(count);
    u64 least = 0;
    held_bytes_ = 0;
    for (InFlight& request : s_.in_flight) {
        describe_request(archive, request);
        archive.require(request.due >= least && request.head < queue(0).size(), "virtio_block.in_flight");
        least = request.due;
        held_bytes_ += held(request);
        archive.require(held_bytes_ <= kMostHeldBytes + kMostBytes, "virtio_block.in_flight");
    }
}
}  // namespace

VirtioFactory virtio_block(std::shared_ptr<BlockBackend> backend, BlockOptions options) {
    return [backend = std::move(backend), options = std::move(options)](DevicePort& port) {
        return std::make_unique<VirtioBlock>(port, backend, options);
    };
}

VirtioFactory virtio_block(std::shared_ptr<BlockBackend> backend, std::string serial) {
    BlockOptions options;
    options.serial = std::move(serial);
    return virtio_block(std::move(backend), std::move(options));
}
}  // namespace hartline
