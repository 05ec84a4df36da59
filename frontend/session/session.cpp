// What all ways of running share: start, stop, limits, keys.
#include "frontend/session/session.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "frontend/session/errors.hpp"
#include "frontend/session/size.hpp"
#include "frontend/session/snapshot.hpp"

namespace hartline {
namespace {
constexpr int kMostGuestCode = 255;
}

u64 wall_ns() {
    const auto since = std::chrono::steady_clock::now().time_since_epoch();
    return static_cast<u64>(std::chrono::duration_cast<std::chrono::nanoseconds>(since).count());
}

void OutputTap::write(std::span<const u8> bytes) {
    to_.write(bytes);
    input_after_.feed(bytes);
    if (boot_marker_.feed(bytes)) boot_ns_ = wall_ns();
}

Session::Session(const RunConfig& config, Board& board, Console& console, OutputTap& tap,
                 std::vector<u8> typed)
    : config_(config),
      board_(board),
      machine_(board.machine()),
      console_(console),
      tap_(tap),
      waiting_(std::move(typed)),
      input_open_(config.input_after.empty()),
      balloon_eighths_(config.balloon ? static_cast<unsigned>(balloon_bytes(*config.balloon, config.memory) /
                                                              (config.memory / 8))
                                      : 0) {}

Session::~Session() { machine_.journal().on_post({}); }

Outcome Session::run() {
    started_ns_ = wall_ns();
    if (!config_.load.empty()) load();
    console_.start();
    machine_.journal().on_post([this] { console_.wake(); });
    tell_size();
    if (config_.parallel)
        run_parallel();
    else if (config_.deterministic)
        run_hermetic();
    else
        run_paced();
    const u64 ended_ns = wall_ns();
    report_boot(tap_.take_boot());
    console_.finish();
    return {exit_code_, total_retired(), seconds(ended_ns)};
}

void Session::load() {
    Snapshot snapshot = read_snapshot(config_.load, board_.summary());
    try {
        machine_.load(snapshot.state);
    } catch (const ArchiveError& error) {
        throw InputError(config_.load, error.what(), "save it again with this Hartline");
    }
    waiting_.insert(waiting_.begin(), snapshot.pending_input.begin(), snapshot.pending_input.end());
    input_open_ = input_open_ || snapshot.input_open;
    loaded_retired_ = machine_.retired();
    board_.announce();
}

void Session::save() {
    Snapshot snapshot;
    snapshot.machine = board_.summary();
    snapshot.pending_input.assign(waiting_.begin() + static_cast<std::ptrdiff_t>(given_), waiting_.end());
    snapshot.input_open = input_open_ || tap_.input_allowed();
    snapshot.state = machine_.save();
    write_snapshot(config_.save_at->path, snapshot);
    saved_ = true;
}

double Session::seconds(u64 wall) const { return static_cast<double>(wall - started_ns_) / 1e9; }
u64 Session::total_ticks() const { return earlier_ticks_ + machine_.tick(); }
u64 Session::total_retired() const { return earlier_retired_ + machine_.retired() - loaded_retired_; }

double Session::millions() const {
    return static_cast<double>(config_.parallel ? total_ticks() : total_retired()) / 1e6;
}

u64 Session::budget(u64 ticks) const {
    if (config_.max_instructions) ticks = std::min(ticks, *config_.max_instructions - total_ticks());
    if (config_.save_at && !saved_ && config_.save_at->tick > machine_.tick())
        ticks = std::min(ticks, config_.save_at->tick - machine_.tick());
    return ticks;
}

void Session::check_limits() {
    if (recorder_ != nullptr) recorder_->check();
    if (config_.save_at && !saved_ && machine_.tick() == config_.save_at->tick) save();
    if (!ended() && config_.max_instructions && total_ticks() >= *config_.max_instructions) {
        if (!config_.quiet) console_.message("hartline: instruction limit reached");
        end(kExitLimit);
    }
}

void Session::end_stuck(const char* why) {
    console_.message(std::string("hartline: the guest is stuck for ever: ") + why);
    end(kExitStuck);
}

// An answer is in the journal before it counts as given: looking for both in this order misses none.
bool Session::answers_may_come() const { return board_.awaits_answers() || machine_.journal().waiting(); }

void Session::service(u64 timeout_ns) {
    report_boot(tap_.take_boot());
    console_.flush();
    constexpr std::size_t kMostWaiting = 64 * 1024;
    const bool want = !config_.deterministic && waiting_.size() - given_ < kMostWaiting;
    const ConsoleEvents events = console_.poll(timeout_ns, want);
    waiting_.insert(waiting_.end(), events.bytes.begin(), events.bytes.end());
    for (const ConsoleCommand command : events.commands) act(command);
    if (events.resized) tell_size();
    if (!ended() && events.signal) end(kExitSignal + *events.signal);
}

// Only who has the virtio console before him looks for its size.
void Session::tell_size() {
    if (!config_.virtio_input || config_.deterministic) return;
    if (const auto size = console_.size()) board_.resize({size->columns, size->rows});
}

void Session::act(ConsoleCommand command) {
    switch (command) {
        case ConsoleCommand::Leave: return end(kExitPowerOff);
        case ConsoleCommand::Reset: reset_asked_ = true; return;
        case ConsoleCommand::Continue: paused_ = false; return;
        case ConsoleCommand::Status: return console_.message(status_line());
        case ConsoleCommand::Balloon:
        case ConsoleCommand::LessMemory:
        case ConsoleCommand::MoreMemory: return change_balloon(command);
        case ConsoleCommand::Help: return console_.message(escape_help());
        case ConsoleCommand::Unknown: return console_.message("\nCtrl-A h shows the keys that follow Ctrl-A");
    }
}

// A request is a record of the journal, as all that comes from outside. The guest has a quarter left at
// least.
void Session::change_balloon(ConsoleCommand command) {
    constexpr unsigned kMostEighths = 6;
    const Device* const balloon = board_.balloon();
    if (balloon == nullptr)
        return console_.message("\nhartline: the machine has no balloon: give --balloon on");
    if (command == ConsoleCommand::Balloon) {
        console_.message("");
        return machine_.post(*balloon, balloon_question());
    }
    if (command == ConsoleCommand::LessMemory && balloon_eighths_ < kMostEighths) ++balloon_eighths_;
    if (command == ConsoleCommand::MoreMemory && balloon_eighths_ > 0) --balloon_eighths_;
    const u64 target = config_.memory / 8 * balloon_eighths_;
    machine_.post(*balloon, balloon_target(target));
    console_.message("\nhartline: the guest is asked for " + size_text(target) + " of its " +
                     size_text(config_.memory));
}

void Session::guest_stopped() {
    const auto stop = machine_.stop();
    if (!stop) return;
    if (stop->kind == StopRequest::Kind::Reset) return restart();
    if (stop->kind == StopRequest::Kind::Pause) return pause();
    end(static_cast<int>(std::min<u32>(stop->code, kMostGuestCode)));
}

// Until a person lets the guest go on, resets it or leaves.
void Session::pause() {
    if (!console_.is_terminal()) return end_stuck("it is paused, and nobody is there to let it go on");
    console_.message("hartline: paused; Ctrl-A c goes on, Ctrl-A r resets, Ctrl-A x leaves");
    for (paused_ = true; paused_ && !reset_asked_ && !ended();) service(Console::kForever);
    if (reset_asked_) return restart();
    machine_.resume();
}

void Session::restart() {
    earlier_ticks_ += machine_.tick();
    earlier_retired_ += machine_.retired();
    reset_asked_ = false;
    board_.reset();
}

void Session::give_input(std::size_t most) {
    const std::size_t count = std::min({most, board_.console().input_room(), waiting_.size() - given_});
    if (count == 0) return;
    board_.type(std::span(waiting_).subspan(given_, count));
    given_ += count;
    if (given_ < waiting_.size()) return;
    waiting_.clear();
    given_ = 0;
}

void Session::report_boot(u64 wall) const {
    if (wall == 0) return;
    char text[96];
    std::snprintf(text, sizeof text, "boot: %.2f s, %.1f M instructions", seconds(wall), millions());
    console_.message(text);
}

std::string Session::status_line() const {
    char text[128];
    const double took = seconds(wall_ns());
    std::snprintf(text, sizeof text, "\nhartline: %.1f M instructions in %.2f s, %.1f MIPS", millions(), took,
                  millions() / std::max(took, 1e-9));
    return text;
}
}  // namespace hartline
