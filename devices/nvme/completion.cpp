// What is in flight: from a command's being taken to its completion queue.
#include <algorithm>
#include <atomic>
#include <utility>

#include "devices/nvme/controller.hpp"

namespace hartline::nvme {
namespace {
constexpr unsigned kMostInFlight = 1024;
constexpr u64 kMostHeldBytes = 16 << 20;                        // in flight, before another is taken
constexpr u64 kMostRequests = 1024, kMostOfACommand = 256 + 1;  // to the disk: ranges, and a flush
constexpr u64 kLatencyNs = 20'000;
constexpr u64 kLookAgainNs = 50'000;  // at a host that is late
constexpr u64 kCompletionBytes = 16;
constexpr u64 kMostTransfer = 1 << 20, kMostSegments = kMostTransfer / 4096 + 1;

u64 held(const DiskRequests& requests) {
    u64 bytes = 0;
    for (const auto& io : requests)
        if (io->data != nullptr) bytes += io->bytes;
    return bytes;
}
}  // namespace

bool Controller::full() const {
    return s_.in_flight.size() + s_.held.size() >= kMostInFlight || held_bytes_ >= kMostHeldBytes ||
           held_requests_ >= kMostRequests;
}

void Controller::count_held() {
    held_bytes_ = held_requests_ = 0;
    for (const InFlight& command : s_.in_flight) {
        held_bytes_ += command.held;
        held_requests_ += command.requests;
    }
}

void Controller::complete_later(unsigned queue, u16 id, Outcome&& outcome) {
    s_.link_free = std::max(s_.link_free, port().now()) + outcome.moved / kBytesANs;
    for (const auto& io : outcome.io) disk_.put(io);
    const u64 bytes = held(outcome.io);
    const auto requests = static_cast<u16>(outcome.io.size());
    held_bytes_ += bytes;
    held_requests_ += requests;
    s_.in_flight.push_back({.due = s_.link_free + kLatencyNs,
                            .result = outcome.result,
                            .queue = static_cast<u16>(queue),
                            .id = id,
                            .status = static_cast<u16>(outcome.status),
                            .requests = requests,
                            .held = bytes,
                            .io = std::move(outcome.io),
                            .to = std::move(outcome.to)});
    if (s_.in_flight.size() == 1) port().schedule(s_.in_flight.front().due, kDue);
}

bool Controller::late(const InFlight& command) {
    return !options_.exact &&
           std::ranges::any_of(command.io, [this](const auto& io) { return !disk_.done(*io); });
}

// Waits for the host. What is left is what the guest will see: a status, and what was read.
void Controller::settle(InFlight& command) {
    for (const auto& io : command.io) {
        disk_.wait(*io);
        if (io->ok) continue;
        command.status = static_cast<u16>(Status::InternalError);
        complain(*io);
    }
    const bool shows =
        command.status == 0 && !command.io.empty() && command.io.front()->kind == DiskRequest::Kind::Read;
    if (shows) return;
    command.io.clear();
    command.to.clear();
}

// Once for each kind: a guest that goes on trying would fill the console.
void Controller::complain(const DiskRequest& io) {
    const auto kind = static_cast<unsigned>(io.kind);
    if (!options_.failed || bit(told_, kind) != 0) return;
    told_ |= 1u << kind;
    options_.failed(failure_text(io));
}

// A completion for which its queue has no room is held until the driver makes some; others pass it.
void Controller::post_due() {
    std::erase_if(s_.held, [this](const InFlight& done) { return post(done); });
    bool waits = false;
    auto& all = s_.in_flight;
    for (auto command = all.begin(); command != all.end() && command->due <= port().now();) {
        if (late(*command)) {
            waits = true;
            ++command;
            continue;
        }
        InFlight done = std::move(*command);
        command = all.erase(command);
        held_bytes_ -= std::exchange(done.held, 0);
        held_requests_ -= std::exchange(done.requests, u16{0});
        settle(done);
        if (!done.io.empty()) virtio::copy_out(port().memory(), done.to, 0, done.io.front()->span());
        done.io.clear();
        done.to.clear();
        if (!post(done)) s_.held.push_back(std::move(done));
    }
    if (!all.empty()) port().schedule(waits ? port().now() + kLookAgainNs : all.front().due, kDue);
}

// false: there is no room.
bool Controller::post(const InFlight& done) {
    const SubmissionQueue& from = s_.submissions[done.queue];
    CompletionQueue& to = s_.completions[from.completions];
    if (from.entries == 0 || to.entries == 0) return true;
    if ((to.tail + 1) % to.entries == to.head) return false;
    const u64 at = to.base + u64{to.tail} * kCompletionBytes;
    const std::array<u32, 3> words{done.result, 0, from.head | u32{done.queue} << 16};
    const u32 last = done.id | (to.phase ? 1u << 16 : 0) | u32{done.status} << 17;
    // The phase bit tells the driver that the entry is there, so it comes last.
    const bool written = port().memory().write(at, words);
    std::atomic_thread_fence(std::memory_order_release);
    if (!written || !port().memory().write(at + sizeof words, last)) s_.status |= kFatal;
    to.tail = (to.tail + 1) % to.entries;
    if (to.tail == 0) to.phase = !to.phase;
    if (to.interrupts && msix_enabled()) raise(to.vector);
    return true;
}

void Controller::describe_commands(Archive& archive, std::string_view name, std::deque<InFlight>& commands) {
    u64 count = commands.size(), least = 0, bytes = 0, requests = 0;
    archive.field(name, count);
    archive.require(count <= kMostInFlight, "nvme.in_flight");
    if (archive.loading()) commands = std::deque<InFlight>(count);
    for (InFlight& command : commands) {
        archive.field("due", command.due);
        archive.field("result", command.result);
        archive.field("queue", command.queue);
        archive.field("id", command.id);
        archive.field("requests", command.requests);
        archive.field("held", command.held);
        archive.require(command.requests <= kMostOfACommand && command.held <= kMostTransfer, "nvme.held");
        bytes += command.held;
        requests += command.requests;
        archive.require(
            bytes <= kMostHeldBytes + kMostTransfer && requests <= kMostRequests + kMostOfACommand,
            "nvme.held");
        describe_command(archive, command);
        archive.require(command.queue < kQueues && command.due >= least, "nvme.in_flight");
        least = command.due;
    }
}

// A disk may change between save and load, so what was read of it is saved, too.
void Controller::describe_command(Archive& archive, InFlight& command) {
    settle(command);
    archive.field("status", command.status);
    u64 segments = command.to.size(), bytes = 0;
    archive.field("segments", segments);
    archive.require(segments <= kMostSegments, "nvme.segments");
    if (archive.loading()) command.to.resize(segments);
    for (virtio::Segment& segment : command.to) {
        archive.field("address", segment.address);
        archive.field("bytes", segment.bytes);
        archive.require(port().memory().contains(segment.address, segment.bytes), "nvme.segments");
        bytes += segment.bytes;
    }
    archive.require(bytes <= command.held, "nvme.segments");
    if (bytes == 0) return;
    if (archive.loading()) {
        command.io = {std::make_shared<DiskRequest>(DiskRequest{.bytes = bytes, .ok = true})};
        command.io.front()->make_room();
    }
    archive.raw("data", command.io.front()->data.get(), bytes, 1);
}
}  // namespace hartline::nvme
