// A terminal in raw mode, given back as it was on every way out.
#pragma once
#include <sys/types.h>
#include <termios.h>

#include <optional>

#include "frontend/host/files.hpp"

namespace hartline {

// Does nothing where `fd` is no terminal. While it lives a small child process watches: should this process
// die in a way that runs no destructor, the child restores the terminal.
class Terminal {
public:
    explicit Terminal(int fd);
    ~Terminal();
    Terminal(const Terminal&) = delete;
    Terminal& operator=(const Terminal&) = delete;

    bool is_terminal() const { return terminal_; }
    bool raw() const { return raw_; }
    struct Size {
        u16 columns, rows;
    };
    std::optional<Size> size() const;  // none: no terminal, or one that does not know
    // Is this process in the terminal's foreground, so that it may read and set it?
    bool foreground() const;
    void enter_raw();  // if in the foreground. Throws HostError. For the first time before any thread
    void restore();

private:
    void start_guardian();

    int fd_;
    bool terminal_ = false;
    bool raw_ = false;
    termios saved_{};
    Descriptor guardian_;  // its end of life is the child's signal
    pid_t guardian_process_ = -1;
};
}  // namespace hartline
