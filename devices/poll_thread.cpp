// Starting, waiting, ending.
#include "devices/poll_thread.hpp"

#include <signal.h>

namespace hartline {

// Signals are for the thread that asked for them: the new one has all of them blocked.
void PollThread::start() {
    if (thread_.joinable()) return;
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

void PollThread::stop() {
    leaving_ = true;
    wake();
    if (thread_.joinable()) thread_.join();
}

void PollThread::wait(std::vector<pollfd>& files, int timeout_ms) {
    files.push_back({waker_.fd(), POLLIN, 0});
    if (::poll(files.data(), files.size(), timeout_ms) <= 0)
        for (pollfd& file : files) file.revents = 0;
    if (files.back().revents != 0) waker_.clear();
    files.pop_back();
}
}  // namespace hartline
