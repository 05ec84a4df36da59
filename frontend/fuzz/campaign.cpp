// Running, comparing, keeping.
#include "frontend/fuzz/campaign.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <mutex>
#include <thread>

#include "frontend/fuzz/generate.hpp"
#include "frontend/fuzz/reduce.hpp"
#include "frontend/host/files.hpp"
#include "frontend/session/errors.hpp"

namespace hartline::fuzz {
namespace {
struct Comparison {
    Leavings ours, theirs;
    bool same() const { return ours == theirs; }
};

Comparison compare(const Engine& against, const Program& program, const std::vector<bool>& keep,
                   const std::string& folder, const Bounds& bounds) {
    write_file(folder + "/program.elf", build(program, keep));
    Comparison result;
    result.ours = run_program({}, folder, bounds);
    if (result.ours.finished) result.theirs = run_program(against, folder, bounds);
    return result;
}

std::string called(const Recipe& recipe) {
    return std::string(name(recipe.category)) + "-" + std::to_string(recipe.seed);
}

std::string difference(const Comparison& c) {
    const auto& [ours, theirs] = c;
    const std::size_t both = std::min(ours.checkpoints.size(), theirs.checkpoints.size());
    const auto at =
        std::mismatch(ours.checkpoints.begin(), ours.checkpoints.begin() + static_cast<std::ptrdiff_t>(both),
                      theirs.checkpoints.begin())
            .first -
        ours.checkpoints.begin();
    const auto ended = [](const Leavings& left) {
        return std::string(left.finished ? "" : " (did not end)");
    };
    return "differs at checkpoint " + std::to_string(at) + " of " + std::to_string(ours.checkpoints.size()) +
           ended(ours) + " and " + std::to_string(theirs.checkpoints.size()) + ended(theirs);
}

Recipe recipe_of(const Campaign& campaign, Category category, u64 number) {
    return {.seed = campaign.seed + number,
            .category = category,
            .length = campaign.length,
            .dialect = dialect_of(campaign.against),
            .exit = exit_of(campaign.against)};
}

std::string kept_at(const Campaign& campaign, const Recipe& recipe, const char* ending) {
    const std::filesystem::path folder = campaign.keep.empty() ? "." : campaign.keep;
    std::filesystem::create_directories(folder);
    return (folder / (called(recipe) + ending)).string();
}

bool shrink_and_keep(const Campaign& campaign, const Program& program, const std::string& folder,
                     const Report& report) {
    Bounds bounds;
    bounds.seconds = 2;
    bounds.instructions = 2'000'000 + program.recipe.length * 10;
    const auto fails = [&](const Program& tried, const std::vector<bool>& keep) {
        const Comparison c = compare(campaign.against, tried, keep, folder, bounds);
        return c.ours.finished && c.theirs.finished && !c.same();
    };
    if (!fails(program, {})) return false;
    const Reduced reduced = reduce(program, fails);
    const std::string text = "# " + called(program.recipe) +
                             ", turns: " + std::to_string(reduced.program.turns) + "\n" +
                             listing(reduced.program, reduced.keep);
    write_file(kept_at(campaign, program.recipe, ".reduced.elf"), build(reduced.program, reduced.keep));
    write_file(kept_at(campaign, program.recipe, ".reduced.s"),
               std::span(reinterpret_cast<const u8*>(text.data()), text.size()));
    report(called(program.recipe) + ": reduced to " + std::to_string(reduced.left()) + " instructions\n" +
           text);
    return true;
}

// The work of all threads: programs are numbered, category after category.
class Runner {
public:
    Runner(const Campaign& campaign, const Report& report)
        : campaign_(campaign), report_(report), tallies_(campaign.categories.size()) {}

    std::vector<Tally> run() {
        std::vector<std::thread> threads;
        for (unsigned i = 0; i < std::max(1u, campaign_.jobs); ++i) threads.emplace_back([this] { work(); });
        for (std::thread& thread : threads) thread.join();
        if (failure_) std::rethrow_exception(failure_);
        return tallies_;
    }

private:
    void work() {
        try {
            const TemporaryFolder folder;
            const u64 all = campaign_.programs * campaign_.categories.size();
            for (u64 i = next_++; i < all && !late(); i = next_++) one(i, folder.path());
        } catch (...) {
            const std::lock_guard lock(mutex_);
            failure_ = std::current_exception();
            next_ = ~u64{0} >> 1;
        }
    }
    bool late() const {
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - started_;
        return campaign_.seconds > 0 && took.count() > campaign_.seconds;
    }
    void one(u64 number, const std::string& folder) {
        const std::size_t which = number % campaign_.categories.size();
        const Recipe recipe =
            recipe_of(campaign_, campaign_.categories[which], number / campaign_.categories.size());
        const Program program = generate(recipe);
        const Comparison c = compare(campaign_.against, program, {}, folder, {});
        note(tallies_[which], program, c);
        if (c.same() && c.ours.finished) return;
        say(called(recipe) + ": " + difference(c));
        write_file(kept_at(campaign_, recipe, ".elf"), build(program));
        if (campaign_.reduce && c.ours.finished && c.theirs.finished)
            shrink_and_keep(campaign_, program, folder, [this](const std::string& line) { say(line); });
    }
    void note(Tally& tally, const Program& program, const Comparison& c) {
        const std::lock_guard lock(mutex_);
        ++tally.programs;
        tally.instructions += c.ours.instructions;
        tally.random_instructions += program.body.size() * program.turns;
        if (!c.ours.finished) ++tally.unfinished;
        if (!c.same()) ++tally.different;
    }
    void say(const std::string& line) {
        const std::lock_guard lock(mutex_);
        report_(line);
    }

    const Campaign& campaign_;
    const Report& report_;
    std::vector<Tally> tallies_;
    std::atomic<u64> next_{0};
    std::mutex mutex_;
    std::exception_ptr failure_;
    const std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
};
}  // namespace

std::vector<Tally> run_campaign(const Campaign& campaign, const Report& report) {
    return Runner(campaign, report).run();
}

bool reduce_program(const Campaign& campaign, const Recipe& recipe, const Report& report) {
    const TemporaryFolder folder;
    return shrink_and_keep(campaign, generate(recipe), folder.path(), report);
}
}  // namespace hartline::fuzz
