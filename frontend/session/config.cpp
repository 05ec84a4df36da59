// Ranges and contradictions of a run's options.
#include "frontend/session/config.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <set>
#include <sstream>
#include <utility>

#include "cpu/jit/make.hpp"
#include "frontend/session/errors.hpp"
#include "frontend/session/firmware.hpp"
#include "frontend/session/outputs.hpp"
#include "frontend/session/recorder.hpp"
#include "frontend/session/size.hpp"
#include "frontend/session/translator_report.hpp"

namespace hartline {
namespace {
bool observed(const RunConfig& config) { return !config.commit_log.empty() || !config.coverage.empty(); }

void validate_machine(const RunConfig& config) {
    if (config.memory < RunConfig::kLeastMemory || config.memory > RunConfig::kMostMemory)
        throw InputError("--memory", size_text(config.memory) + " cannot be", "choose between 16M and 64G");
    if (config.memory % kFrameBytes != 0)
        throw InputError("--memory", size_text(config.memory) + " is not a multiple of 4K", "round it");
    if (config.harts < 1 || config.harts > RunConfig::kMostHarts)
        throw InputError("--harts", std::to_string(config.harts) + " cannot be", "choose between 1 and 64");
    if (config.pmp_entries != 0 && config.pmp_entries != 16 && config.pmp_entries != 64)
        throw InputError("--pmp-entries", std::to_string(config.pmp_entries) + " cannot be",
                         "choose 0, 16 or 64");
    if (config.append.size() > RunConfig::kMostArgumentBytes)
        throw InputError("--append", "longer than 64 KiB", "shorten it");
    if (config.append.find('\0') != std::string::npos)
        throw InputError("--append", "has a zero byte in it", "remove it");
}

void validate_net(const RunConfig& config) {
    const NetConfig::Kind kind = config.net ? config.net->kind : NetConfig::Kind::None;
    if (kind != NetConfig::Kind::None && config.deterministic)
        throw InputError("--net", "a network answers when it likes, and --deterministic is exact",
                         "give --net none, or leave --deterministic out");
    if (kind != NetConfig::Kind::User && !config.publish.empty())
        throw InputError("--publish", "is for the user network",
                         config.net ? "give --net user" : "leave --deterministic out");
}

// A folder's content and what is open in it are the host's: neither can be had a second time.
void validate_shares(const RunConfig& config) {
    if (config.shares.empty()) return;
    if (config.deterministic)
        throw InputError("--share", "answers when the host does, so that no two runs are alike",
                         "leave --deterministic out, or give the files in an initrd or on a disk");
    if (config.save_at || !config.load.empty())
        throw InputError("--share", "what the guest has open in a folder cannot be saved",
                         "leave --share out where you save or load");
    for (std::size_t i = 0; i < config.shares.size(); ++i)
        for (std::size_t k = 0; k < i; ++k)
            if (config.shares[i].tag == config.shares[k].tag)
                throw InputError("--share", "two have the tag '" + config.shares[i].tag + "'",
                                 "write DIR:TAG with another");
}

void validate_run(const RunConfig& config) {
    if (config.parallel && config.deterministic)
        throw InputError("--parallel", "cannot be exact", "leave --deterministic or --parallel out");
    if (config.parallel && (config.save_at || !config.load.empty()))
        throw InputError("--parallel", "knows no exact moment to save or load", "leave --parallel out");
    if (config.save_at && std::ranges::any_of(config.disks, &DiskConfig::temporary))
        throw InputError("--save-at", "a temporary overlay is gone when the machine is loaded",
                         "give it a name: --disk FILE,overlay=NAME.qcow2");
    const unsigned granularity = config.signature_granularity;
    if (granularity == 0 || granularity > 16 || (granularity & (granularity - 1)) != 0)
        throw InputError("--signature-granularity", std::to_string(granularity) + " cannot be",
                         "choose 1, 2, 4, 8 or 16");
    if (config.parallel && !config.commit_log.empty())
        throw InputError("--commit-log", "knows no order of harts on threads", "leave --parallel out");
    if (config.parallel && !config.coverage.empty())
        throw InputError("--coverage", "is not counted by several threads", "leave --parallel out");
    if (observed(config) && config.engine.value_or(EngineKind::Interpreter) != EngineKind::Interpreter)
        throw InputError("--engine", "only the interpreter tells what instructions did",
                         "leave --engine out, or --commit-log and --coverage");
    if (config.commit_log.empty() &&
        !(config.log_range.empty() && config.log_privilege.empty() && config.log_window.empty()))
        throw InputError("--log-…", "chooses from a log that is not written", "give --commit-log FILE too");
    commit_filter(config);
    parse_dump_ranges("--dump-translation", config.dump_translation);
    if (!config.dump_translation.empty() && engine_of(config) != EngineKind::Jit && !lacks_translator(config))
        throw InputError("--dump-translation", "shows what --engine jit made", "choose that engine");
    if (!config.input_after.empty() && !config.deterministic)
        throw InputError("--input-after", "is for exact runs", "give --deterministic too");
}
void validate_start(const RunConfig& config) {
    const auto loader = loader_named(config.firmware);
    if (config.image.empty() && config.disks.empty() && !loader)
        throw InputError("run", "no image given", "hartline run IMAGE, or hartline help run");
    if (!config.image.empty() && loader)
        throw InputError("--firmware",
                         std::string(name(*loader)) + " starts what is on a disk, not " + config.image,
                         "give --disk instead, or leave --firmware out");
}
}  // namespace

void validate_translator(const RunConfig& config) {
    if (config.translate_after < 1 || config.translate_after > RunConfig::kMostBeforeTranslation)
        throw InputError("--translate-after", std::to_string(config.translate_after) + " cannot be",
                         "choose 1 or more; --engine interpreter never translates");
    if (config.code_cache < RunConfig::kLeastCodeCache || config.code_cache > RunConfig::kMostCodeCache)
        throw InputError("--code-cache", size_text(config.code_cache) + " cannot be",
                         "choose between 1M and 1G");
}

void validate(const RunConfig& config) {
    validate_start(config);
    validate_machine(config);
    validate_buses(config);
    validate_net(config);
    validate_shares(config);
    validate_balloon(config);
    validate_ports(config);
    validate_outputs(config);
    validate_vsock(config);
    validate_translator(config);
    validate_run(config);
}

EngineKind engine_of(const RunConfig& config) {
    if (observed(config)) return EngineKind::Interpreter;
    const EngineKind wanted = config.engine.value_or(EngineKind::Jit);
    return wanted == EngineKind::Jit && !jit::host_supported() ? EngineKind::Interpreter : wanted;
}

bool lacks_translator(const RunConfig& config) {
    return !observed(config) && config.engine.value_or(EngineKind::Jit) == EngineKind::Jit &&
           !jit::host_supported();
}

void require_engine(const std::string& option, EngineKind engine) {
    if (engine == EngineKind::Jit && !jit::host_supported())
        throw InputError(option, "jit needs an x86-64 host with AVX2, BMI2, FMA and PCLMULQDQ",
                         "choose interpreter or ir");
}

bool names_virtio_console(const std::string& command_line) {
    std::istringstream words(command_line);
    bool virtio = false;
    for (std::string word; words >> word;)
        if (word.starts_with("console=")) virtio = word.starts_with("console=hvc");
    return virtio;
}

EngineKind parse_engine(const std::string& option, const std::string& text) {
    for (std::size_t i = 0; i < kEngineNames.size(); ++i)
        if (text == kEngineNames[i]) return static_cast<EngineKind>(i);
    throw InputError(option, "'" + text + "' is no engine", "choose interpreter, jit or ir");
}

namespace {
constexpr std::array<std::pair<std::string_view, BackingNames>, 3> kBackingNames{
    {{"beneath", BackingNames::Beneath}, {"any", BackingNames::Anywhere}, {"none", BackingNames::None}}};

std::string overlay_name(const std::string& name) {
    if (!name.ends_with(".qcow2") || name == ".qcow2")
        throw InputError("--disk", "overlay '" + name + "' is not named .qcow2, which it is",
                         "write overlay=NAME.qcow2, or overlay for a temporary one");
    return name;
}

std::string serial_number(const std::string& text) {
    const bool printable = std::ranges::all_of(text, [](char c) { return c > ' ' && c <= '~'; });
    if (text.size() > DiskConfig::kMostSerial || !printable)
        throw InputError("--disk", "serial '" + text + "' cannot be", "choose up to 20 printable characters");
    return text;
}

bool discard_choice(const std::string& text) {
    if (text != "on" && text != "off")
        throw InputError("--disk", "discard '" + text + "' is unknown", "choose on or off");
    return text == "on";
}

// False: it is no option, but a part of the name.
bool set_disk_option(DiskConfig& disk, const std::string& option) {
    const std::size_t equals = option.find('=');
    const std::string key = option.substr(0, equals);
    const std::string value = equals == std::string::npos ? "" : option.substr(equals + 1);
    if (option == "ro" || option == "rw") {
        disk.read_only = option == "ro";
    } else if (key == "format") {
        disk.format = image_format(value);
        if (!disk.format && value != "auto")
            throw InputError("--disk", "'" + value + "' is no format", "choose raw or qcow2");
    } else if (key == "backing") {
        const auto* found =
            std::ranges::find(kBackingNames, value, &std::pair<std::string_view, BackingNames>::first);
        if (found == kBackingNames.end())
            throw InputError("--disk", "backing '" + value + "' is unknown", "choose beneath, any or none");
        disk.backing = found->second;
    } else if (option == "overlay" || key == "overlay") {
        disk.overlay.reset();
        if (value != "off") disk.overlay = option == "overlay" ? "" : overlay_name(value);
    } else if (key == "serial") {
        disk.serial = serial_number(value);
    } else if (key == "discard") {
        disk.discard = discard_choice(value);
    } else if (key == "bus") {
        disk.bus = parse_bus("--disk", value, true);
    } else {
        return false;
    }
    return true;
}

// A name with a comma that is not there, while there is a file named by its beginning, has an option that is
// none.
void refuse_unknown_option(const std::string& path) {
    std::error_code error;
    if (path.find(',') == std::string::npos || std::filesystem::exists(path, error)) return;
    for (std::size_t comma = 0; (comma = path.find(',', comma)) != std::string::npos; ++comma)
        if (const std::string file = path.substr(0, comma); std::filesystem::exists(file, error))
            throw InputError(
                "--disk",
                "'" + path.substr(path.rfind(',') + 1) + "' is no option of " + file + ", or is there twice",
                "known are ro, rw, overlay[=NAME.qcow2], format=, backing=, serial=, discard= "
                "and bus=");
}
}  // namespace
NetConfig default_net(const RunConfig& config) {
    NetConfig net;
    if (!config.deterministic) net.kind = NetConfig::Kind::User;
    return net;
}

DiskConfig parse_disk(const std::string& text) {
    DiskConfig disk{text};
    // From the end, and each kind once, so that names may have commas and look like options.
    std::set<std::string> kinds;
    for (std::size_t comma; (comma = disk.path.rfind(',')) != std::string::npos;) {
        const std::string option = disk.path.substr(comma + 1);
        const std::string kind =
            option == "ro" || option == "rw" ? "mode" : option.substr(0, option.find('='));
        if (kinds.contains(kind) || !set_disk_option(disk, option)) break;
        kinds.insert(kind);
        disk.path.resize(comma);
    }
    if (disk.path.empty())
        throw InputError("--disk", "'" + text + "' names no file",
                         "write FILE, FILE,ro, FILE,overlay or FILE,bus=nvme");
    refuse_unknown_option(disk.path);
    if (disk.read_only && disk.overlay)
        throw InputError("--disk", "'" + text + "' is read-only and takes changes",
                         "leave ro out: an overlay keeps the disk as it is");
    return disk;
}

std::string disk_text(const DiskConfig& disk) {
    const bool all =
        disk.path.find(',') != std::string::npos;  // else a part of the name might be read as one
    std::string text = disk.path + (disk.read_only ? ",ro" : ",rw");
    if (disk.format || all) text += ",format=" + (disk.format ? std::string(name(*disk.format)) : "auto");
    if (disk.overlay || all)
        text += !disk.overlay ? std::string(",overlay=off")
                              : ",overlay" + (disk.temporary() ? "" : "=" + *disk.overlay);
    for (const auto& [word, backing] : kBackingNames)
        if (backing == disk.backing && (backing != BackingNames::Beneath || all))
            text += ",backing=" + std::string(word);
    if (!disk.serial.empty() || all) text += ",serial=" + disk.serial;
    if (!disk.discard || all) text += disk.discard ? ",discard=on" : ",discard=off";
    if (disk.bus || all) text += ",bus=" + std::string(disk.bus ? name(*disk.bus) : "auto");
    return text;
}

namespace {
constexpr std::size_t kMostTagBytes = 31;  // as QEMU has it

bool is_tag(const std::string& text) {
    constexpr const char* kLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    return !text.empty() && text.size() <= kMostTagBytes &&
           text.find_first_not_of(kLetters) == std::string::npos && text != "." && text != "..";
}
}  // namespace

ShareConfig parse_share(const std::string& text, std::size_t number) {
    ShareConfig share{text, "share" + std::to_string(number), false};
    const auto last = [&] { return share.path.rfind(':'); };
    if (share.path.ends_with(":ro") || share.path.ends_with(":rw")) {
        share.read_only = share.path.ends_with(":ro");
        share.path.resize(last());
    }
    if (last() != std::string::npos) {
        share.tag = share.path.substr(last() + 1);
        share.path.resize(last());
        if (!is_tag(share.tag))
            throw InputError(
                "--share", "'" + share.tag + "' cannot be a tag",
                "1 to 31 letters, digits, '_', '.' or '-'; a DIR with a colon needs a TAG behind it");
    }
    if (share.path.empty())
        throw InputError("--share", "'" + text + "' names no folder", "write DIR, DIR:TAG or DIR:TAG:ro");
    return share;
}

std::string mount_line(const ShareConfig& share) {
    const std::string place = "/mnt/" + share.tag;
    return "mkdir -p " + place + " && mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000 " +
           share.tag + " " + place;
}

WatchdogAction parse_watchdog(const std::string& text) {
    for (std::size_t i = 0; i < kWatchdogActions.size(); ++i)
        if (text == kWatchdogActions[i]) return static_cast<WatchdogAction>(i);
    throw InputError("--watchdog", "'" + text + "' is no action", "choose reset, poweroff, pause or none");
}

RunConfig::SaveAt parse_save_at(const std::string& text) {
    const std::size_t colon = text.find(':');
    if (colon == std::string::npos || colon + 1 == text.size())
        throw InputError("--save-at", "'" + text + "' is not TICK:FILE",
                         "write for example 500M:boot.snapshot");
    return {parse_count("--save-at", text.substr(0, colon)), text.substr(colon + 1)};
}
}  // namespace hartline
