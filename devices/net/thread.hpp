// A backend with a thread of its own, which sleeps until a descriptor, the card or a deadline wants it.
#pragma once
#include <poll.h>

#include <atomic>
#include <thread>
#include <vector>

#include "devices/net/link.hpp"

namespace hartline::net {

class ThreadedBackend : public NetBackend {
public:
    void open(Deliver deliver) final;
    void close() final;
    void send(Frame frame) final { link_.send(std::move(frame)); }
    void taken(u64 bytes) final { link_.taken(bytes); }

protected:
    ThreadedBackend() = default;
    // Whoever derives from it calls close() in his destructor: the thread must not outlive what it works on.

    // One round of work on the thread: waits, then does what there is to do.
    virtual void turn() = 0;
    Link& link() { return link_; }
    // Waits for wake_fd() and `files`, at most `timeout_ms` (negative: for ever).
    void wait(std::vector<pollfd>& files, int timeout_ms);

private:
    Link link_;
    std::thread thread_;
    std::atomic<bool> leaving_{false};
};
}  // namespace hartline::net
