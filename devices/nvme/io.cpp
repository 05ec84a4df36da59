// PRP lists, and the commands of the NVM command set.
#include <algorithm>

#include "devices/nvme/controller.hpp"

namespace hartline::nvme {
namespace {
constexpr u64 kPage = 4096, kBlock = 512;
constexpr u64 kMostTransfer = 1 << 20;  // told as MDTS
constexpr u64 kZeroedAByte = 8;         // zeroing counts as moving an eighth of the bytes
constexpr u64 kDiscardedAByte = 4096;
constexpr u64 kLeastOfARange = 4096;  // bytes that a range counts as at least: the host has work with each
enum Opcode : u8 { kFlush = 0, kWrite = 1, kRead = 2, kWriteZeroes = 8, kDatasetManagement = 9 };
struct DatasetRange {
    u32 attributes;
    u32 blocks;
    u64 start;
};
static_assert(sizeof(DatasetRange) == 16);
}  // namespace

// "Physical Region Page Entry and List": the first entry may start inside of its page, others may not.
Status Controller::map(const Command& command, u64 bytes, Segments& segments) {
    if (bytes == 0 || bytes > kMostTransfer) return Status::InvalidField;
    if (command.prp1 % 4 != 0) return Status::InvalidPrpOffset;
    Ram& ram = port().memory();
    const u64 first = std::min(bytes, kPage - command.prp1 % kPage);
    if (!ram.contains(command.prp1, first)) return Status::TransferError;
    segments.push_back({command.prp1, static_cast<u32>(first)});
    const u64 left = bytes - first;
    if (left == 0) return Status::Ok;
    if (left > kPage) return map_list(command.prp2, left, segments);
    if (command.prp2 % kPage != 0) return Status::InvalidPrpOffset;
    if (!ram.contains(command.prp2, left)) return Status::TransferError;
    segments.push_back({command.prp2, static_cast<u32>(left)});
    return Status::Ok;
}

// The last entry of a list's page points to the next list, if more than a page is left. A list that starts in
// the last entry of its page makes no way by itself, so links are counted.
Status Controller::map_list(u64 list, u64 bytes, Segments& segments) {
    Ram& ram = port().memory();
    for (unsigned links = 0; bytes != 0;) {
        u64 entry = 0;
        if (list % 8 != 0) return Status::InvalidPrpOffset;
        if (!ram.read(list, entry)) return Status::TransferError;
        if (list % kPage == kPage - 8 && bytes > kPage) {
            if (++links > kMostTransfer / kPage) return Status::InvalidField;
            list = entry;
            continue;
        }
        const u64 piece = std::min(bytes, kPage);
        if (entry % kPage != 0) return Status::InvalidPrpOffset;
        if (!ram.contains(entry, piece)) return Status::TransferError;
        segments.push_back({entry, static_cast<u32>(piece)});
        bytes -= piece;
        list += 8;
    }
    return Status::Ok;
}

Outcome Controller::answer(const Command& command, std::span<const u8> data) {
    Segments segments;
    const Status status = map(command, data.size(), segments);
    if (status != Status::Ok) return {.status = status};
    virtio::copy_out(port().memory(), segments, 0, data);
    return {.moved = data.size()};
}

bool Controller::in_range(u64 block, u64 count) const {
    const u64 blocks = backend_->bytes() / kBlock;
    return block <= blocks && count <= blocks - block;
}

Outcome Controller::perform_io(const Command& command) {
    const bool all = command.namespace_id == ~u32{0} && command.opcode == kFlush;
    if (command.namespace_id != 1 && !all) return {.status = Status::InvalidNamespace};
    switch (command.opcode) {
        case kFlush:
            return {.io = {std::make_shared<DiskRequest>(DiskRequest{.kind = DiskRequest::Kind::Flush})}};
        case kWrite: return transfer(command, true);
        case kRead: return transfer(command, false);
        case kWriteZeroes: return write_zeroes(command);
        case kDatasetManagement:
            return options_.discard ? manage_dataset(command) : Outcome{.status = Status::InvalidOpcode};
        default: return {.status = Status::InvalidOpcode};
    }
}

// With forced unit access, and without the volatile write cache, a write is complete when it is durable.
Outcome Controller::transfer(const Command& command, bool writing) {
    const u64 block = u64{command.dword11} << 32 | command.dword10,
              count = (command.dword12 & 0xffff) + u64{1};
    const u64 bytes = count * kBlock;
    if (bytes > kMostTransfer) return {.status = Status::InvalidField};
    if (!in_range(block, count)) return {.status = Status::LbaOutOfRange};
    if (writing && backend_->read_only()) return {.status = Status::ReadOnlyRange};
    Outcome outcome{.moved = bytes};
    outcome.status = map(command, bytes, outcome.to);
    if (outcome.status != Status::Ok) return {.status = outcome.status};
    auto io = std::make_shared<DiskRequest>(
        DiskRequest{.kind = writing ? DiskRequest::Kind::Write : DiskRequest::Kind::Read,
                    .durable = writing && (bit(command.dword12, 30) != 0 || !cached()),
                    .offset = block * kBlock,
                    .bytes = bytes});
    io->make_room();
    if (writing) virtio::copy_in(port().memory(), outcome.to, 0, io->span());
    outcome.io.push_back(std::move(io));
    (writing ? s_.writes : s_.reads) += 1;
    (writing ? s_.bytes_written : s_.bytes_read) += bytes;
    return outcome;
}

Outcome Controller::write_zeroes(const Command& command) {
    const u64 block = u64{command.dword11} << 32 | command.dword10,
              count = (command.dword12 & 0xffff) + u64{1};
    if (!in_range(block, count)) return {.status = Status::LbaOutOfRange};
    if (backend_->read_only()) return {.status = Status::ReadOnlyRange};
    const bool deallocate = options_.discard && bit(command.dword12, 25) != 0;
    DiskRequest io{.kind = deallocate ? DiskRequest::Kind::Discard : DiskRequest::Kind::Zero,
                   .durable = bit(command.dword12, 30) != 0 || !cached(),
                   .offset = block * kBlock,
                   .bytes = count * kBlock};
    const u64 moved = io.bytes / kZeroedAByte;
    return {.moved = moved, .io = {std::make_shared<DiskRequest>(std::move(io))}};
}

// "Dataset Management command": of its hints only Deallocate does anything. All ranges are checked before the
// first is acted on.
Outcome Controller::manage_dataset(const Command& command) {
    const u64 count = (command.dword10 & 0xff) + u64{1};
    std::vector<DatasetRange> ranges(count);
    Segments segments;
    const Status status = map(command, count * sizeof(DatasetRange), segments);
    if (status != Status::Ok) return {.status = status};
    virtio::copy_in(port().memory(), segments, 0,
                    std::span(reinterpret_cast<u8*>(ranges.data()), count * sizeof(DatasetRange)));
    for (const DatasetRange& range : ranges)
        if (!in_range(range.start, range.blocks)) return {.status = Status::LbaOutOfRange};
    if (bit(command.dword11, 2) == 0) return {};
    if (backend_->read_only()) return {.status = Status::ReadOnlyRange};
    Outcome outcome;
    for (const DatasetRange& range : ranges) {
        if (range.blocks == 0) continue;
        const u64 bytes = u64{range.blocks} * kBlock;
        outcome.moved += std::max(bytes / kDiscardedAByte, kLeastOfARange);
        outcome.io.push_back(std::make_shared<DiskRequest>(
            DiskRequest{.kind = DiskRequest::Kind::Discard, .offset = range.start * kBlock, .bytes = bytes}));
    }
    if (!outcome.io.empty() && !cached())  // one for all of them
        outcome.io.push_back(std::make_shared<DiskRequest>(DiskRequest{.kind = DiskRequest::Kind::Flush}));
    return outcome;
}
}  // namespace hartline::nvme
