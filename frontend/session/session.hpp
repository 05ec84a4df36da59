// A running machine and the person (or script) in front of it.
#pragma once
#include <string>
#include <utility>

#include "frontend/host/console.hpp"
#include "frontend/host/text_watch.hpp"
#include "frontend/session/board.hpp"
#include "frontend/session/config.hpp"
#include "frontend/session/pacer.hpp"
#include "frontend/session/recorder.hpp"

namespace hartline {

// Exit codes of `hartline run`. A guest's own failure code c is passed on as min(c, 255); 128 + N: ended by
// signal N.
enum ExitCode : int {
    kExitPowerOff = 0,  // also when left by Ctrl-A x
    kExitInput = 2,     // options or files that cannot work
    kExitStuck = 3,     // the guest waits for what can never come
    kExitLimit = 4,     // --max-instructions reached
    kExitHost = 5,      // the host failed: disk full, …
    kExitSignal = 128,
};

struct Outcome {
    int exit_code = 0;
    u64 instructions = 0;  // retired, over all resets of the guest
    double seconds = 0;    // of wall time
};

// Between a board's devices and the console: looks for texts that the options wait for.
class OutputTap final : public ByteSink {
public:
    OutputTap(ByteSink& to, const RunConfig& config)
        : to_(to), boot_marker_(config.boot_marker), input_after_(config.input_after) {}
    void write(std::span<const u8> bytes) override;

    // When the boot marker appeared, by the wall clock; 0: not yet, or taken.
    u64 take_boot() { return std::exchange(boot_ns_, 0); }
    bool input_allowed() const { return input_after_.seen(); }

private:
    ByteSink& to_;
    TextWatch boot_marker_, input_after_;
    u64 boot_ns_ = 0;
};

class Session {
public:
    // `board` writes to `tap`, and that to `console`. `typed` is what a deterministic run gets as input.
    Session(const RunConfig& config, Board& board, Console& console, OutputTap& tap, std::vector<u8> typed);

    ~Session();
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    // Looks at `recorder` between turns: a file that cannot be written ends the run.
    void record_with(const Recorder& recorder) { recorder_ = &recorder; }

    // Until the guest stops, or somebody stops it. Throws HostError, InputError (--load).
    Outcome run();

private:
    // --- shared (session.cpp)
    void load();
    void save();
    bool ended() const { return exit_code_ >= 0; }
    void end(int code) { exit_code_ = code; }
    void end_stuck(const char* why);
    bool answers_may_come() const;  // from the host, to what the guest asked for
    void service(u64 timeout_ns);   // output, signals, keys
    void act(ConsoleCommand command);
    void tell_size();  // of the terminal
    void change_balloon(ConsoleCommand command);
    void guest_stopped();  // power-off, failure code, reset, pause
    void pause();
    void restart();
    void give_input(std::size_t most);  // from waiting_ to the guest
    u64 total_ticks() const;
    u64 total_retired() const;    // not while harts run on threads
    double millions() const;      // of instructions, for people
    u64 budget(u64 ticks) const;  // cut short by --max-instructions and --save-at
    void check_limits();
    void report_boot(u64 wall) const;
    std::string status_line() const;
    double seconds(u64 wall) const;  // of this run, until then

    // --- the three ways to run (paced.cpp, hermetic.cpp, parallel.cpp)
    void run_paced();
    Machine::Result run_slice(u64 ticks);
    void wait_paced(Pacer& pacer, u64 next_event);
    void run_hermetic();
    bool give_hermetic();
    void run_parallel();

    const RunConfig& config_;
    Board& board_;
    const Recorder* recorder_ = nullptr;
    Machine& machine_;
    Console& console_;
    OutputTap& tap_;
    std::vector<u8> waiting_;   // input on its way to the guest
    std::size_t given_ = 0;     // how much of it is there already
    bool input_open_ = true;    // has --input-after been seen?
    bool reset_asked_ = false;  // by a person
    bool paused_ = false;       // by the guest's watchdog
    bool saved_ = false;
    unsigned balloon_eighths_ = 0;  // of memory that the balloon was asked for by keys
    int exit_code_ = -1;            // -1: still running
    u64 started_ns_ = 0;            // of wall time
    u64 earlier_ticks_ = 0;         // before the last reset
    u64 earlier_retired_ = 0;
    u64 loaded_retired_ = 0;  // not of this run: the snapshot's
};

u64 wall_ns();  // monotonic
}  // namespace hartline
