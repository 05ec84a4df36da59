// Requests to a disk that are done on a pool's threads, as if one after the other.
#pragma once
#include <atomic>
#include <memory>
#include <span>
#include <string>

#include "core/types.hpp"
#include "devices/storage/backend.hpp"
#include "devices/storage/io_pool.hpp"

namespace hartline {

struct DiskRequest {
    enum class Kind : u8 { Read, Write, Flush, Discard, Zero };

    Kind kind = Kind::Read;
    bool durable = false;  // a change that is to survive a power cut when it is done
    u64 offset = 0, bytes = 0;
    std::unique_ptr<u8[]> data{};  // of reads and writes: `bytes` of them

    // The result: valid when DiskQueue::done() says so, or after DiskQueue::wait().
    bool ok = false;
    int error = 0;  // errno of a failure; 0: the host did not say, as at the end of a file that was cut short

    std::span<u8> span() const { return {data.get(), bytes}; }
    void make_room() { data = std::make_unique_for_overwrite<u8[]>(bytes); }
};

// What a person is told of a request that failed.
std::string failure_text(const DiskRequest& request);

// Requests that overlap, and are not both reads, are done in the order in which they were put; a flush is
// done after all changes that were put before it. Others are done in any order, several at a time.
// For one thread, but for what the pool does.
class DiskQueue {
public:
    // Without a pool a request is done when it is waited for.
    DiskQueue(std::shared_ptr<BlockBackend> backend, std::shared_ptr<IoPool> pool);
    ~DiskQueue();  // after all requests are done
    DiskQueue(const DiskQueue&) = delete;
    DiskQueue& operator=(const DiskQueue&) = delete;

    // The range is inside the disk. The queue keeps the request until it is done, whoever else forgets it; so
    // it waits for the host when too much is kept, or a guest that asks and resets would fill its memory.
    void put(std::shared_ptr<DiskRequest> request);
    bool done(const DiskRequest& request);
    // Until it is done. What no thread of the pool has begun is done by the caller.
    void wait(const DiskRequest& request);
    void drain();  // until all are done

    // Beyond these another request waits; a device that forgets nothing stays below them.
    static constexpr u64 kMostBytes = 256 << 20;
    static constexpr std::size_t kMostRequests = 2048;

private:
    struct Core;
    std::shared_ptr<Core> core_;  // also of work that is still in the pool
    std::shared_ptr<IoPool> pool_;
};
}  // namespace hartline
