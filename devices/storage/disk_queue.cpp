// Requests to a disk that are done on a pool's threads, as if one after the other.
#include "devices/storage/disk_queue.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <exception>
#include <list>
#include <mutex>
#include <utility>

namespace hartline {
namespace {
using Kind = DiskRequest::Kind;

bool changes(const DiskRequest& request) { return request.kind != Kind::Read && request.kind != Kind::Flush; }

u64 data_bytes(const DiskRequest& request) { return request.data ? request.bytes : 0; }

bool overlap(const DiskRequest& a, const DiskRequest& b) {
    return a.offset < b.offset + b.bytes && b.offset < a.offset + a.bytes;
}

bool must_wait(const DiskRequest& earlier, const DiskRequest& later) {
    if (later.kind == Kind::Flush) return changes(earlier);
    if (earlier.kind == Kind::Flush) return false;
    return (changes(earlier) || changes(later)) && overlap(earlier, later);
}

bool act(BlockBackend& backend, const DiskRequest& request) {
    switch (request.kind) {
        case Kind::Read: return backend.read(request.offset, request.span());
        case Kind::Write: return backend.write(request.offset, request.span());
        case Kind::Flush: return backend.flush();
        case Kind::Discard: return backend.discard(request.offset, request.bytes);
        case Kind::Zero: return backend.zero(request.offset, request.bytes);
    }
    return false;
}

// Storage formats report that they failed; the reason is what the host's last call left in errno.
void perform(BlockBackend& backend, DiskRequest& request) {
    errno = 0;
    try {
        request.ok = act(backend, request) && (!request.durable || backend.flush());
        request.error = request.ok ? 0 : errno;
    } catch (const std::exception&) {
        request.ok = false;
        request.error = ENOMEM;
    }
}
}  // namespace

std::string failure_text(const DiskRequest& request) {
    static constexpr std::array kNames{"read", "write", "flush", "discard", "zeroing"};
    std::string text = std::string("a ") + kNames[static_cast<std::size_t>(request.kind)];
    if (request.kind != Kind::Flush)
        text += " of " + std::to_string(request.bytes) + " bytes at " + std::to_string(request.offset);
    return text + " failed: " +
           (request.error != 0 ? std::strerror(request.error) : "the file was cut short, or is damaged") +
           "; the guest gets an I/O error";
}

// `blocked`: an earlier one is in its way, so no work for it was given to the pool yet.
struct DiskQueue::Core : std::enable_shared_from_this<DiskQueue::Core> {
    struct Entry {
        std::shared_ptr<DiskRequest> request;
        bool blocked = false, running = false;
    };
    using Place = std::list<Entry>::iterator;

    Core(std::shared_ptr<BlockBackend> to, IoPool* by) : backend(std::move(to)), pool(by) {}
    bool in_the_way(Place place);
    void give();
    bool do_one(std::unique_lock<std::mutex>& held);
    void unblock();
    bool has(const DiskRequest& request) const;

    std::shared_ptr<BlockBackend> backend;
    IoPool* pool;  // null: none
    std::mutex lock;
    std::condition_variable finished;
    std::list<Entry> entries;  // not done yet, as they were put
    u64 bytes = 0;             // of their data
};

bool DiskQueue::Core::in_the_way(Place place) {
    return std::any_of(entries.begin(), place,
                       [&](const Entry& earlier) { return must_wait(*earlier.request, *place->request); });
}

void DiskQueue::Core::give() {
    if (pool == nullptr) return;
    pool->give([self = shared_from_this()] {
        std::unique_lock held(self->lock);
        self->do_one(held);
    });
}

// false: there was nothing that could be begun.
bool DiskQueue::Core::do_one(std::unique_lock<std::mutex>& held) {
    const auto can_begin = [](const Entry& entry) { return !entry.blocked && !entry.running; };
    const auto next = std::ranges::find_if(entries, can_begin);
    if (next == entries.end()) return false;
    next->running = true;
    held.unlock();
    perform(*backend, *next->request);
    held.lock();
    bytes -= data_bytes(*next->request);
    entries.erase(next);
    unblock();
    finished.notify_all();
    return true;
}

void DiskQueue::Core::unblock() {
    for (auto entry = entries.begin(); entry != entries.end(); ++entry) {
        if (!entry->blocked || in_the_way(entry)) continue;
        entry->blocked = false;
        give();
    }
}

bool DiskQueue::Core::has(const DiskRequest& request) const {
    return std::ranges::any_of(entries, [&](const Entry& entry) { return entry.request.get() == &request; });
}

DiskQueue::DiskQueue(std::shared_ptr<BlockBackend> backend, std::shared_ptr<IoPool> pool)
    : core_(std::make_shared<Core>(std::move(backend), pool.get())), pool_(std::move(pool)) {}

// Work that is left in the pool finds nothing to do; the disk is closed all the same.
DiskQueue::~DiskQueue() {
    drain();
    const std::lock_guard held(core_->lock);
    core_->backend.reset();
}

void DiskQueue::put(std::shared_ptr<DiskRequest> request) {
    std::unique_lock held(core_->lock);
    while (core_->bytes >= kMostBytes || core_->entries.size() >= kMostRequests)
        if (!core_->do_one(held)) core_->finished.wait(held);
    core_->bytes += data_bytes(*request);
    core_->entries.push_back({std::move(request)});
    const auto place = std::prev(core_->entries.end());
    place->blocked = core_->in_the_way(place);
    if (!place->blocked) core_->give();
}

bool DiskQueue::done(const DiskRequest& request) {
    const std::lock_guard held(core_->lock);
    return !core_->has(request);
}

void DiskQueue::wait(const DiskRequest& request) {
    std::unique_lock held(core_->lock);
    while (core_->has(request))
        if (!core_->do_one(held)) core_->finished.wait(held);
}

void DiskQueue::drain() {
    std::unique_lock held(core_->lock);
    while (!core_->entries.empty())
        if (!core_->do_one(held)) core_->finished.wait(held);
}
}  // namespace hartline
