// What a disk keeps its bytes in.
#pragma once
#include <span>

#include "core/types.hpp"

namespace hartline {

// Every call returns false when the host fails; a caller has checked the range against bytes(). Calls may
// come from several threads at once. Of calls that overlap in range and time the result is as if they came in
// some order, sector by sector; a flush covers the calls that had returned when it was made.
class BlockBackend {
public:
    virtual ~BlockBackend() = default;
    virtual u64 bytes() const = 0;  // a multiple of 512; it does not change while a guest uses it
    virtual bool read_only() const = 0;
    virtual bool read(u64 offset, std::span<u8> out) = 0;
    virtual bool write(u64 offset, std::span<const u8> in) = 0;
    // What was written before survives a power cut of the host.
    virtual bool flush() = 0;
    // The range reads as zeroes from now on: gives its storage back, or keeps it allocated.
    virtual bool discard(u64 offset, u64 bytes) = 0;
    virtual bool zero(u64 offset, u64 bytes) = 0;
};
}  // namespace hartline
