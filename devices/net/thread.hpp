// A backend with a thread of its own, which the card wakes.
#pragma once
#include <utility>

#include "devices/net/link.hpp"
#include "devices/poll_thread.hpp"

namespace hartline::net {

// Whoever derives from it calls close() in his destructor.
class ThreadedBackend : public NetBackend, protected PollThread {
public:
    void open(Deliver deliver) final {
        link_.open(std::move(deliver));
        start();
    }
    void close() final {
        link_.close();
        stop();
    }
    void send(Frame frame) final { link_.send(std::move(frame)); }
    void taken(u64 bytes) final { link_.taken(bytes); }

protected:
    ThreadedBackend() = default;
    Link& link() { return link_; }

private:
    Link link_{&waker()};
};
}  // namespace hartline::net
