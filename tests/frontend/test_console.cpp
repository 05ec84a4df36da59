// The escape key, texts that are waited for, pacing, and a console on pipes and on a pseudo terminal.
#include "support.hpp"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <sys/wait.h>
#include <termios.h>
#include <utmp.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <thread>

#include "frontend/host/console.hpp"
#include "frontend/host/text_watch.hpp"
#include "frontend/session/pacer.hpp"

using namespace hartline;
using namespace hartline::test;

namespace {
std::span<const u8> bytes_of(std::string_view text) {
    return {reinterpret_cast<const u8*>(text.data()), text.size()};
}
std::string text_of(const std::vector<u8>& bytes) { return {bytes.begin(), bytes.end()}; }

struct Pipe {
    Pipe() {
        if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe");
    }
    ~Pipe() {
        close_reader();
        close_writer();
    }
    void close_reader() { close_end(0); }
    void close_writer() { close_end(1); }
    void close_end(int which) {
        if (ends[which] >= 0) ::close(ends[which]);
        ends[which] = -1;
    }
    int ends[2];
};

bool is_raw(int terminal) {
    termios now{};
    return ::tcgetattr(terminal, &now) == 0 && (now.c_lflag & (ICANON | ECHO | ISIG)) == 0;
}

// Runs `act` in a child whose terminal is a pseudo terminal, until `act` is in raw mode, and then does `end`
// to it. The result: was the terminal raw meanwhile, and is it as before at last?
template <class Act, class End>
std::pair<bool, bool> at_terminal(Act act, End end) {
    int controller = -1, terminal = -1;
    REQUIRE(::openpty(&controller, &terminal, nullptr, nullptr, nullptr) == 0);
    const pid_t child = ::fork();
    if (child == 0) {
        ::login_tty(::dup(terminal));
        act();
        ::_exit(0);
    }
    bool raw = false;
    for (int i = 0; i < 500 && !raw; ++i, ::usleep(10'000)) raw = is_raw(terminal);
    end(child, controller);
    ::waitpid(child, nullptr, 0);
    bool restored = false;
    for (int i = 0; i < 500 && !restored; ++i, ::usleep(10'000)) restored = !is_raw(terminal);
    ::close(controller);
    ::close(terminal);
    return {raw, restored};
}

void wait_for_signal() {
    Console console(Console::Input::Live);
    console.start();
    while (!console.poll(Console::kForever, true).signal) {}
}
}  // namespace

TEST_CASE("the_escape_key_is_for_hartline_and_the_rest_for_the_guest", "[frontend]") {
    EscapeParser parser;
    CHECK(text_of(parser.parse(bytes_of("ls\n")).bytes) == "ls\n");
    auto both = parser.parse(bytes_of("a\x01xb"));
    CHECK(text_of(both.bytes) == "ab");
    CHECK(both.commands == std::vector{ConsoleCommand::Leave});
    CHECK(parser.parse(bytes_of("\x01")).bytes.empty());
    CHECK(parser.parse(bytes_of("h")).commands == std::vector{ConsoleCommand::Help});
    CHECK(text_of(parser
                      .parse(bytes_of("\x01"
                                      "a\x01\x01"))
                      .bytes) == "\x01\x01");
    CHECK(parser
              .parse(bytes_of("\x01"
                              "r\x01"
                              "c\x01i\x01?\x01"
                              "q"))
              .commands == std::vector{ConsoleCommand::Reset, ConsoleCommand::Continue,
                                       ConsoleCommand::Status, ConsoleCommand::Help,
                                       ConsoleCommand::Unknown});
}

TEST_CASE("texts_are_found_across_pieces", "[frontend]") {
    TextWatch watch("aabaac");
    CHECK_FALSE(watch.feed(bytes_of("xaab")));
    CHECK_FALSE(watch.feed(bytes_of("aab")));
    CHECK(watch.feed(bytes_of("aacx")));
    CHECK(watch.seen());
    CHECK_FALSE(watch.feed(bytes_of("aabaac")));  // only once
    TextWatch nothing("");
    CHECK_FALSE(nothing.feed(bytes_of("abc")));
}

TEST_CASE("a_console_reads_and_writes_pipes", "[frontend]") {
    Pipe in, out;
    Console console(Console::Input::Live, in.ends[0], out.ends[1]);
    console.start();
    CHECK(console.poll(0, true).bytes.empty());
    REQUIRE(::write(in.ends[1], "hi\x01x", 4) == 4);
    CHECK(console.poll(0, false).bytes.empty());               // not wanted: stays in the pipe
    CHECK(text_of(console.poll(0, true).bytes) == "hi\x01x");  // no escape key in a pipe
    in.close_writer();
    CHECK(console.poll(Console::kForever, true).bytes.empty());
    CHECK(console.input_ended());
    console.write(bytes_of("out"));
    console.flush();
    char text[8] = {};
    CHECK(::read(out.ends[0], text, sizeof text) == 3);
    CHECK(std::string(text) == "out");
}

TEST_CASE("a_reader_that_left_ends_the_session_orderly", "[frontend]") {
    Pipe in, out;
    Console console(Console::Input::Live, in.ends[0], out.ends[1]);
    console.start();
    out.close_reader();
    console.write(bytes_of("x"));
    CHECK_NOTHROW(console.flush());
    CHECK(console.poll(0, true).signal == SIGPIPE);
    CHECK_NOTHROW(console.write(std::vector<u8>(1 << 20)));
    CHECK_NOTHROW(console.flush());
}

TEST_CASE("a_full_disk_is_told_and_never_thrown_into_the_guest", "[frontend]") {
    const int full = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
    REQUIRE(full >= 0);
    {
        Console console(Console::Input::None, 0, full);
        console.start();
        CHECK_NOTHROW(console.write(std::vector<u8>(1 << 20)));
        CHECK_THROWS_AS(console.flush(), HostError);
        CHECK_NOTHROW(console.flush());
    }
    ::close(full);
}

TEST_CASE("closed_descriptors_are_no_input_and_no_output", "[frontend]") {
    Console console(Console::Input::Live, 900, 901);
    console.start();
    CHECK(console.input_ended());
    console.write(bytes_of("x"));
    CHECK_NOTHROW(console.flush());
    CHECK_FALSE(console.poll(0, true).signal);
}

TEST_CASE("a_slow_reader_does_not_hold_back_a_signal", "[frontend]") {
    Pipe in, out;
    Console console(Console::Input::Live, in.ends[0], out.ends[1]);
    console.start();
    ::kill(::getpid(), SIGTERM);              // waits in the signalfd
    console.write(std::vector<u8>(4 << 20));  // more than the pipe takes
    CHECK_NOTHROW(console.flush());
    CHECK(console.poll(Console::kForever, true).signal == SIGTERM);
}

TEST_CASE("a_wake_up_while_the_console_wakes_is_not_lost", "[frontend]") {
    constexpr std::chrono::seconds kMost(60);
    Console console(Console::Input::None);
    console.start();
    std::atomic<bool> done{false};
    const std::jthread waker([&] {
        for (unsigned i = 0; i < 50'000'000; ++i) console.wake();
        done = true;
        console.wake();
    });
    const auto start = std::chrono::steady_clock::now();
    while (!done) (void)console.poll(std::chrono::nanoseconds(kMost).count(), false);
    CHECK(std::chrono::steady_clock::now() - start < kMost);
}

TEST_CASE("the_terminal_is_restored_on_every_way_out", "[frontend]") {
    const auto signal = [](int number) { return [number](pid_t child, int) { ::kill(child, number); }; };
    for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGKILL, SIGSEGV, SIGABRT})
        CHECK(at_terminal(wait_for_signal, signal(number)) == std::pair(true, true));
    const auto throwing = [] {
        try {
            Console console(Console::Input::Live);
            console.start();
            while (console.poll(Console::kForever, true).bytes.empty()) {}
            throw HostError("x", "y");
        } catch (const HostError&) {
            ::_exit(5);
        }
    };
    const auto type = [](pid_t, int controller) { CHECK(::write(controller, "k", 1) == 1); };
    CHECK(at_terminal(throwing, type) == std::pair(true, true));
}

TEST_CASE("a_stopped_session_gives_the_terminal_back_and_takes_it_again", "[frontend]") {
    bool restored_while_stopped = false, raw_again = false;
    const auto stop = [&](pid_t child, int controller) {
        ::kill(child, SIGTSTP);
        int status = 0;
        ::waitpid(child, &status, WUNTRACED);
        restored_while_stopped = WIFSTOPPED(status) && !is_raw(controller);
        ::kill(child, SIGCONT);
        for (int i = 0; i < 500 && !raw_again; ++i, ::usleep(10'000)) raw_again = is_raw(controller);
        ::kill(child, SIGTERM);
    };
    CHECK(at_terminal(wait_for_signal, stop) == std::pair(true, true));
    CHECK(restored_while_stopped);
    CHECK(raw_again);
}

TEST_CASE("pacing_jumps_forward_slows_down_and_forgives_stalls", "[frontend]") {
    constexpr u64 kMs = 1'000'000;
    Pacer pacer(1000 * kMs, 0);
    // 100 million ticks a second: 10 ns a tick.
    CHECK_FALSE(pacer.after_slice(1005 * kMs, 1 * kMs, 500'000, 5 * kMs));
    const auto behind = pacer.after_slice(1020 * kMs, 2 * kMs, 1'500'000, 15 * kMs);
    REQUIRE(behind);
    CHECK(behind->when == 20 * kMs);
    CHECK(behind->rate == u64{10} << 32);
    CHECK(pacer.slice_ticks() == 500'000);
    const auto ahead = pacer.after_slice(1030 * kMs, 50 * kMs, 1'000'000, 10 * kMs);
    REQUIRE(ahead);
    CHECK(ahead->when == 50 * kMs);
    CHECK(ahead->rate == u64{5} << 32);
    const auto again = pacer.after_slice(1060 * kMs, 60 * kMs, 3'000'000, 30 * kMs);
    REQUIRE(again);
    CHECK(again->rate == u64{10} << 32);
    const auto stalled = pacer.after_slice(9000 * kMs, 70 * kMs, 1'000'000, 10 * kMs);
    REQUIRE(stalled);
    CHECK(stalled->when == 70 * kMs);
    CHECK(pacer.until(9000 * kMs, 80 * kMs) == 10 * kMs);
    CHECK(pacer.until(9100 * kMs, 80 * kMs) == 0);
    CHECK(pacer.may_lead_to(9000 * kMs, 71 * kMs));
    CHECK_FALSE(pacer.may_lead_to(9000 * kMs, 71 * kMs + 1));
}

TEST_CASE("after_idling_virtual_time_is_at_the_event_at_least", "[frontend]") {
    constexpr u64 kMs = 1'000'000;
    Pacer pacer(0, 0);
    CHECK(pacer.after_idle(100 * kMs, 100 * kMs + 5).when == 100 * kMs + 5);
    CHECK(pacer.after_idle(101 * kMs, 100 * kMs).when == 101 * kMs);
    CHECK(pacer.after_idle(200 * kMs, 0).when == 200 * kMs);
    CHECK(pacer.after_idle(60'000 * kMs, 300 * kMs).when == 300 * kMs);  // the host slept
    CHECK(pacer.until(60'000 * kMs, 310 * kMs) == 10 * kMs);
}
