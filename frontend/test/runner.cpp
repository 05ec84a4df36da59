// Judging tests, and spreading them over threads.
#include "frontend/test/runner.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <mutex>
#include <new>
#include <thread>

#include "frontend/host/files.hpp"
#include "frontend/session/errors.hpp"
#include "frontend/session/signature.hpp"
#include "frontend/test/reference.hpp"
#include "frontend/test/reproduction.hpp"

namespace hartline {
namespace {
// riscv-tests' handler of a trap that no test provoked sets these bits in what it reports (1337), besides the
// test's number.
constexpr u32 kUnexpectedTrap = 1337 >> 1;

class Judge {
public:
    Judge(const Test& test, const TestPlan& plan, TestResult& result)
        : test_(test), plan_(plan), result_(result) {}

    void run(const EngineKind& engine) {
        RunConfig config = plan_.config;
        config.engine = engine;
        config.image = test_.file.path;
        Capture console;
        Board board(config, console);
        const Trial trial = run_trial(board, config, plan_.timeout);
        keep_console(console);
        const bool first = &engine == &plan_.engines.front();
        if (first) result_.trial = trial;
        const std::size_t before = result_.reasons.size();
        judge_end(board, trial);
        for (const Check& check : test_.checks)
            blame(check.what == Check::What::Exit ? verdict_of(trial.ending) : Verdict::Expectation,
                  complaint_about(check, trial, board.machine()));
        judge_signature(config, board);
        if (!first) judge_equal(trial);
        if (plan_.engines.size() > 1)
            for (std::size_t i = before; i < result_.reasons.size(); ++i)
                result_.reasons[i] = std::string(name(engine)) + ": " + result_.reasons[i];
    }

    void run_all() {
        if (is_reproducer(test_.file.path)) return blame(Verdict::Expectation, reproduce(test_.file.path));
        for (const EngineKind& engine : plan_.engines) run(engine);
    }

    void blame(Verdict verdict, const std::string& reason) {
        if (reason.empty()) return;
        if (result_.verdict == Verdict::Passed) result_.verdict = verdict;
        result_.reasons.push_back(reason);
    }

private:
    static Verdict verdict_of(const Ending& ending) {
        switch (ending.how) {
            case Ending::How::Limit: return Verdict::Limit;
            case Ending::How::Stuck: return Verdict::Stuck;
            case Ending::How::Timeout: return Verdict::Timeout;
            case Ending::How::Exit: break;
        }
        return Verdict::Exit;
    }

    // A test passes with exit code 0, unless a file expects another end.
    void judge_end(Board& board, const Trial& trial) {
        const auto about_exit = [](const Check& check) { return check.what == Check::What::Exit; };
        const bool expected = std::any_of(test_.checks.begin(), test_.checks.end(), about_exit);
        if (expected || trial.ending == Ending{}) return;
        blame(verdict_of(trial.ending), end_text(board, trial));
    }

    std::string end_text(Board& board, const Trial& trial) const {
        const std::string ran = " after " + std::to_string(trial.instructions) + " instructions";
        const u32 code = trial.ending.code;
        switch (trial.ending.how) {
            case Ending::How::Limit: return "the limit of --max-instructions was reached";
            case Ending::How::Stuck: return "every hart waits, and nothing can wake it," + ran;
            case Ending::How::Timeout: return "still running" + ran + ": --timeout gives it more time";
            case Ending::How::Exit: break;
        }
        const std::string exit = describe(trial.ending);
        if (!board.boot().image().symbol("tohost")) return exit;
        if ((code & kUnexpectedTrap) == kUnexpectedTrap) return "a trap that no test provoked (" + exit + ")";
        return "test " + std::to_string(code) + " failed (" + exit + ")";
    }

    void judge_signature(const RunConfig& config, Board& board) {
        if (config.signature.empty() && plan_.reference.empty()) return;
        if (result_.verdict != Verdict::Passed && !board.boot().image().symbol("begin_signature")) return;
        const std::string text =
            signature_of(board.machine().ram(), board.boot().image(), config.signature_granularity);
        if (!config.signature.empty())
            write_file(config.signature, std::span(reinterpret_cast<const u8*>(text.data()), text.size()));
        if (!plan_.reference.empty())
            blame(Verdict::Signature,
                  compare_signature(text, find_reference(plan_.reference, test_.file.name)));
    }

    void judge_equal(const Trial& trial) {
        const Trial& first = result_.trial;
        if (trial.ending != first.ending || trial.instructions != first.instructions)
            blame(Verdict::Expectation, describe(trial.ending) + " after " +
                                            std::to_string(trial.instructions) + " instructions, but " +
                                            describe(first.ending) + " after " +
                                            std::to_string(first.instructions) + " on engine " +
                                            std::string(name(plan_.engines.front())));
        else if (trial.hash != first.hash && trial.ending.how != Ending::How::Timeout)
            blame(Verdict::Expectation,
                  "ends in another state than on engine " + std::string(name(plan_.engines.front())));
    }

    void keep_console(const Capture& console) {
        result_.console = console.text();
        result_.console_lost = console.lost();
    }

    const Test& test_;
    const TestPlan& plan_;
    TestResult& result_;
};
}  // namespace

std::string_view name(Verdict verdict) {
    constexpr std::array<std::string_view, kVerdicts> kNames{"passed",  "failed", "expect", "signature",
                                                             "timeout", "limit",  "stuck",  "error"};
    return kNames[static_cast<std::size_t>(verdict)];
}

TestResult run_test(const Test& test, const TestPlan& plan) {
    TestResult result;
    Judge judge(test, plan, result);
    try {
        judge.run_all();
    } catch (const std::bad_alloc&) {
        judge.blame(Verdict::Error, "the host has no more memory: give less with --memory or --jobs");
    } catch (const std::exception& error) {
        judge.blame(Verdict::Error, error.what());
    } catch (...) {
        judge.blame(Verdict::Error, "an unknown exception of the host");
    }
    return result;
}

std::vector<TestResult> run_tests(const std::vector<Test>& tests, const TestPlan& plan,
                                  const Progress& progress) {
    std::vector<TestResult> results(tests.size());
    std::atomic<std::size_t> next{0};
    std::mutex one;
    std::size_t done = 0, failed = 0;
    const auto work = [&] {
        for (std::size_t i; (i = next.fetch_add(1)) < tests.size();) {
            results[i] = run_test(tests[i], plan);
            const std::lock_guard lock(one);
            failed += results[i].verdict != Verdict::Passed;
            progress(++done, failed, tests[i].file.name);
        }
    };
    std::vector<std::jthread> threads;
    for (std::size_t i = 1; i < std::min<std::size_t>(plan.jobs, tests.size()); ++i)
        threads.emplace_back(work);
    work();
    threads.clear();
    return results;
}
}  // namespace hartline
