// Threads that do the host's slow work.
#include "devices/storage/io_pool.hpp"

#include <csignal>
#include <system_error>
#include <utility>

namespace hartline {

IoPool::~IoPool() {
    {
        const std::lock_guard lock(lock_);
        ending_ = true;
    }
    given_.notify_all();
    for (std::thread& thread : threads_) thread.join();
}

void IoPool::give(std::function<void()> work) {
    const std::lock_guard lock(lock_);
    work_.push_back(std::move(work));
    if (work_.size() > free_ && threads_.size() < most_) start_thread();
    given_.notify_one();
}

// Signals are for the process's own threads: a pool's thread inherits a mask that blocks all of them.
void IoPool::start_thread() {
    sigset_t all, before;
    sigfillset(&all);
    ::pthread_sigmask(SIG_BLOCK, &all, &before);
    try {
        threads_.emplace_back([this] { serve(); });
    } catch (const std::system_error&) {
        // The threads that there are do it, only later.
    }
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void IoPool::serve() {
    std::unique_lock lock(lock_);
    for (;;) {
        ++free_;
        given_.wait(lock, [this] { return ending_ || !work_.empty(); });
        --free_;
        if (work_.empty()) return;
        const std::function<void()> work = std::move(work_.front());
        work_.pop_front();
        lock.unlock();
        work();
        lock.lock();
    }
}
}  // namespace hartline
