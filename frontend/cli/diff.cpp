// hartline diff: two engines, or a machine and somebody else's, up to the first instruction that they
// disagree on.
#include <algorithm>
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <optional>
#include <vector>

#include "frontend/cli/options.hpp"
#include "frontend/cli/verbs.hpp"
#include "frontend/diff/follow.hpp"
#include "frontend/diff/qemu.hpp"
#include "frontend/diff/report.hpp"
#include "frontend/diff/reproducer.hpp"
#include "frontend/session/board.hpp"
#include "frontend/session/errors.hpp"
#include "frontend/session/size.hpp"

namespace hartline {
namespace {
constexpr int kExitDiffers = 1;
constexpr u64 kMostByQemu = 100'000;

class NoSink final : public ByteSink {
public:
    void write(std::span<const u8>) override {}
};

struct DiffRequest {
    std::string engines = lacks_translator({}) ? "interpreter,ir" : "interpreter,jit";
    u64 every = 1'000'000;
    std::string reproducer, commit_log;
    std::optional<std::string> qemu;
    RunRequest run;
};

// Takes `--name value` and `--name=value` out of the arguments.
class OwnOptions {
public:
    explicit OwnOptions(std::span<const std::string> arguments) : rest_(arguments.begin(), arguments.end()) {}
    std::optional<std::string> take(const std::string& name, bool needs_value = true) {
        for (auto at = rest_.begin(); at != rest_.end(); ++at) {
            if (at->starts_with(name + "=")) {
                const std::string value = at->substr(name.size() + 1);
                rest_.erase(at);
                return value;
            }
            if (*at != name) continue;
            at = rest_.erase(at);
            if (!needs_value) return "";
            if (at == rest_.end()) throw InputError(name, "lacks its value", "hartline help diff");
            const std::string value = *at;
            rest_.erase(at);
            return value;
        }
        return {};
    }
    std::span<const std::string> rest() const { return rest_; }

private:
    std::vector<std::string> rest_;
};

DiffRequest parse(std::span<const std::string> arguments) {
    OwnOptions own(arguments);
    DiffRequest request;
    if (const auto value = own.take("--engines")) request.engines = *value;
    if (const auto value = own.take("--every")) request.every = parse_count("--every", *value);
    if (const auto value = own.take("--reproducer")) request.reproducer = *value;
    if (const auto value = own.take("--commit-log")) request.commit_log = *value;
    request.qemu = own.take("--qemu", false);
    request.run = parse_run(own.rest());
    request.run.config.deterministic = true;
    if (request.every == 0) throw InputError("--every", "0 cannot be", "give 1 or more");
    if (request.qemu && !request.commit_log.empty())
        throw InputError("diff", "--qemu and --commit-log at once", "choose one");
    return request;
}

std::pair<EngineKind, EngineKind> parse_engines(const std::string& text) {
    const std::size_t comma = text.find(',');
    if (comma == std::string::npos)
        throw InputError("--engines", "'" + text + "' is not A,B", "write interpreter,jit");
    const std::pair engines{parse_engine("--engines", text.substr(0, comma)),
                            parse_engine("--engines", text.substr(comma + 1))};
    for (const EngineKind engine : {engines.first, engines.second}) require_engine("--engines", engine);
    return engines;
}

RunConfig with_engine(RunConfig config, EngineKind engine) {
    config.engine = engine;
    return config;
}

class Stopwatch {
public:
    double seconds() const {
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
    }

private:
    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

void tell_equal(const char* end, u64 instructions, double seconds) {
    std::printf("equal: %" PRIu64 " instructions in %.1f s (%.2f M/s); %s\n", instructions, seconds,
                static_cast<double>(instructions) / 1e6 / std::max(seconds, 1e-9), end);
}

const char* how_it_ended(Course& course) {
    switch (course.state()) {
        case Course::State::Stopped: return "the guest stopped";
        case Course::State::Stuck: return "the guest waits for ever";
        default: return "the limit was reached";
    }
}

void reproduce(const DiffRequest& request, const Board& board, const Lockstep& lockstep,
               const std::string& report) {
    if (request.reproducer.empty()) return;
    RunConfig config = request.run.config;
    config.engine = parse_engines(request.engines).second;
    config.load.clear();
    config.max_instructions.reset();
    std::vector<std::string*> paths{&config.image, &config.initrd};
    if (config.firmware != "default" && config.firmware != "none") paths.push_back(&config.firmware);
    for (DiskConfig& disk : config.disks) paths.push_back(&disk.path);
    for (std::string* path : paths)
        if (!path->empty()) *path = std::filesystem::absolute(*path).string();
    const std::string command = write_reproducer(
        {request.reproducer, board.summary(), config_text(config), request.engines, report}, lockstep);
    std::printf("again: %s\n", command.c_str());
}

int diff_engines(const DiffRequest& request) {
    const RunConfig& config = request.run.config;
    const auto engines = parse_engines(request.engines);
    NoSink sink;
    Board a(with_engine(config, engines.first), sink), b(with_engine(config, engines.second), sink);
    load_state(a, config.load);
    load_state(b, config.load);
    LockstepOptions options;
    options.every = request.every;
    options.most = config.max_instructions.value_or(options.most);
    if (!config.quiet)
        options.progress = [](u64 tick) {
            if (tick % 100'000'000 == 0) std::fprintf(stderr, "hartline: equal at tick %" PRIu64 "\n", tick);
        };
    const u64 began = a.machine().tick();
    const Stopwatch watch;
    Lockstep lockstep(a.machine(), b.machine(), options);
    if (!lockstep.run()) {
        tell_equal(how_it_ended(lockstep.a()), a.machine().tick() - began, watch.seconds());
        std::printf("state_hash=%016" PRIx64 "\n", a.machine().hash());
        return 0;
    }
    const std::string report =
        describe_difference(lockstep, std::string(name(engines.first)), std::string(name(engines.second)));
    std::fputs(report.c_str(), stdout);
    reproduce(request, a, lockstep, report);
    return kExitDiffers;
}

int tell(const Followed& followed, double seconds) {
    if (followed.difference.empty()) {
        tell_equal(followed.end.c_str(), followed.instructions, seconds);
        return 0;
    }
    std::printf("difference after %" PRIu64 " instructions\n%s", followed.instructions,
                followed.difference.c_str());
    return kExitDiffers;
}

int diff_commit_log(const DiffRequest& request) {
    const RunConfig& config = request.run.config;
    NoSink sink;
    Board board(config, sink);
    LineReader log(request.commit_log);
    const Stopwatch watch;
    const Followed followed =
        follow(board.machine(), log, request.commit_log, config.max_instructions.value_or(~u64{0}));
    return tell(followed, watch.seconds());
}

int diff_qemu(const DiffRequest& request) {
    const RunConfig& config = request.run.config;
    NoSink sink;
    Board board(config, sink);
    if (board.boot().image().kind != LoadedImage::Kind::Program)
        throw InputError("--qemu", "is for bare-metal programs", "give an ELF file that starts in M-mode");
    const Stopwatch watch;
    const std::string program = request.qemu->empty() ? "qemu-system-riscv64" : *request.qemu;
    const Followed followed =
        follow_qemu(board.machine(), program, config.image, config.max_instructions.value_or(kMostByQemu));
    return tell(followed, watch.seconds());
}
void validate(const DiffRequest& request) {
    hartline::validate(request.run.config);
    for (const DiskConfig& disk : request.run.config.disks)
        if (!disk.read_only && !disk.temporary())
            throw InputError("--disk", "two machines cannot write to " + disk.path,
                             "give FILE,ro or FILE,overlay");
    const bool engines = !request.qemu && request.commit_log.empty();
    if (!engines && !request.run.config.load.empty())
        throw InputError("--load", "is for engines", "others cannot begin at a snapshot");
    if (request.run.config.save_at)
        throw InputError("--save-at", "is for hartline run", "give --reproducer DIR");
}
}  // namespace

std::string diff_help() {
    return "hartline diff IMAGE [--engines A,B] [run options]    two of interpreter, jit, ir\n"
           "hartline diff IMAGE --qemu[=PROGRAM] [run options]   against QEMU, by its GDB port: bare-metal programs\n"
           "hartline diff IMAGE --commit-log FILE [run options]  against a log of Spike's --log-commits; also gz, or -\n"
           "\n"
           "Runs both beside each other, deterministically, to the first instruction after which they differ, and\n"
           "tells what it was, what it worked on, and what came of it.\n"
           "\n"
           "  --every N         engines: instructions between comparisons of all memory (1M)\n"
           "  --reproducer DIR  engines: writes the last equal state there, and the command that shows it again\n"
           "  --load FILE       engines: begin at a snapshot\n"
           "  --max-instructions N  enough is enough (with --qemu: 100000)\n"
           "\n"
           "Exit codes: 0 no difference; 1 a difference; 2 bad options or files; 5 the host failed.\n";
}

int verb_diff(std::span<const std::string> arguments) {
    const DiffRequest request = parse(arguments);
    if (request.run.help) {
        std::cout << diff_help();
        return 0;
    }
    validate(request);
    if (request.qemu) return diff_qemu(request);
    return request.commit_log.empty() ? diff_engines(request) : diff_commit_log(request);
}
}  // namespace hartline
