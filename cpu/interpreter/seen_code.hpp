// What harts on threads have seen of memory that they execute. Stores to code are not noticed between them: a
// hart makes what it executes from a copy, which fence.i makes it compare.
//
// The copy is one for all harts of a machine (HartConfig::code), so that what one of them made of it can
// serve the others: a hart may see new code before its own fence.i, as it might without a copy.
#pragma once
#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "core/types.hpp"

namespace hartline {

class SeenCode {
public:
    static constexpr u64 kPiece = 64;  // bytes, compared as one

    struct Frame {
        u64 fence = 0;    // as many fence.i had been executed when it was last compared
        u64 changes = 0;  // pieces that differed, ever
        std::array<u64, kFrameBytes / kPiece> changed{};  // by piece: `changes` when it last did
        std::array<u8, kFrameBytes> bytes{};
    };
    // What a hart knows of a frame.
    struct Look {
        u64 fence = ~u64{0};  // its own last one when it looked
        u64 changes = 0;
    };

    // `shared`: by harts on threads.
    explicit SeenCode(bool shared) : mutex(shared) {}
    SeenCode(const SeenCode&) = delete;
    SeenCode& operator=(const SeenCode&) = delete;
    virtual ~SeenCode() = default;

    // A fence.i: its number. What is compared from now on has all that its hart must see.
    u64 fence() { return fences_.fetch_add(1) + 1; }

    // Of all that follows, and of what is made of it. A hart that shares nothing waits for nobody: there it
    // does nothing.
    class Mutex {
    public:
        explicit Mutex(bool shared) : shared_(shared) {}
        void lock() {
            if (shared_) mutex_.lock();
        }
        void unlock() {
            if (shared_) mutex_.unlock();
        }

    private:
        std::mutex mutex_;
        const bool shared_;
    };
    Mutex mutex;
    // The copy of the frame at a physical address, whose memory is at `page`; made now, if need be.
    Frame& frame(u64 address, const u8* page);
    // Makes the copy as new as a fence.i. Bits: the pieces that differed.
    u64 renew(Frame& frame, const u8* page, u64 fence);
    void clear() { frames_.clear(); }

private:
    std::atomic<u64> fences_{0};
    std::unordered_map<u64, std::unique_ptr<Frame>> frames_;
};
static_assert(kFrameBytes / SeenCode::kPiece == 64, "a bit each");
}  // namespace hartline
