// Whole sessions: little programs run to their end, with their exit codes, input, snapshots and limits.
#include <fcntl.h>
#include <sys/resource.h>

#include <chrono>
#include <csignal>

#include "frontend/session/session.hpp"
#include "frontend/session/signature.hpp"
#include "programs.hpp"

using namespace hartline;
using namespace hartline::test;

namespace {
struct Ended {
    Outcome outcome;
    std::string output;
    u64 hash = 0;
};

// Runs a machine with its output in a file, and its input from `in` (paced) or `typed` (deterministic).
Ended run(const Folder& folder, const RunConfig& config, const std::string& typed = "", int in = -1) {
    const std::string out = folder.at("output");
    const int file = ::open(out.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    REQUIRE(file >= 0);
    Ended ended;
    {
        Console console(config.deterministic ? Console::Input::None : Console::Input::Live, in, file);
        OutputTap tap(console, config);
        Board board(config, tap);
        Session session(config, board, console, tap, {typed.begin(), typed.end()});
        ended.outcome = session.run();
        ended.hash = board.machine().hash();
        if (!config.signature.empty())
            write_signature(config.signature, board.machine().ram(), board.boot().image(),
                            config.signature_granularity);
    }
    ::close(file);
    ended.output = read_text(out);
    return ended;
}

RunConfig paced(const std::string& image) {
    RunConfig config = exact(image);
    config.deterministic = false;
    config.seed = 1;
    return config;
}

double cpu_seconds() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}
}  // namespace

TEST_CASE("exit_codes_tell_how_the_guest_ended", "[frontend][session]") {
    const Folder folder;
    const auto code_of = [&](u32 command) {
        return run(folder, exact(folder.file("elf", elf_of(finish_program(command))))).outcome.exit_code;
    };
    CHECK(code_of(0x5555) == 0);
    CHECK(code_of(7u << 16 | 0x3333) == 7);
    CHECK(code_of(300u << 16 | 0x3333) == 255);
    CHECK(run(folder, exact(folder.file("htif", make_elf(htif_program(0))))).outcome.exit_code == 0);
    CHECK(run(folder, exact(folder.file("htif", make_elf(htif_program(9))))).outcome.exit_code == 9);
    CHECK(run(folder, exact(folder.file("wait", elf_of(wait_program())))).outcome.exit_code == kExitStuck);
}

TEST_CASE("the_instruction_limit_is_exact", "[frontend][session]") {
    const Folder folder;
    RunConfig config = exact(folder.file("elf", elf_of(spin_program())));
    for (const u64 limit : {u64{0}, u64{1}, u64{1000}, u64{3'000'001}}) {
        config.max_instructions = limit;
        const Ended ended = run(folder, config);
        CHECK(ended.outcome.exit_code == kExitLimit);
        CHECK(ended.outcome.instructions == limit);
    }
}

TEST_CASE("a_guest_that_resets_starts_again_and_the_limit_counts_on", "[frontend][session]") {
    const Folder folder;
    for (RunConfig config :
         {exact(folder.file("elf", elf_of(finish_program(0x7777)))), paced(folder.at("elf"))}) {
        config.max_instructions = 1000;
        const Ended ended = run(folder, config);
        CHECK(ended.outcome.exit_code == kExitLimit);
        CHECK(ended.outcome.instructions == 1000);
    }
}

TEST_CASE("typed_input_reaches_the_guest_exactly", "[frontend][session]") {
    const Folder folder;
    const RunConfig config = exact(folder.file("elf", elf_of(echo_program())));
    std::string typed(20, 'x');
    typed += "q and more";
    const Ended first = run(folder, config, typed), second = run(folder, config, typed);
    CHECK(first.outcome.exit_code == 0);
    CHECK(first.output == ">" + typed.substr(0, 21));
    CHECK(first.hash == second.hash);
    CHECK(first.outcome.instructions == second.outcome.instructions);
    CHECK(run(folder, config, "yq").hash != first.hash);
}

TEST_CASE("input_waits_for_a_text", "[frontend][session]") {
    const Folder folder;
    RunConfig config = exact(folder.file("elf", elf_of(echo_program())));
    config.max_instructions = 20'000'000;
    config.input_after = ">";
    CHECK(run(folder, config, "q").outcome.exit_code == 0);
    config.input_after = "never";
    CHECK(run(folder, config, "q").outcome.exit_code == kExitLimit);
}

TEST_CASE("a_saved_run_goes_on_to_the_same_end", "[frontend][session]") {
    const Folder folder;
    RunConfig config = exact(folder.file("elf", elf_of(echo_program())));
    config.harts = 2;
    config.input_after = ">";
    const std::string typed = std::string(12, 'x') + "q";
    const Ended whole = run(folder, config, typed);
    REQUIRE(whole.outcome.exit_code == 0);
    for (const u64 tick : {u64{1}, u64{12'345}, u64{1} << 20, u64{1'500'000}}) {
        RunConfig saving = config, loading = config;
        saving.save_at = RunConfig::SaveAt{tick, folder.at("snap")};
        loading.load = folder.at("snap");
        INFO("saved at " << tick);
        CHECK(run(folder, saving, typed).hash == whole.hash);
        const Ended rest = run(folder, loading);
        CHECK(rest.outcome.exit_code == 0);
        CHECK(rest.hash == whole.hash);
        CHECK(whole.output.ends_with(rest.output));
        loading.harts = 1;
        CHECK(complaint_of([&] { run(folder, loading); }).find("is of another machine") != std::string::npos);
    }
}

TEST_CASE("signatures_are_written_from_the_program's_symbols", "[frontend][session]") {
    const Folder folder;
    RunConfig config = exact(folder.file("elf", make_elf(htif_program(0))));
    config.signature = folder.at("sig");
    run(folder, config);
    CHECK(read_text(folder.at("sig")) == "00000297\n00100313\n");  // its first two instructions
}

TEST_CASE("a_paced_guest_takes_input_from_a_pipe", "[frontend][session]") {
    const Folder folder;
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    REQUIRE(::write(ends[1], "helloq", 6) == 6);
    const Ended ended = run(folder, paced(folder.file("elf", elf_of(echo_program()))), "", ends[0]);
    CHECK(ended.outcome.exit_code == 0);
    CHECK(ended.output == ">helloq");
    ::close(ends[0]);
    ::close(ends[1]);
}

TEST_CASE("a_paced_guest_that_waits_costs_nothing_and_ends_by_signal", "[frontend][session]") {
    const Folder folder;
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    const RunConfig config = paced(folder.file("elf", elf_of(wait_program())));
    sigset_t alarm_only, before;
    sigemptyset(&alarm_only);
    sigaddset(&alarm_only, SIGTERM);
    ::pthread_sigmask(SIG_BLOCK, &alarm_only, &before);
    const pid_t self = ::getpid();
    if (::fork() == 0) {
        ::usleep(700'000);
        ::kill(self, SIGTERM);
        ::_exit(0);
    }
    const double cpu = cpu_seconds();
    const Ended ended = run(folder, config, "", ends[0]);
    CHECK(cpu_seconds() - cpu < 0.3);
    CHECK(ended.outcome.exit_code == 128 + SIGTERM);
    CHECK(ended.outcome.seconds > 0.5);
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    ::close(ends[0]);
    ::close(ends[1]);
}

TEST_CASE("a_paced_guest_that_waits_for_input_that_has_ended_is_stuck", "[frontend][session]") {
    const Folder folder;
    const int nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    CHECK(run(folder, paced(folder.file("elf", elf_of(wait_program()))), "", nothing).outcome.exit_code ==
          kExitStuck);
    ::close(nothing);
}

TEST_CASE("harts_on_threads_end_as_well", "[frontend][session]") {
    const Folder folder;
    RunConfig config = paced(folder.file("elf", elf_of(finish_program(5u << 16 | 0x3333))));
    config.parallel = true;
    config.harts = 4;
    const int nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    CHECK(run(folder, config, "", nothing).outcome.exit_code == 5);
    config.image = folder.file("spin", elf_of(spin_program()));
    config.max_instructions = 1'000'000;
    CHECK(run(folder, config, "", nothing).outcome.exit_code == kExitLimit);
    ::close(nothing);
}
