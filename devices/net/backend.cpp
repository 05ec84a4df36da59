// Records of frames.
#include "devices/net/backend.hpp"

#include <cstring>

namespace hartline::net {

std::vector<u8> record_of(const Frame& frame) {
    std::vector<u8> record;
    record.reserve(kFrameRecordBytes + frame.bytes.size());
    record.resize(kFrameRecordBytes);
    record[0] = static_cast<u8>(RecordKind::Frame);
    std::memcpy(record.data() + 1, &frame.offload, sizeof frame.offload);
    record.insert(record.end(), frame.bytes.begin(), frame.bytes.end());
    return record;
}

std::vector<u8> record_of(RecordKind kind) { return {static_cast<u8>(kind)}; }

bool frame_of(std::span<const u8> record, Frame& frame) {
    if (record.size() < kFrameRecordBytes) return false;
    std::memcpy(&frame.offload, record.data() + 1, sizeof frame.offload);
    frame.bytes.assign(record.begin() + kFrameRecordBytes, record.end());
    return true;
}
}  // namespace hartline::net
