// Signals as something to read, not as something that interrupts.
#pragma once
#include <csignal>
#include <optional>

#include "frontend/host/files.hpp"

namespace hartline {

// While it lives, the signals that would end or stop this process wait here. Make it before any thread.
class Signals {
public:
    Signals();  // throws HostError
    ~Signals();
    Signals(const Signals&) = delete;
    Signals& operator=(const Signals&) = delete;

    int descriptor() const { return file_.get(); }  // readable when a signal waits
    std::optional<int> take();                      // the next one; never blocks

private:
    sigset_t before_{};
    Descriptor file_;
};
}  // namespace hartline
