// A thread that sleeps until a descriptor or somebody in the process wants it.
#pragma once
#include <poll.h>

#include <atomic>
#include <thread>
#include <vector>

#include "core/types.hpp"

namespace hartline::stream {

class PollThread {
public:
    PollThread();  // throws std::system_error
    PollThread(const PollThread&) = delete;
    PollThread& operator=(const PollThread&) = delete;

protected:
    // Whoever derives from it calls stop() in his destructor: the thread must not outlive what it works on.
    ~PollThread();
    void start();
    void stop();
    void wake();  // from any thread: wait() returns at once, or the next one does
    // One round of work on the thread: waits, then does what there is to do.
    virtual void turn() = 0;
    // Waits until one of `files` is as it is wanted, or for wake().
    void wait(std::vector<pollfd>& files);

private:
    int wake_fd_ = -1;
    std::thread thread_;
    std::atomic<bool> leaving_{false};
};
}  // namespace hartline::stream
