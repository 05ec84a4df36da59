// A thread that sleeps until a descriptor, a deadline or somebody in the process wants it.
#pragma once
#include <poll.h>

#include <atomic>
#include <thread>
#include <vector>

#include "core/platform/waker.hpp"

namespace hartline {

class PollThread {
public:
    PollThread() = default;  // throws std::system_error
    PollThread(const PollThread&) = delete;
    PollThread& operator=(const PollThread&) = delete;

protected:
    // Whoever derives from it calls stop() in his destructor: the thread must not outlive what it works on.
    ~PollThread() = default;
    void start();  // nothing, where it runs already. Throws std::system_error
    void stop();
    void wake() { waker_.wake(); }  // from any thread: wait() returns at once, or the next one does
    Waker& waker() { return waker_; }
    // One round of work on the thread: waits, then does what there is to do.
    virtual void turn() = 0;
    // Waits until one of `files` is as it is wanted, or for wake(), at most `timeout_ms` (negative: for
    // ever).
    void wait(std::vector<pollfd>& files, int timeout_ms = -1);

private:
    Waker waker_;
    std::thread thread_;
    std::atomic<bool> leaving_{false};
};
}  // namespace hartline
