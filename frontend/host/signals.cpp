// Blocking signals and reading them by signalfd.
#include "frontend/host/signals.hpp"

#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "frontend/session/errors.hpp"

namespace hartline {

Signals::Signals() {
    sigset_t read, blocked;
    sigemptyset(&read);
    for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGCONT, SIGWINCH})
        sigaddset(&read, number);
    blocked = read;
    // Not read: a closed pipe is known from write(), and a terminal that is another's from read().
    for (const int number : {SIGPIPE, SIGTTIN, SIGTTOU}) sigaddset(&blocked, number);
    if (::pthread_sigmask(SIG_BLOCK, &blocked, &before_) != 0)
        throw HostError("signals", "cannot be blocked");
    file_ = Descriptor(::signalfd(-1, &read, SFD_NONBLOCK | SFD_CLOEXEC));
    if (!file_.open()) throw HostError("signalfd", std::strerror(errno));
}

Signals::~Signals() {
    while (take()) {}
    // A SIGPIPE that waits would end the process when it is let in.
    sigset_t pipe;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    const timespec now{};
    while (::sigtimedwait(&pipe, nullptr, &now) == SIGPIPE) {}
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

std::optional<int> Signals::take() {
    signalfd_siginfo info{};
    if (::read(file_.get(), &info, sizeof info) != static_cast<ssize_t>(sizeof info)) return std::nullopt;
    return static_cast<int>(info.ssi_signo);
}
}  // namespace hartline
