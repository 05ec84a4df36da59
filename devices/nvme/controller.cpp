// Registers, doorbells, the taking of commands and the giving of completions.
#include "devices/nvme/controller.hpp"

#include <algorithm>
#include <atomic>

#include "devices/nvme/nvme.hpp"

namespace hartline {
namespace nvme {
namespace {
constexpr u64 kCapLow = 0x00, kCapHigh = 0x04, kVersion = 0x08, kMaskSet = 0x0c, kMaskClear = 0x10,
              kConfig = 0x14, kStatus = 0x1c, kAdminSizes = 0x24, kAdminSubmission = 0x28,
              kAdminCompletion = 0x30, kDoorbells = 0x1000, kMsixAt = 0x2000, kBarBytes = 0x4000;
constexpr u32 kEnable = 1;
constexpr u32 kConfigBits = 0x00ff'fff1;
// "Controller Capabilities": contiguous queues of 1024 entries, 7.5 s to start, the NVM command set, 4 KiB
// pages.
constexpr u32 kCapabilities = (Controller::kMostEntries - 1) | 1u << 16 | 15u << 24,
              kCapabilitiesHigh = 1u << 5;
constexpr u32 kVersion14 = 0x0001'0400;
constexpr u64 kPage = 4096, kCompletionBytes = 16;

constexpr unsigned kCommandsAKick = 128;
constexpr u64 kBytesAKick = 4 << 20;
constexpr u64 kLaterNs = 1000;
}  // namespace

Controller::Controller(DevicePort& port, const pci::PciSlot& slot, std::shared_ptr<BlockBackend> backend,
                       BlockOptions options)
    : Endpoint(port, slot,
               {.vendor = 0x1b36,
                .device = 0x0010,
                .subsystem_vendor = 0x1af4,
                .subsystem = 0x1100,
                .class_code = 0x01'0802,
                .revision = 2}),
      options_(std::move(options)),
      backend_(backend),
      disk_(std::move(backend), options_.pool) {
    config().set_bar(0, {.bytes = kBarBytes, .wide = true});
    add_msix(kQueues, 0, kMsixAt);
    config().add_express_capability();
}

void Controller::reset_own() {
    s_ = State{};
    count_held();
}

u64 Controller::read_bar(unsigned, u64 offset, unsigned bytes) {
    if (bytes < 4) return read_register(offset & ~u64{3}) >> (8 * (offset % 4)) & ((1u << (8 * bytes)) - 1);
    return bytes == 4 ? read_register(offset) : read_register(offset) | u64{read_register(offset + 4)} << 32;
}

void Controller::write_bar(unsigned, u64 offset, unsigned bytes, u64 value) {
    if (bytes < 4) return;
    write_register(offset, static_cast<u32>(value));
    if (bytes == 8) write_register(offset + 4, static_cast<u32>(value >> 32));
}

u32 Controller::read_register(u64 offset) const {
    switch (offset) {
        case kCapLow: return kCapabilities;
        case kCapHigh: return kCapabilitiesHigh;
        case kVersion: return kVersion14;
        case kMaskSet:
        case kMaskClear: return s_.mask;
        case kConfig: return s_.config;
        case kStatus: return s_.status;
        case kAdminSizes: return s_.admin_sizes;
        case kAdminSubmission: return static_cast<u32>(s_.admin_submission);
        case kAdminSubmission + 4: return static_cast<u32>(s_.admin_submission >> 32);
        case kAdminCompletion: return static_cast<u32>(s_.admin_completion);
        case kAdminCompletion + 4: return static_cast<u32>(s_.admin_completion >> 32);
        default: return 0;
    }
}

void Controller::write_register(u64 offset, u32 value) {
    const auto half = [value](u64& to, bool high) {
        to = high ? merge(to, ~u64{0xffff'ffff}, u64{value} << 32) : merge(to, 0xffff'ffff, value);
        to &= ~(kPage - 1);
    };
    switch (offset) {
        case kMaskSet: s_.mask |= value; break;
        case kMaskClear: s_.mask &= ~value; break;
        case kConfig: configure(value & kConfigBits); break;
        case kAdminSizes: s_.admin_sizes = value & 0x0fff'0fff; break;
        case kAdminSubmission:
        case kAdminSubmission + 4: half(s_.admin_submission, offset != kAdminSubmission); break;
        case kAdminCompletion:
        case kAdminCompletion + 4: half(s_.admin_completion, offset != kAdminCompletion); break;
        default:
            if (offset >= kDoorbells) write_doorbell((offset - kDoorbells) / 4, value);
    }
    update_interrupt();
}

// "Controller Configuration": enabling starts, disabling resets; a shutdown leaves nothing in a cache.
void Controller::configure(u32 value) {
    const u32 before = s_.config;
    s_.config = value;
    if ((value & kEnable) != 0 && (before & kEnable) == 0) s_.status = start() ? kReady : kFatal;
    if ((value & kEnable) == 0 && (before & kEnable) != 0) stop();
    const bool shut = (value >> 14 & 3) != 0, was_shut = (before >> 14 & 3) != 0;
    if (shut && !was_shut) {
        disk_.drain();
        (void)backend_->flush();
    }
    s_.status = shut ? s_.status | kShutdownDone : s_.status & ~kShutdownDone;
}

bool Controller::queue_fits(u64 base, u64 entries, u64 entry_bytes) {
    return base % kPage == 0 && port().memory().contains(base, entries * entry_bytes);
}

// false: "Controller Fatal Status".
bool Controller::start() {
    const u32 submissions = (s_.admin_sizes & 0xfff) + 1, completions = (s_.admin_sizes >> 16 & 0xfff) + 1;
    const bool known = (s_.config >> 4 & 7) == 0 && (s_.config >> 7 & 15) == 0 && (s_.config >> 11 & 7) == 0;
    if (!known || submissions < 2 || completions < 2 || submissions > kMostEntries ||
        completions > kMostEntries || !queue_fits(s_.admin_submission, submissions, sizeof(Command)) ||
        !queue_fits(s_.admin_completion, completions, kCompletionBytes))
        return false;
    s_.submissions[0] = {.base = s_.admin_submission, .entries = submissions};
    s_.completions[0] = {.base = s_.admin_completion, .entries = completions, .interrupts = true};
    return true;
}

// "Controller Level Reset": queues and what is in flight are gone; the admin queue's registers stay.
void Controller::stop() {
    State next{};
    next.config = s_.config;
    next.admin_sizes = s_.admin_sizes;
    next.admin_submission = s_.admin_submission;
    next.admin_completion = s_.admin_completion;
    next.bytes_read = s_.bytes_read;
    next.bytes_written = s_.bytes_written;
    next.reads = s_.reads;
    next.writes = s_.writes;
    next.link_free = s_.link_free;
    s_ = std::move(next);
    count_held();
    port().cancel(kDue);
    port().cancel(kWork);
}

// Doorbells of queues that do not exist, and positions outside of a queue, are ignored.
void Controller::write_doorbell(u64 index, u32 value) {
    const u64 number = index / 2;
    if (!enabled() || number >= kQueues) return;
    if (index % 2 == 0) {
        SubmissionQueue& queue = s_.submissions[number];
        if (value >= queue.entries) return;
        queue.tail = value;
        pump();
    } else {
        CompletionQueue& queue = s_.completions[number];
        if (value >= queue.entries) return;
        const u32 held = (queue.tail + queue.entries - queue.head) % queue.entries;
        if ((value + queue.entries - queue.head) % queue.entries > held) return;
        queue.head = value;
        post_due();
        pump();
    }
}

void Controller::on_event(u32 tag) {
    if (!enabled()) return;
    if (tag == kDue) post_due();
    pump();
    update_interrupt();
}

// "Round Robin Arbitration". Work at once is bounded; what is left waits for an event.
void Controller::pump() {
    const u64 link_before = s_.link_free;
    unsigned commands = 0;
    for (bool more = true; more && enabled();) {
        more = false;
        for (unsigned number = 0; number < kQueues && enabled(); ++number) {
            if (s_.submissions[number].head == s_.submissions[number].tail) continue;
            if (full()) return;  // on_event() comes back
            const u64 link = std::max(link_before, port().now());
            if (commands++ == kCommandsAKick ||
                (s_.link_free > link && s_.link_free - link >= kBytesAKick / kBytesANs))
                return port().schedule(port().now() + kLaterNs, kWork);
            more |= fetch(number);
        }
    }
}

bool Controller::fetch(unsigned number) {
    SubmissionQueue& queue = s_.submissions[number];
    std::atomic_thread_fence(std::memory_order_acquire);
    Command command{};
    if (!port().memory().read(queue.base + u64{queue.head} * sizeof command, command)) {
        s_.status |= kFatal;
        return false;
    }
    queue.head = (queue.head + 1) % queue.entries;
    Outcome outcome = perform(number, command);
    if (!outcome.stays) complete_later(number, command.id, std::move(outcome));
    return true;
}

// "SGLs" and fused commands are not offered.
Outcome Controller::perform(unsigned queue, const Command& command) {
    if (command.flags != 0) return {.status = Status::InvalidField};
    return queue == 0 ? perform_admin(command) : perform_io(command);
}

// "Pin Based Interrupts": high while a completion waits, by queues that ask for it and are not masked.
void Controller::update_interrupt() {
    bool level = false;
    for (const CompletionQueue& queue : s_.completions)
        level |= queue.entries != 0 && queue.interrupts && queue.head != queue.tail &&
                 (queue.vector >= 32 || bit(s_.mask, queue.vector) == 0);
    set_interrupt(level);
}

void Controller::describe_own(Archive& archive) {
    u64 capacity = backend_->bytes();
    archive.field("capacity", capacity);
    archive.require(capacity == backend_->bytes(), "nvme.capacity");
    archive.field("config", s_.config);
    archive.field("status", s_.status);
    archive.field("admin_sizes", s_.admin_sizes);
    archive.field("mask", s_.mask);
    archive.field("admin_submission", s_.admin_submission);
    archive.field("admin_completion", s_.admin_completion);
    archive.field("event_requests", s_.event_requests);
    archive.field("features", s_.features);
    archive.field("bytes_read", s_.bytes_read);
    archive.field("bytes_written", s_.bytes_written);
    archive.field("reads", s_.reads);
    archive.field("writes", s_.writes);
    archive.field("link_free", s_.link_free);
    archive.require((s_.status & ~(kReady | kFatal | kShutdownDone)) == 0, "nvme.status");
    describe_queues(archive);
    disk_.drain();
    describe_commands(archive, "in_flight", s_.in_flight);
    describe_commands(archive, "held", s_.held);
    count_held();
}

void Controller::describe_queues(Archive& archive) {
    const auto describe_ring = [&](auto& queue, const char* what) {
        archive.field("base", queue.base);
        archive.field("entries", queue.entries);
        archive.field("head", queue.head);
        archive.field("tail", queue.tail);
        const u32 end = std::max(queue.entries, 1u);
        archive.require(queue.entries <= kMostEntries && queue.head < end && queue.tail < end, what);
    };
    for (SubmissionQueue& queue : s_.submissions) {
        describe_ring(queue, "nvme.submission_queue");
        archive.field("completions", queue.completions);
        archive.require(queue.completions < kQueues, "nvme.submission_queue");
    }
    for (CompletionQueue& queue : s_.completions) {
        describe_ring(queue, "nvme.completion_queue");
        archive.field("vector", queue.vector);
        archive.field("phase", queue.phase);
        archive.field("interrupts", queue.interrupts);
        archive.require(queue.vector < kQueues, "nvme.completion_queue");
    }
}
}  // namespace nvme

DeviceFactory nvme_controller(pci::PciSlot slot, std::shared_ptr<BlockBackend> backend,
                              BlockOptions options) {
    return [slot = std::move(slot), backend = std::move(backend), options = std::move(options)](
               DevicePort& port) { return std::make_unique<nvme::Controller>(port, slot, backend, options); };
}
}  // namespace hartline
