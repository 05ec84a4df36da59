// Starting, waiting, ending.
#include "devices/stream/poll_thread.hpp"

#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace hartline::stream {

PollThread::PollThread() : wake_fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (wake_fd_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
}

PollThread::~PollThread() { ::close(wake_fd_); }

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

void PollThread::wake() {
    const u64 one = 1;
    while (::write(wake_fd_, &one, sizeof one) < 0 && errno == EINTR) {}
}

void PollThread::wait(std::vector<pollfd>& files) {
    files.push_back({wake_fd_, POLLIN, 0});
    if (::poll(files.data(), files.size(), -1) <= 0)
        for (pollfd& file : files) file.revents = 0;
    u64 count = 0;
    if (files.back().revents != 0)
        while (::read(wake_fd_, &count, sizeof count) < 0 && errno == EINTR) {}
    files.pop_back();
}
}  // namespace hartline::stream
