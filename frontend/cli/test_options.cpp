// Reading the options of `hartline test`; those of the machines are read as `hartline run` reads them.
#include "frontend/cli/test_options.hpp"

#include <boost/program_options.hpp>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <sstream>
#include <thread>

#include "frontend/cli/nearest.hpp"
#include "frontend/cli/options.hpp"
#include "frontend/session/errors.hpp"
#include "frontend/session/size.hpp"

namespace hartline {
namespace {
namespace po = boost::program_options;
constexpr unsigned kMostJobs = 1024;
constexpr double kMostSeconds = 1e6;
// Given on to each machine.
constexpr const char* kMachineOptions[] = {"memory",           "harts",           "pmp-entries",
                                           "ad-bits",          "translate-after", "code-cache",
                                           "max-instructions", "signature",       "signature-granularity"};

po::options_description test_options() {
    po::options_description options("Which tests, and how they run");
    auto add = options.add_options();
    const auto text = [](const char* called) { return po::value<std::string>()->value_name(called); };
    add("only", po::value<std::vector<std::string>>()->value_name("TEXT")->composing(),
        "those with TEXT in their name; again for others too");
    add("shard", text("I/N"), "only the I-th of N parts, every N-th test by name");
    add("list", po::bool_switch(), "print names and files of the tests and end");
    add("jobs", text("N"), "at a time (as many as the host has cores)");
    add("timeout", text("SECONDS"), "of wall time each (60)");
    add("engine", text("NAME"),
        "interpreter, jit, ir; or 'both' of the first two, or 'all': run each test on them and compare "
        "(jit where the host can)");
    return options;
}

po::options_description machine_options() {
    po::options_description options("Each test's machine, as for hartline run");
    auto add = options.add_options();
    const auto text = [](const char* called) { return po::value<std::string>()->value_name(called); };
    add("max-instructions", text("N"), "stop after so many (200M, 5G)");
    add("memory", text("SIZE"), "16M to 64G (1G)");
    add("harts", text("N"), "1 to 64 (1)");
    add("pmp-entries", text("N"), "0, 16 or 64 (16)");
    add("ad-bits", text("WHO"), "who sets accessed and dirty bits: 'hardware' or 'fault'");
    add("translate-after", text("N"), "entries of a block until the jit translates it (100)");
    add("code-cache", text("SIZE"), "for translations, a hart: 1M to 1G (128M)");
    return options;
}

po::options_description judging_options() {
    po::options_description options("What is expected and told");
    auto add = options.add_options();
    const auto text = [](const char* called) { return po::value<std::string>()->value_name(called); };
    add("expect", text("FILE"), "expectations of many tests, besides NAME.expect beside each");
    add("reference", text("FOLDER"),
        "compare signatures with NAME.signature or NAME.reference_output in FOLDER");
    add("signature", text("FILE"), "of one test: write memory from begin_signature to end_signature");
    add("signature-granularity", text("N"), "bytes a line: 1, 2, 4, 8, 16 (4)");
    add("junit", text("FILE"), "write the results as JUnit XML");
    add("json", text("FILE"), "write the results as JSON");
    add("help,h", po::bool_switch(), "this help");
    return options;
}

po::options_description named_options() {
    po::options_description options;
    options.add(test_options()).add(machine_options()).add(judging_options());
    return options;
}

[[noreturn]] void unknown(const std::string& called) {
    std::vector<std::string> names;
    const po::options_description known = named_options();
    for (const auto& option : known.options()) names.push_back(option->long_name());
    const std::string close =
        nearest(called.substr(std::min(called.find_first_not_of('-'), called.size())), names);
    throw InputError("test", "unknown option '" + called + "'",
                     close.empty() ? "hartline help test lists all" : "did you mean --" + close + "?");
}

po::variables_map parse(std::span<const std::string> arguments) {
    namespace style = po::command_line_style;
    po::options_description all, paths;
    paths.add_options()("path", po::value<std::vector<std::string>>());
    all.add(named_options()).add(paths);
    po::positional_options_description positional;
    positional.add("path", -1);
    po::variables_map values;
    try {
        po::store(po::command_line_parser(std::vector<std::string>(arguments.begin(), arguments.end()))
                      .options(all)
                      .positional(positional)
                      .style(style::unix_style & ~style::allow_guessing)
                      .run(),
                  values);
        po::notify(values);
    } catch (const po::unknown_option& error) {
        const std::string called = error.get_option_name();
        unknown(called.substr(0, called.find('=')));
    } catch (const po::error& error) {
        throw InputError("test", error.what(), "hartline help test shows how");
    }
    return values;
}

std::string text(const po::variables_map& values, const char* key, const std::string& otherwise = "") {
    return values.count(key) == 0 ? otherwise : values[key].as<std::string>();
}

std::vector<std::string> texts(const po::variables_map& values, const char* key) {
    return values.count(key) == 0 ? std::vector<std::string>{} : values[key].as<std::vector<std::string>>();
}

unsigned parse_jobs(const std::string& text) {
    if (text.empty()) return std::max(1u, std::thread::hardware_concurrency());
    const u64 jobs = parse_count("--jobs", text);
    if (jobs < 1 || jobs > kMostJobs)
        throw InputError("--jobs", "'" + text + "' cannot be", "choose 1 to 1024");
    return static_cast<unsigned>(jobs);
}

double parse_timeout(const std::string& text) {
    double seconds = 0;
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, seconds);
    if (error != std::errc() || stop != end || !(seconds > 0 && seconds <= kMostSeconds))
        throw InputError("--timeout", "'" + text + "' is no time", "write seconds, for example 10 or 0.5");
    return seconds;
}

RunConfig machine_config(const po::variables_map& values) {
    std::vector<std::string> arguments{"test", "--deterministic", "--quiet"};
    for (const char* key : kMachineOptions)
        if (values.count(key) != 0) arguments.push_back("--" + std::string(key) + "=" + text(values, key));
    const RunConfig config = parse_run(arguments).config;
    validate(config);
    return config;
}

std::string reference_folder(const po::variables_map& values) {
    const std::string folder = text(values, "reference");
    std::error_code ignored;
    if (!folder.empty() && !std::filesystem::is_directory(folder, ignored))
        throw InputError("--reference", "'" + folder + "' is no folder",
                         "name the one with the NAME.signature files");
    return folder;
}
}  // namespace

TestRequest parse_test(std::span<const std::string> arguments) {
    const po::variables_map values = parse(arguments);
    TestRequest request;
    request.help = values["help"].as<bool>();
    if (request.help) return request;
    request.list = values["list"].as<bool>();
    request.paths = texts(values, "path");
    request.only = texts(values, "only");
    request.expect = text(values, "expect");
    request.junit = text(values, "junit");
    request.json = text(values, "json");
    if (values.count("shard") != 0) request.shard = parse_shard(text(values, "shard"));
    request.plan.config = machine_config(values);
    request.plan.jobs = parse_jobs(text(values, "jobs"));
    request.plan.timeout = parse_timeout(text(values, "timeout", "60"));
    request.plan.engines =
        values.count("engine") == 0 ? std::vector{engine_of(RunConfig{})} : engine_of(text(values, "engine"));
    request.plan.reference = reference_folder(values);
    return request;
}

std::string test_options_help() {
    std::ostringstream out;
    out << test_options() << '\n' << machine_options() << '\n' << judging_options();
    return out.str();
}
}  // namespace hartline
