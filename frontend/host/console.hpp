// The guest's console at the host: a terminal, or pipes. The only place where a running machine meets them.
#pragma once
#include <exception>
#include <optional>
#include <string_view>
#include <vector>

#include "core/device.hpp"
#include "core/platform/waker.hpp"
#include "frontend/host/escape.hpp"
#include "frontend/host/signals.hpp"
#include "frontend/host/terminal.hpp"

namespace hartline {

// What the world outside wants.
struct ConsoleEvents {
    std::vector<u8> bytes;  // for the guest
    std::vector<ConsoleCommand> commands;
    bool resized = false;  // the terminal has another size
    std::optional<int>
        signal;  // end with it: SIGINT, SIGTERM, SIGHUP, SIGQUIT; SIGPIPE: nobody reads the output
};

// Calls may come from several threads, but not at the same time: the machine's lock sees to that.
class Console final : public ByteSink {
public:
    enum class Input : u8 {
        Live,  // a terminal in raw mode with its escape key, or a pipe
        None,  // standard input is left alone
    };
    static constexpr u64 kForever = ~u64{0};

    explicit Console(Input input, int in = 0, int out = 1);
    ~Console() override;

    // Signals wait here from now on, and a terminal is raw. Before any thread, and before anything below.
    // Throws HostError.
    void start();
    // The terminal is as it was. What follows goes out unpolled.
    void finish();

    // --- output: kept back until flush(), or until it is much
    void write(std::span<const u8> bytes) override;  // never throws: what fails is thrown by flush()
    // Blocks while the reader is slow, but not against a signal. Throws HostError (disk full).
    void flush();
    // A line of Hartline's own, on standard error, behind what the guest has written.
    void message(std::string_view line);

    // --- input
    // Waits up to `timeout_ns` for something to happen. With want_input false a pipe is not read; a terminal
    // is, as its escape key must work, but what is typed then is lost.
    ConsoleEvents poll(u64 timeout_ns, bool want_input);
    // From any thread: poll() returns at once, or the next one does.
    void wake() { waker_.wake(); }
    // Has input ended (or was there never any), so that no byte can come any more?
    bool input_ended() const { return !input_open_; }
    bool is_terminal() const { return terminal_.is_terminal(); }
    std::optional<Terminal::Size> size() const { return terminal_.size(); }

private:
    static constexpr std::size_t kFlushBytes = 64 * 1024;

    void write_out(std::span<const u8> bytes);
    bool wait_for_room();
    void read_input(ConsoleEvents& events, bool want_input);
    void take_signals();
    void handle(int signal);
    void stop_here();

    int in_, out_;
    Waker waker_;
    std::optional<Signals> signals_;
    Terminal terminal_;
    EscapeParser escape_;
    bool input_open_;
    bool paused_ = false;  // in the background: not read until SIGCONT
    bool output_open_ = true;
    bool resized_ = false;
    std::optional<int> ending_;   // the signal that ends the session, once seen
    std::exception_ptr failure_;  // of an output that nobody has been told of
    std::vector<u8> pending_;     // output, up to flush()
};

bool standard_input_is_terminal();
// All of standard input, if it is no terminal: at most `limit` bytes. Throws InputError for more.
std::vector<u8> read_standard_input(u64 limit);
}  // namespace hartline
