// Threads that do the host's slow work, so that no thread of a machine does. One pool may serve many
// machines of a process.
#pragma once
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace hartline {

// Starts a thread when there is work and none is free, up to a number.
class IoPool {
public:
    static constexpr unsigned kUsualThreads = 4;
    explicit IoPool(unsigned most_threads = kUsualThreads) : most_(most_threads) {}
    ~IoPool();  // after all that was given is done
    IoPool(const IoPool&) = delete;
    IoPool& operator=(const IoPool&) = delete;

    // `work` must not throw. From any thread. Where the host refuses a first thread it may wait for ever:
    // whoever needs it done does it himself (see DiskQueue).
    void give(std::function<void()> work);

private:
    void serve();
    void start_thread();

    const unsigned most_;
    std::mutex lock_;
    std::condition_variable given_;
    std::deque<std::function<void()>> work_;
    std::vector<std::thread> threads_;
    unsigned free_ = 0;  // threads that wait for work
    bool ending_ = false;
};
}  // namespace hartline
