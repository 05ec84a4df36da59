// Wakes a thread that sleeps in poll(): the host's own way to make a descriptor readable from any thread.
#pragma once
#include <atomic>

namespace hartline {

class Waker {
public:
    Waker();  // throws std::system_error
    ~Waker();
    Waker(const Waker&) = delete;
    Waker& operator=(const Waker&) = delete;

    int fd() const { return fd_; }  // readable from wake() until clear()
    void wake();                    // from any thread
    // By the thread that slept, before it looks for what it was woken for.
    void clear();

private:
    int fd_ = -1;
    std::atomic<bool> woken_{false};  // fd_ was written to
};
}  // namespace hartline
