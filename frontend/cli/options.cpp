// Reading of options by Boost.Program_options, and writing them down again.
#include "frontend/cli/options.hpp"

#include <boost/program_options.hpp>

#include <algorithm>
#include <filesystem>
#include <sstream>
#include <vector>

#include "frontend/cli/nearest.hpp"
#include "frontend/host/files.hpp"
#include "frontend/session/errors.hpp"
#include "frontend/session/size.hpp"

namespace hartline {
namespace {
namespace po = boost::program_options;
constexpr u64 kMostConfigBytes = 1 << 20;

po::options_description machine_options() {
    po::options_description options("The machine");
    auto add = options.add_options();
    add("initrd", po::value<std::string>()->value_name("FILE"), "initial RAM file system");
    add("append", po::value<std::string>()->value_name("TEXT"), "the kernel's command line");
    add("firmware", po::value<std::string>()->value_name("FILE"),
        "what starts: 'default' (built-in OpenSBI, for kernels), 'none', or a file for M-mode; 'uboot' or 'edk2' (UEFI) "
        "start what is on the disks. Not given: OpenSBI for kernels, none for other programs, as it needs for a disk");
    add("efi-vars", po::value<std::string>()->value_name("FILE"),
        "where EDK2 keeps its variables (boot entries); made when it is not there. Not given: gone at the end");
    add("memory", po::value<std::string>()->value_name("SIZE"),
        "16M to 64G (1G); taken from the host as it is used");
    add("harts", po::value<std::string>()->value_name("N"), "1 to 64 (1)");
    add("parallel", po::bool_switch(), "a host thread a hart: faster, not repeatable");
    add("disk", po::value<std::vector<std::string>>()->value_name("FILE[,…]")->composing(),
        "disk image, /dev/vda and on; up to 20. A file named .qcow2 is qcow2, others are raw, or ,format=raw|qcow2. "
        "Its backing files lie in its folder or below, or ,backing=any. ,ro: read-only. ,overlay: the file stays as it "
        "is, changes are gone at the end; ,overlay=NAME.qcow2: they are kept there, until 'hartline image commit' "
        "merges them. ,serial=TEXT for /dev/disk/by-id. ,discard=off: what the guest frees stays allocated. "
        ",bus=mmio (up to 6), pci, or nvme (/dev/nvme0n1)");
    add("net", po::value<std::string>()->value_name("KIND"),
        "network card: 'user' (a NAT of its own: the guest is 10.0.2.15, the host 10.0.2.2), 'tap=INTERFACE', or "
        "'none'; then ,mac=…, ,mtu=… and ,bus=… (user; with --deterministic none)");
    add("publish", po::value<std::vector<std::string>>()->value_name("[HOST:]PORT:GUEST[/udp]")->composing(),
        "the host's PORT leads to the guest's, with --net user: 2222:22. HOST: who may come (127.0.0.1); 0.0.0.0: "
        "everybody");
    add("share", po::value<std::vector<std::string>>()->value_name("DIR[:TAG][:ro]")->composing(),
        "a folder for the guest, by virtio-9p; TAG (share0, share1, …) is what it mounts. Files keep the host's owners; "
        "what the guest makes is yours");
    add("balloon", po::value<std::string>()->value_name("HOW"),
        "'on': memory that the guest frees goes back to the host; SIZE: the guest is asked to make do with so much of "
        "its memory too; 'off' (on; with --deterministic off). Ctrl-A b shows it, Ctrl-A + and - change it");
    add("port", po::value<std::vector<std::string>>()->value_name("NAME=WHERE")->composing(),
        "/dev/virtio-ports/NAME in the guest, up to 8: WHERE is a FILE for what it writes, 'socket:PATH' for one at a "
        "time to connect to, or 'stdio', to which this terminal's input goes then");
    add("vsock", po::value<std::string>()->value_name("CID[,DIR]"),
        "sockets between host and guest, whose address is CID (3 and on). DIR (vsock-CID) holds them: DIR/connect takes "
        "'CONNECT PORT' and a newline to the guest's PORT; the guest's connections to PORT of CID 2 go to DIR/PORT");
    add("bus", po::value<std::string>()->value_name("WHICH"),
        "of virtio devices that do not say it: 'mmio', up to 8 of them, or 'pci' (mmio)");
    add("watchdog", po::value<std::string>()->value_name("[ACTION]"),
        "a watchdog (Linux: sunxi_wdt); ACTION when it expires: 'reset', 'poweroff', 'pause' or 'none' (reset)");
    add("pmp-entries", po::value<std::string>()->value_name("N"), "0, 16 or 64 (16)");
    add("ad-bits", po::value<std::string>()->value_name("WHO"),
        "who sets accessed and dirty bits: 'hardware' where the guest allows (Svadu), or 'fault' (Svade)");
    add("console", po::value<std::string>()->value_name("WHICH"),
        "where input goes: 'uart' (ttyS0), or 'virtio' (hvc0), which is only there then (uart; virtio where the last "
        "console= of --append is hvc0)");
    return options;
}

po::options_description run_options() {
    po::options_description options("The run");
    auto add = options.add_options();
    add("engine", po::value<std::string>()->value_name("WHICH"),
        "'jit' translates to host code; 'interpreter'; 'ir': slow, a second opinion (jit where the host can)");
    add("translate-after", po::value<std::string>()->value_name("N"),
        "entries of a block until it is translated (100)");
    add("code-cache", po::value<std::string>()->value_name("SIZE"),
        "for translations, a hart or a parallel machine: 1M to 1G (128M)");
    add("deterministic", po::bool_switch(),
        "time by instructions alone: the same input gives the same run, bit by bit");
    add("seed", po::value<std::string>()->value_name("N"),
        "of the guest's entropy (1 when deterministic, else random)");
    add("max-instructions", po::value<std::string>()->value_name("N"),
        "stop after so many (200M, 5G): exit code 4");
    add("input-after", po::value<std::string>()->value_name("TEXT"),
        "with --deterministic: input waits until the guest has written TEXT");
    add("save-at", po::value<std::string>()->value_name("TICK:FILE"),
        "save the machine when it has run so far");
    add("load", po::value<std::string>()->value_name("FILE"),
        "go on from a saved machine, with the same options");
    return options;
}

po::options_description report_options() {
    po::options_description options("What is told");
    auto add = options.add_options();
    add("stats", po::bool_switch(),
        "at the end on standard error: a line with instructions= seconds= mips= peak_rss_mib= state_hash=, and "
        "two of the translator's");
    add("boot-marker", po::value<std::string>()->value_name("TEXT"),
        "say how long it took when the guest first writes TEXT");
    add("dump-dtb", po::value<std::string>()->value_name("FILE"), "write the device tree and end");
    add("signature", po::value<std::string>()->value_name("FILE"),
        "at the end write memory from begin_signature to end_signature");
    add("signature-granularity", po::value<std::string>()->value_name("N"),
        "bytes a line: 1, 2, 4, 8, 16 (4)");
    add("commit-log", po::value<std::string>()->value_name("FILE"),
        "a line for each instruction with what it did, as Spike's --log-commits has it; compressed for a name in .gz");
    add("log-range", po::value<std::string>()->value_name("FROM:TO[,…]"), "log only these addresses");
    add("log-privilege", po::value<std::string>()->value_name("MSU"), "log only these modes");
    add("log-window", po::value<std::string>()->value_name("FROM:TO"),
        "log only these instructions, by number (1M:2M)");
    add("coverage", po::value<std::string>()->value_name("FILE"),
        "add to FILE which instructions, operands, traps and CSRs were exercised: see hartline coverage");
    add("dump-translation", po::value<std::string>()->value_name("ADDRESS[,…]"),
        "at the end show guest code, IR and host code of what translates it, on standard error; or FROM:TO. In RAM "
        "physical, else virtual as hart 0 maps it then");
    add("perf-map", po::bool_switch(), "name translated code for Linux' perf, in /tmp/perf-PID.map");
    add("quiet", po::bool_switch(), "nothing of Hartline's own but errors");
    return options;
}

po::options_description keys() {
    po::options_description options;
    options.add(machine_options()).add(run_options()).add(report_options());
    return options;
}

po::options_description command_line_only() {
    po::options_description options("Options");
    auto add = options.add_options();
    add("config", po::value<std::string>()->value_name("FILE"), "more options, a 'key = value' a line");
    add("print-config", po::bool_switch(), "print the options as such a file and end");
    add("help,h", po::bool_switch(), "this help");
    return options;
}

po::options_description everything() {
    po::options_description options, image;
    image.add_options()("image", po::value<std::string>());
    options.add(image).add(keys()).add(command_line_only());
    return options;
}

std::vector<std::string> names(const po::options_description& options) {
    std::vector<std::string> all;
    for (const auto& option : options.options()) all.push_back(option->long_name());
    return all;
}

[[noreturn]] void unknown(const std::string& where, const std::string& name,
                          const po::options_description& known) {
    const auto all = names(known);
    const std::string bare = name.substr(std::min(name.find_first_not_of('-'), name.size()));
    const std::string close = nearest(bare, all);
    throw InputError(where, "unknown option '" + name + "'",
                     close.empty() ? "hartline help run lists all" : "did you mean --" + close + "?");
}

// Boost takes the word behind an option for its value, and so an image behind an action that was left out.
std::vector<std::string> with_actions(std::span<const std::string> arguments) {
    std::vector<std::string> words;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        words.push_back(arguments[i]);
        if (arguments[i] != "--watchdog") continue;
        const bool given = i + 1 < arguments.size() &&
                           std::ranges::find(kWatchdogActions, arguments[i + 1]) != kWatchdogActions.end();
        words.back() += "=" + (given ? arguments[++i] : std::string(name(WatchdogAction::Reset)));
    }
    return words;
}

// A word that is one image too many, and stands where an action would, was meant for one.
void refuse_action(std::span<const std::string> arguments) {
    std::error_code error;
    for (std::size_t i = 1; i < arguments.size(); ++i)
        if (arguments[i - 1] == "--watchdog" && !arguments[i].starts_with('-') &&
            !std::filesystem::exists(arguments[i], error))
            parse_watchdog(arguments[i]);
}

po::parsed_options parse_command_line(std::span<const std::string> arguments,
                                      const po::options_description& known) {
    namespace style = po::command_line_style;
    po::positional_options_description positional;
    positional.add("image", 1);
    try {
        return po::command_line_parser(with_actions(arguments))
            .options(known)
            .positional(positional)
            .style(style::unix_style & ~style::allow_guessing)
            .run();
    } catch (const po::unknown_option& error) {
        const std::string name = error.get_option_name();
        unknown("run", name.substr(0, name.find('=')), known);
    } catch (const po::too_many_positional_options_error&) {
        refuse_action(arguments);
        throw InputError("run", "more than one image", "initrd and disks are given with --initrd and --disk");
    } catch (const po::error& error) {
        throw InputError("run", error.what(), "hartline help run shows how");
    }
}

std::string trimmed(const std::string& text) {
    const std::size_t first = text.find_first_not_of(" \t\r");
    return first == std::string::npos ? "" : text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

// Boost's own reader cuts values at '#', which kernel command lines may hold.
po::parsed_options parse_file(const std::string& path, const po::options_description& known) {
    const auto bytes = read_file(path, kMostConfigBytes, "is too large for a list of options");
    std::istringstream lines(std::string(bytes.begin(), bytes.end()));
    po::parsed_options parsed(&known);
    std::string line;
    for (unsigned number = 1; std::getline(lines, line); ++number) {
        line = trimmed(line);
        if (line.empty() || line[0] == '#') continue;
        const std::string where = path + ":" + std::to_string(number);
        const std::size_t equals = line.find('=');
        if (equals == std::string::npos)
            throw InputError(where, "is no 'key = value'", "write for example memory = 2G");
        const std::string key = trimmed(line.substr(0, equals));
        if (known.find_nothrow(key, false) == nullptr) unknown(where, key, known);
        parsed.options.emplace_back(key, std::vector<std::string>{trimmed(line.substr(equals + 1))});
    }
    return parsed;
}

bool on(const po::variables_map& values, const char* key) { return values[key].as<bool>(); }

const std::string* text(const po::variables_map& values, const char* key) {
    return values.count(key) == 0 ? nullptr : &values[key].as<std::string>();
}

unsigned small_number(const po::variables_map& values, const char* key, unsigned otherwise) {
    const std::string* given = text(values, key);
    if (given == nullptr) return otherwise;
    const u64 value = parse_count(std::string("--") + key, *given);
    if (value > 0xffff'ffff) throw InputError(std::string("--") + key, "'" + *given + "' is too large");
    return static_cast<unsigned>(value);
}

// One of two words.
bool choice(const po::variables_map& values, const char* key, const char* yes, const char* no,
            bool otherwise) {
    const std::string* given = text(values, key);
    if (given == nullptr) return otherwise;
    if (*given == yes || *given == no) return *given == yes;
    throw InputError(std::string("--") + key, "'" + *given + "' is unknown",
                     std::string("choose ") + yes + " or " + no);
}

void set_text(const po::variables_map& values, const char* key, std::string& to) {
    if (const std::string* given = text(values, key)) to = *given;
}

RunConfig to_config(const po::variables_map& values) {
    RunConfig config;
    set_text(values, "image", config.image);
    set_text(values, "initrd", config.initrd);
    set_text(values, "append", config.append);
    set_text(values, "firmware", config.firmware);
    set_text(values, "efi-vars", config.efi_vars);
    set_text(values, "input-after", config.input_after);
    set_text(values, "load", config.load);
    set_text(values, "boot-marker", config.boot_marker);
    set_text(values, "dump-dtb", config.dump_dtb);
    set_text(values, "signature", config.signature);
    if (const auto* engine = text(values, "engine")) config.engine = parse_engine("--engine", *engine);
    config.translate_after = small_number(values, "translate-after", config.translate_after);
    if (const auto* size = text(values, "code-cache")) config.code_cache = parse_size("--code-cache", *size);
    set_text(values, "commit-log", config.commit_log);
    set_text(values, "coverage", config.coverage);
    set_text(values, "log-range", config.log_range);
    set_text(values, "log-privilege", config.log_privilege);
    set_text(values, "log-window", config.log_window);
    if (const auto* size = text(values, "memory")) config.memory = parse_size("--memory", *size);
    config.harts = small_number(values, "harts", config.harts);
    config.pmp_entries = small_number(values, "pmp-entries", config.pmp_entries);
    config.signature_granularity =
        small_number(values, "signature-granularity", config.signature_granularity);
    config.hardware_ad = choice(values, "ad-bits", "hardware", "fault", config.hardware_ad);
    config.virtio_input = choice(values, "console", "virtio", "uart", names_virtio_console(config.append));
    config.bus = choice(values, "bus", "pci", "mmio", false) ? DeviceBus::Pci : DeviceBus::Mmio;
    if (const auto* action = text(values, "watchdog")) config.watchdog = parse_watchdog(*action);
    config.parallel = on(values, "parallel");
    config.deterministic = on(values, "deterministic");
    config.stats = on(values, "stats");
    config.quiet = on(values, "quiet");
    set_text(values, "dump-translation", config.dump_translation);
    config.perf_map = on(values, "perf-map");
    if (const auto* seed = text(values, "seed")) config.seed = parse_count("--seed", *seed);
    if (const auto* most = text(values, "max-instructions"))
        config.max_instructions = parse_count("--max-instructions", *most);
    if (const auto* save = text(values, "save-at")) config.save_at = parse_save_at(*save);
    if (values.count("port") != 0)
        for (const auto& port : values["port"].as<std::vector<std::string>>())
            config.ports.push_back(parse_port(port));
    if (const auto* vsock = text(values, "vsock")) config.vsock = parse_vsock(*vsock);
    if (const auto* balloon = text(values, "balloon")) config.balloon = parse_balloon(*balloon);
    if (const auto* net = text(values, "net")) config.net = parse_net(*net);
    if (values.count("publish") != 0)
        for (const auto& port : values["publish"].as<std::vector<std::string>>())
            config.publish.push_back(parse_publish(port));
    if (values.count("disk") != 0)
        for (const auto& disk : values["disk"].as<std::vector<std::string>>())
            config.disks.push_back(parse_disk(disk));
    if (values.count("share") != 0)
        for (const auto& share : values["share"].as<std::vector<std::string>>())
            config.shares.push_back(parse_share(share, config.shares.size()));
    return config;
}
}  // namespace

RunRequest parse_run(std::span<const std::string> arguments) {
    const po::options_description known = everything();
    po::variables_map values;
    RunRequest request;
    try {
        po::store(parse_command_line(arguments, known), values);
        if (const std::string* file = text(values, "config")) po::store(parse_file(*file, known), values);
        po::notify(values);
    } catch (const po::error& error) {
        throw InputError("run", error.what(), "hartline help run shows how");
    }
    request.help = on(values, "help");
    request.print_config = on(values, "print-config");
    request.config = to_config(values);
    return request;
}

std::string config_text(const RunConfig& config) {
    std::string lines;
    const auto line = [&](const char* key, const std::string& value) {
        if (!value.empty()) lines += std::string(key) + " = " + value + "\n";
    };
    const auto flag = [&](const char* key, bool value) { line(key, value ? "true" : ""); };
    line("image", config.image);
    line("initrd", config.initrd);
    line("append", config.append);
    line("firmware", config.firmware);
    line("efi-vars", config.efi_vars);
    line("memory", size_text(config.memory));
    line("harts", std::to_string(config.harts));
    flag("parallel", config.parallel);
    for (const DiskConfig& disk : config.disks) line("disk", disk_text(disk));
    line("bus", std::string(name(config.bus)));
    line("watchdog", config.watchdog ? std::string(name(*config.watchdog)) : "");
    line("net", config.net ? net_text(*config.net) : "");
    for (const net::PublishedPort& port : config.publish) line("publish", publish_text(port));
    for (const ShareConfig& share : config.shares)
        line("share", share.path + ":" + share.tag + (share.read_only ? ":ro" : ":rw"));
    line("balloon", config.balloon ? balloon_text(*config.balloon) : "");
    for (const PortConfig& port : config.ports) line("port", port_text(port));
    line("vsock", config.vsock ? vsock_text(*config.vsock) : "");
    line("pmp-entries", std::to_string(config.pmp_entries));
    line("ad-bits", config.hardware_ad ? "hardware" : "fault");
    line("console", config.virtio_input ? "virtio" : "uart");
    line("engine", config.engine ? std::string(name(*config.engine)) : "");
    line("translate-after", std::to_string(config.translate_after));
    line("code-cache", size_text(config.code_cache));
    flag("deterministic", config.deterministic);
    line("seed", config.seed ? std::to_string(*config.seed) : "");
    line("max-instructions", config.max_instructions ? std::to_string(*config.max_instructions) : "");
    line("input-after", config.input_after);
    if (config.save_at) line("save-at", std::to_string(config.save_at->tick) + ":" + config.save_at->path);
    line("load", config.load);
    flag("stats", config.stats);
    line("boot-marker", config.boot_marker);
    line("dump-dtb", config.dump_dtb);
    line("signature", config.signature);
    line("signature-granularity", std::to_string(config.signature_granularity));
    line("commit-log", config.commit_log);
    line("log-range", config.log_range);
    line("log-privilege", config.log_privilege);
    line("log-window", config.log_window);
    line("coverage", config.coverage);
    line("dump-translation", config.dump_translation);
    flag("perf-map", config.perf_map);
    flag("quiet", config.quiet);
    return lines;
}

std::string run_options_help() {
    std::ostringstream out;
    out << machine_options() << '\n'
        << run_options() << '\n'
        << report_options() << '\n'
        << command_line_only();
    return out.str();
}
}  // namespace hartline
