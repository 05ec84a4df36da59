// Starting, waiting, ending.
#include "devices/net/thread.hpp"

#include <signal.h>

namespace hartline::net {

// Signals are for the thread that asked for them: the new one has all of them blocked.
void ThreadedBackend::open(Deliver deliver) {
    link_.open(std::move(deliver));
    leaving_ = false;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    try {
        thread_ = std::thread([this] {
            while (!leaving_) turn();
        });
    } catch (...) {
        pthread_sigmask(SIG_SETMASK, &before, nullptr);
        throw;
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void ThreadedBackend::close() {
    link_.close();
    leaving_ = true;
    link_.wake();
    if (thread_.joinable()) thread_.join();
}

void ThreadedBackend::wait(std::vector<pollfd>& files, int timeout_ms) {
    files.push_back({link_.wake_fd(), POLLIN, 0});
    if (::poll(files.data(), files.size(), timeout_ms) <= 0)
        for (pollfd& file : files) file.revents = 0;
    if (files.back().revents != 0) link_.clear_wake();
    files.pop_back();
}
}  // namespace hartline::net
