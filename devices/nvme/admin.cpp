// Queues, identification, logs and features.
#include <algorithm>
#include <cstring>

#include "devices/nvme/controller.hpp"

namespace hartline::nvme {
namespace {
constexpr u64 kBlock = 512, kCompletionBytes = 16;
constexpr u64 kMostLogBytes = 4096;  // of one command
enum Opcode : u8 {
    kDeleteSubmission = 0x00,
    kCreateSubmission = 0x01,
    kGetLog = 0x02,
    kDeleteCompletion = 0x04,
    kCreateCompletion = 0x05,
    kIdentify = 0x06,
    kAbort = 0x08,
    kSetFeatures = 0x09,
    kGetFeatures = 0x0a,
    kEventRequest = 0x0c,
};
constexpr u32 kMostEventRequests = 4;
constexpr u8 kNumberOfQueues = 7;

void put(std::span<u8> to, std::size_t at, u64 value, unsigned bytes) {
    for (unsigned i = 0; i < bytes; ++i) to[at + i] = static_cast<u8>(value >> (8 * i));
}
// "ASCII fields are left justified and padded with spaces".
void put_text(std::span<u8> to, std::size_t at, std::size_t bytes, std::string_view text) {
    for (std::size_t i = 0; i < bytes; ++i) to[at + i] = i < text.size() ? static_cast<u8>(text[i]) : ' ';
}
}  // namespace

Outcome Controller::perform_admin(const Command& command) {
    switch (command.opcode) {
        case kDeleteSubmission: return delete_submission_queue(command);
        case kCreateSubmission: return create_submission_queue(command);
        case kGetLog: return get_log(command);
        case kDeleteCompletion: return delete_completion_queue(command);
        case kCreateCompletion: return create_completion_queue(command);
        case kIdentify: return identify(command);
        case kAbort: return {.result = 1};  // not aborted: it is complete, or will be in no time
        case kSetFeatures: return set_feature(command);
        case kGetFeatures: return get_feature(command);
        case kEventRequest:
            if (s_.event_requests == kMostEventRequests) return {.status = Status::EventLimitExceeded};
            ++s_.event_requests;
            return {.stays = true};  // until an event, and none ever happens here
        default: return {.status = Status::InvalidOpcode};
    }
}

Outcome Controller::create_completion_queue(const Command& command) {
    const u32 number = command.dword10 & 0xffff, entries = (command.dword10 >> 16) + 1;
    const u32 vector = command.dword11 >> 16;
    if (number == 0 || number >= kQueues || s_.completions[number].entries != 0)
        return {.status = Status::InvalidQueueId};
    if (entries < 2 || entries > kMostEntries) return {.status = Status::InvalidQueueSize};
    if (vector >= vectors()) return {.status = Status::InvalidVector};
    if (bit(command.dword11, 0) == 0 || (s_.config >> 20 & 15) != 4) return {.status = Status::InvalidField};
    if (!queue_fits(command.prp1, entries, kCompletionBytes)) return {.status = Status::InvalidPrpOffset};
    s_.completions[number] = {.base = command.prp1,
                              .entries = entries,
                              .vector = vector,
                              .interrupts = bit(command.dword11, 1) != 0};
    return {};
}

Outcome Controller::create_submission_queue(const Command& command) {
    const u32 number = command.dword10 & 0xffff, entries = (command.dword10 >> 16) + 1;
    const u32 completions = command.dword11 >> 16;
    if (number == 0 || number >= kQueues || s_.submissions[number].entries != 0)
        return {.status = Status::InvalidQueueId};
    if (completions == 0 || completions >= kQueues || s_.completions[completions].entries == 0)
        return {.status = Status::InvalidCompletionQueue};
    if (entries < 2 || entries > kMostEntries) return {.status = Status::InvalidQueueSize};
    if (bit(command.dword11, 0) == 0 || (s_.config >> 16 & 15) != 6) return {.status = Status::InvalidField};
    if (!queue_fits(command.prp1, entries, sizeof(Command))) return {.status = Status::InvalidPrpOffset};
    s_.submissions[number] = {.base = command.prp1, .entries = entries, .completions = completions};
    return {};
}

Outcome Controller::delete_completion_queue(const Command& command) {
    const u32 number = command.dword10 & 0xffff;
    if (number == 0 || number >= kQueues || s_.completions[number].entries == 0)
        return {.status = Status::InvalidQueueId};
    for (const SubmissionQueue& queue : s_.submissions)
        if (queue.entries != 0 && queue.completions == number)
            return {.status = Status::InvalidQueueDeletion};
    s_.completions[number] = {};
    return {};
}

// What is in flight of the queue is forgotten with it.
Outcome Controller::delete_submission_queue(const Command& command) {
    const u32 number = command.dword10 & 0xffff;
    if (number == 0 || number >= kQueues || s_.submissions[number].entries == 0)
        return {.status = Status::InvalidQueueId};
    s_.submissions[number] = {};
    const auto of_it = [number](const InFlight& one) { return one.queue == number; };
    std::erase_if(s_.in_flight, of_it);
    std::erase_if(s_.held, of_it);
    count_held();
    return {};
}

Outcome Controller::identify(const Command& command) {
    const std::string& serial = options_.serial;
    enum : u32 { kNamespace = 0, kController = 1, kNamespaceList = 2, kDescriptors = 3 };
    std::array<u8, 4096> data{};
    switch (command.dword10 & 0xff) {
        case kNamespace:
            if (command.namespace_id != 1 && command.namespace_id != ~u32{0})
                return {.status = Status::InvalidNamespace};
            data = identify_namespace();
            break;
        case kController: data = identify_controller(); break;
        case kNamespaceList:
            if (command.namespace_id >= 0xffff'fffe) return {.status = Status::InvalidNamespace};
            data[0] = command.namespace_id == 0 ? 1 : 0;
            break;
        case kDescriptors:  // an IEEE identifier, made of the serial number
            if (command.namespace_id != 1) return {.status = Status::InvalidNamespace};
            data[0] = 1;
            data[1] = 8;
            put_text(data, 4, 8, serial.size() > 8 ? serial.substr(serial.size() - 8) : serial);
            break;
        default: return {.status = Status::InvalidField};
    }
    return answer(command, data);
}

// "Identify Controller Data Structure"
std::array<u8, 4096> Controller::identify_controller() const {
    std::array<u8, 4096> data{};
    put(data, 0, 0x1b36, 2);
    put(data, 2, 0x1af4, 2);
    put_text(data, 4, 20, options_.serial);
    put_text(data, 24, 40, "Hartline NVMe");
    put_text(data, 64, 8, "1.0");
    data[72] = 6;                   // arbitration burst
    data[77] = 8;                   // MDTS: 2^8 pages of 4 KiB
    put(data, 80, 0x0001'0400, 4);  // version
    data[111] = 1;                  // an I/O controller
    data[258] = 3;                  // abort limit
    data[259] = kMostEventRequests - 1;
    data[260] = 3;           // one firmware slot, read-only
    data[261] = 4;           // extended data for Get Log Page
    put(data, 266, 343, 2);  // warning and critical temperatures, kelvin
    put(data, 268, 373, 2);
    data[512] = 0x66;  // entry sizes, least and most
    data[513] = 0x44;
    put(data, 516, 1, 4);                               // namespaces
    put(data, 520, options_.discard ? 0x0c : 0x08, 2);  // write zeroes, and dataset management
    data[525] = 1;                                      // a volatile write cache
    std::string subsystem = "nqn.2026-01.org.hartline:" + options_.serial;
    std::copy_n(subsystem.begin(), std::min<std::size_t>(subsystem.size(), 223), data.begin() + 768);
    return data;
}

// "Identify Namespace Data Structure": one format, of 512 byte blocks.
std::array<u8, 4096> Controller::identify_namespace() const {
    std::array<u8, 4096> data{};
    const u64 blocks = backend_->bytes() / kBlock;
    for (std::size_t at : {0, 8, 16}) put(data, at, blocks, 8);
    data[33] = options_.discard ? 9 : 1;  // deallocated blocks read as zeroes, by write zeroes too
    data[99] = backend_->read_only() ? 1 : 0;
    data[130] = 9;  // 2^9
    return data;
}

// "Get Log Page command"
Outcome Controller::get_log(const Command& command) {
    enum : u32 { kErrors = 1, kHealth = 2, kFirmware = 3 };
    const u64 dwords = (command.dword10 >> 16 | u64{command.dword11 & 0xffff} << 16) + 1;
    const u64 offset = u64{command.dword13} << 32 | command.dword12;
    std::array<u8, 512> log{};
    switch (command.dword10 & 0xff) {
        case kErrors: break;  // none
        case kHealth: {
            put(log, 1, 310, 2);  // kelvin
            log[3] = 100;         // spare, and its threshold
            log[4] = 10;
            put(log, 32, (s_.bytes_read + 511'999) / 512'000, 8);
            put(log, 48, (s_.bytes_written + 511'999) / 512'000, 8);
            put(log, 64, s_.reads, 8);
            put(log, 80, s_.writes, 8);
            log[112] = 1;  // power cycles
            put(log, 128, port().now() / 3'600'000'000'000, 8);
            break;
        }
        case kFirmware:
            log[0] = 1;
            put_text(log, 8, 8, "1.0");
            break;
        default: return {.status = Status::InvalidLogPage};
    }
    if (offset % 4 != 0 || offset > log.size() || dwords > kMostLogBytes / 4)
        return {.status = Status::InvalidField};
    std::vector<u8> part(dwords * 4);
    std::copy_n(log.begin() + static_cast<i64>(offset), std::min<u64>(part.size(), log.size() - offset),
                part.begin());
    return answer(command, part);
}

Outcome Controller::get_feature(const Command& command) {
    const u32 feature = command.dword10 & 0xff, select = command.dword10 >> 8 & 7;
    if (feature == 0 || feature == 3 || feature >= kFeatures) return {.status = Status::InvalidField};
    if (select == 3) return {.result = 4};  // "Supported Capabilities": changeable
    if (feature == kNumberOfQueues) return {.result = (kQueues - 2) | (kQueues - 2) << 16};
    return {.result = select == 0 ? s_.features[feature] : State{}.features[feature]};
}

Outcome Controller::set_feature(const Command& command) {
    const u32 feature = command.dword10 & 0xff;
    if (feature == 0 || feature == 3 || feature >= kFeatures) return {.status = Status::InvalidField};
    if (bit(command.dword10, 31) != 0) return {.status = Status::FeatureNotSaveable};
    if (feature == kNumberOfQueues) {
        if ((command.dword11 & 0xffff) == 0xffff || command.dword11 >> 16 == 0xffff)
            return {.status = Status::InvalidField};
        return {.result = (kQueues - 2) | (kQueues - 2) << 16};
    }
    const bool was_cached = cached();
    s_.features[feature] = command.dword11;
    Outcome outcome;
    if (was_cached && !cached())
        outcome.io = {std::make_shared<DiskRequest>(DiskRequest{.kind = DiskRequest::Kind::Flush})};
    return outcome;
}
}  // namespace hartline::nvme
