// Polling input and signals, writing output.
#include "frontend/host/console.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "frontend/session/errors.hpp"
#include "frontend/session/size.hpp"

namespace hartline {
namespace {
constexpr std::size_t kReadBytes = 4096;
// What a pipe takes without blocking once poll() says that it is writable.
constexpr std::size_t kWriteBytes = 4096;

timespec span_of(u64 ns) {
    constexpr u64 kSecond = 1'000'000'000;
    return {static_cast<time_t>(ns / kSecond), static_cast<long>(ns % kSecond)};
}
}  // namespace

Console::Console(Input input, int in, int out)
    : in_(in),
      out_(out),
      terminal_(input == Input::Live ? in : -1),
      input_open_(input == Input::Live && ::fcntl(in, F_GETFD) >= 0) {}

Console::~Console() {
    try {
        flush();
    } catch (const HostError&) {
        output_open_ = false;  // whoever cares has called flush() before
    }
}

void Console::start() {
    signals_.emplace();
    terminal_.enter_raw();
    paused_ = terminal_.is_terminal() && !terminal_.foreground();
}

void Console::finish() {
    flush();
    terminal_.restore();
}

void Console::write(std::span<const u8> bytes) {
    pending_.insert(pending_.end(), bytes.begin(), bytes.end());
    if (pending_.size() < kFlushBytes || failure_) return;
    try {
        flush();
    } catch (const HostError&) {
        failure_ = std::current_exception();
    }
}

void Console::flush() {
    if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
    write_out(std::exchange(pending_, {}));
}

// true: room; false: the session ends.
bool Console::wait_for_room() {
    if (!signals_) return true;
    std::array<pollfd, 2> files{{{out_, POLLOUT, 0}, {signals_->descriptor(), POLLIN, 0}}};
    while (!ending_) {
        if (::ppoll(files.data(), files.size(), nullptr, nullptr) < 0 && errno != EINTR)
            throw HostError("poll", std::strerror(errno));
        if (files[0].revents != 0) return true;
        if (files[1].revents != 0) take_signals();
    }
    return false;
}

void Console::write_out(std::span<const u8> bytes) {
    while (!bytes.empty() && output_open_) {
        if (!wait_for_room()) return;
        const ssize_t done = ::write(out_, bytes.data(), std::min(bytes.size(), kWriteBytes));
        if (done >= 0) {
            bytes = bytes.subspan(static_cast<std::size_t>(done));
        } else if (errno == EPIPE) {
            output_open_ = false;
            ending_ = SIGPIPE;
        } else if (errno == EBADF || errno == EIO) {
            output_open_ =
                false;  // closed from the start, or a terminal that hung up: the signal says the rest
        } else if (errno != EAGAIN && errno != EINTR) {
            output_open_ = false;
            throw HostError("standard output", std::string("cannot write: ") + std::strerror(errno));
        }
    }
}

void Console::message(std::string_view line) {
    flush();
    std::string text;
    for (const char c : line) (text += c == '\n' && terminal_.raw() ? "\r" : "") += c;
    text += terminal_.raw() ? "\r\n" : "\n";
    std::string_view rest = text;
    while (!rest.empty()) {
        const ssize_t done = ::write(STDERR_FILENO, rest.data(), rest.size());
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) return;  // nobody to tell
        rest.remove_prefix(static_cast<std::size_t>(done));
    }
}

ConsoleEvents Console::poll(u64 timeout_ns, bool want_input) {
    const bool read = input_open_ && !paused_ && (want_input || terminal_.is_terminal());
    std::array<pollfd, 3> files{
        {{signals_->descriptor(), POLLIN, 0}, {read ? in_ : -1, POLLIN, 0}, {waker_.fd(), POLLIN, 0}}};
    const timespec span = span_of(timeout_ns == kForever ? 0 : timeout_ns);
    const bool at_once = ending_.has_value();
    const timespec none{};
    const int ready = ::ppoll(files.data(), files.size(),
                              at_once                  ? &none
                              : timeout_ns == kForever ? nullptr
                                                       : &span,
                              nullptr);
    if (ready < 0 && errno != EINTR) throw HostError("poll", std::strerror(errno));
    ConsoleEvents events;
    if (ready > 0 && files[0].revents != 0) take_signals();
    if (ready > 0 && files[1].revents != 0) read_input(events, want_input);
    if (ready > 0 && files[2].revents != 0) waker_.clear();
    events.resized = std::exchange(resized_, false);
    events.signal = ending_;
    return events;
}

void Console::read_input(ConsoleEvents& events, bool want_input) {
    std::array<u8, kReadBytes> bytes;
    const ssize_t got = ::read(in_, bytes.data(), bytes.size());
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got < 0 && errno == EIO && terminal_.is_terminal() && !terminal_.foreground()) {
        paused_ = true;
        return;
    }
    if (got <= 0) {
        input_open_ = false;
        return;
    }
    const auto typed = std::span(bytes).first(static_cast<std::size_t>(got));
    if (!terminal_.is_terminal()) {
        events.bytes.assign(typed.begin(), typed.end());
        return;
    }
    auto parsed = escape_.parse(typed);
    if (want_input) events.bytes = std::move(parsed.bytes);
    events.commands = std::move(parsed.commands);
}

void Console::take_signals() {
    while (const auto signal = signals_->take()) handle(*signal);
}

void Console::handle(int signal) {
    switch (signal) {
        case SIGTSTP: return stop_here();
        case SIGCONT:
            terminal_.enter_raw();
            paused_ = terminal_.is_terminal() && !terminal_.foreground();
            return;
        case SIGWINCH: resized_ = true; return;
        default:
            if (!ending_) ending_ = signal;
    }
}

// Only from outside: in raw mode Ctrl-Z goes to the guest.
void Console::stop_here() {
    terminal_.restore();
    ::kill(::getpid(), SIGSTOP);
    handle(SIGCONT);
}

bool standard_input_is_terminal() { return ::isatty(STDIN_FILENO) == 1; }

std::vector<u8> read_standard_input(u64 limit) {
    std::vector<u8> all;
    if (standard_input_is_terminal()) return all;
    std::array<u8, kReadBytes> bytes;
    for (;;) {
        const ssize_t got = ::read(STDIN_FILENO, bytes.data(), bytes.size());
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return all;
        all.insert(all.end(), bytes.begin(), bytes.begin() + got);
        if (all.size() > limit)
            throw InputError("standard input", "is longer than " + size_text(limit), "give less of it");
    }
}
}  // namespace hartline
