// Raw mode and its guardian.
#include "frontend/host/terminal.hpp"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "frontend/session/errors.hpp"

namespace hartline {
namespace {
constexpr char kAllIsWell = 'k';

// The child: holds nothing but the pipe and the terminal, and outlives every signal that ends its parent.
[[noreturn]] void guard(int pipe, int terminal, const termios& saved) {
    constexpr int kPipe = 0, kTerminal = 1, kFirstOther = 2;
    const int pipe_copy = ::fcntl(pipe, F_DUPFD, 10), terminal_copy = ::fcntl(terminal, F_DUPFD, 10);
    ::dup2(pipe_copy, kPipe);
    ::dup2(terminal_copy, kTerminal);
    ::close_range(kFirstOther, ~0U, 0);
    sigset_t all;
    sigfillset(&all);
    ::sigprocmask(SIG_SETMASK, &all, nullptr);
    char word = 0;
    ssize_t got = 0;
    do {
        got = ::read(kPipe, &word, 1);
    } while (got < 0 && errno == EINTR);
    if (got != 1 || word != kAllIsWell) ::tcsetattr(kTerminal, TCSANOW, &saved);
    ::_exit(0);
}
}  // namespace

Terminal::Terminal(int fd) : fd_(fd) { terminal_ = ::isatty(fd) == 1 && ::tcgetattr(fd, &saved_) == 0; }

Terminal::~Terminal() {
    restore();
    if (guardian_process_ <= 0) return;
    const char word = kAllIsWell;
    if (::write(guardian_.get(), &word, 1) != 1) errno = 0;  // then the child restores once more
    guardian_.close();
    while (::waitpid(guardian_process_, nullptr, 0) < 0 && errno == EINTR) {}
}

void Terminal::start_guardian() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw HostError("pipe", std::strerror(errno));
    Descriptor child_end(ends[0]);
    guardian_ = Descriptor(ends[1]);
    guardian_process_ = ::fork();
    if (guardian_process_ == 0) guard(child_end.get(), fd_, saved_);
    if (guardian_process_ < 0) throw HostError("fork", std::strerror(errno));
}

std::optional<Terminal::Size> Terminal::size() const {
    winsize window{};
    if (!terminal_ || ::ioctl(fd_, TIOCGWINSZ, &window) != 0 || window.ws_col == 0 || window.ws_row == 0)
        return std::nullopt;
    return Size{window.ws_col, window.ws_row};
}

bool Terminal::foreground() const { return terminal_ && ::tcgetpgrp(fd_) == ::getpgrp(); }

void Terminal::enter_raw() {
    if (!foreground()) return;
    if (guardian_process_ <= 0) start_guardian();
    termios raw = saved_;
    ::cfmakeraw(&raw);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    if (::tcsetattr(fd_, TCSANOW, &raw) != 0) throw HostError("terminal", std::strerror(errno));
    raw_ = true;
}

void Terminal::restore() {
    if (!raw_) return;
    raw_ = false;
    if (foreground()) ::tcsetattr(fd_, TCSADRAIN, &saved_);
}
}  // namespace hartline
