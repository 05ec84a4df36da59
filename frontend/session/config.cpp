// Ranges and contradictions of a run's options.
#include "frontend/session/config.hpp"

#include "cpu/jit/make.hpp"
#include "frontend/session/errors.hpp"
#include "frontend/session/recorder.hpp"
#include "frontend/session/size.hpp"
#include "frontend/session/translator_report.hpp"

namespace hartline {
namespace {
bool observed(const RunConfig& config) { return !config.commit_log.empty() || !config.coverage.empty(); }

// false: it is none.
bool set_disk_option(DiskConfig& disk, const std::string& option) {
    if (option == "ro" || option == "rw") {
        disk.read_only = option == "ro";
        return true;
    }
    constexpr std::string_view kBus = "bus=";
    if (!option.starts_with(kBus)) return false;
    for (std::size_t i = 0; i < kBusNames.size(); ++i)
        if (option.substr(kBus.size()) == kBusNames[i]) {
            disk.bus = static_cast<DeviceBus>(i);
            return true;
        }
    throw InputError("--disk", "'" + option + "' is no bus of ours", "choose bus=mmio, bus=pci or bus=nvme");
}

std::size_t mmio_disks(const RunConfig& config) {
    std::size_t count = 0;
    for (const DiskConfig& disk : config.disks) count += bus_of(config, disk) == DeviceBus::Mmio;
    return count;
}

void validate_machine(const RunConfig& config) {
    if (config.memory < RunConfig::kLeastMemory || config.memory > RunConfig::kMostMemory)
        throw InputError("--memory", size_text(config.memory) + " cannot be", "choose between 16M and 64G");
    if (config.memory % kFrameBytes != 0)
        throw InputError("--memory", size_text(config.memory) + " is not a multiple of 4K", "round it");
    if (config.harts < 1 || config.harts > RunConfig::kMostHarts)
        throw InputError("--harts", std::to_string(config.harts) + " cannot be", "choose between 1 and 64");
    if (config.disks.size() > RunConfig::kMostDisks)
        throw InputError("--disk", std::to_string(config.disks.size()) + " are too many",
                         "the board takes 26");
    if (mmio_disks(config) > RunConfig::kMostMmioDisks)
        throw InputError("--disk", std::to_string(mmio_disks(config)) + " are too many over MMIO",
                         "it takes 6; give some of them ,bus=pci or ,bus=nvme, or all --bus pci");
    if (config.pmp_entries != 0 && config.pmp_entries != 16 && config.pmp_entries != 64)
        throw InputError("--pmp-entries", std::to_string(config.pmp_entries) + " cannot be",
                         "choose 0, 16 or 64");
    if (config.append.size() > RunConfig::kMostArgumentBytes)
        throw InputError("--append", "longer than 64 KiB", "shorten it");
    if (config.append.find('\0') != std::string::npos)
        throw InputError("--append", "has a zero byte in it", "remove it");
}

void validate_run(const RunConfig& config) {
    if (config.parallel && config.deterministic)
        throw InputError("--parallel", "cannot be exact", "leave --deterministic or --parallel out");
    if (config.parallel && (config.save_at || !config.load.empty()))
        throw InputError("--parallel", "knows no exact moment to save or load", "leave --parallel out");
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
    if (config.image.empty())
        throw InputError("run", "no image given", "hartline run IMAGE, or hartline help run");
    validate_machine(config);
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
        throw InputError(option, "jit needs an x86-64 host with AVX2, BMI2 and FMA",
                         "choose interpreter or ir");
}

EngineKind parse_engine(const std::string& option, const std::string& text) {
    for (std::size_t i = 0; i < kEngineNames.size(); ++i)
        if (text == kEngineNames[i]) return static_cast<EngineKind>(i);
    throw InputError(option, "'" + text + "' is no engine", "choose interpreter, jit or ir");
}

DiskConfig parse_disk(const std::string& text) {
    DiskConfig disk{text};
    // From the end, and one of a kind, so that names may have commas and such words themselves.
    bool mode_given = false;
    for (std::size_t comma; (comma = disk.path.rfind(',')) != std::string::npos;) {
        const std::string option = disk.path.substr(comma + 1);
        const bool mode = option == "ro" || option == "rw";
        if ((mode && mode_given) || (!mode && disk.bus) || !set_disk_option(disk, option)) break;
        mode_given |= mode;
        disk.path.resize(comma);
    }
    if (disk.path.empty())
        throw InputError("--disk", "'" + text + "' names no file", "write FILE, FILE,ro or FILE,bus=pci");
    return disk;
}

std::string disk_text(const DiskConfig& disk) {
    std::string text = disk.path + (disk.read_only ? ",ro" : ",rw");
    if (disk.bus) text += ",bus=" + std::string(kBusNames[static_cast<std::size_t>(*disk.bus)]);
    return text;
}

DeviceBus bus_of(const RunConfig& config, const DiskConfig& disk) { return disk.bus.value_or(config.bus); }

RunConfig::SaveAt parse_save_at(const std::string& text) {
    const std::size_t colon = text.find(':');
    if (colon == std::string::npos || colon + 1 == text.size())
        throw InputError("--save-at", "'" + text + "' is not TICK:FILE",
                         "write for example 500M:boot.snapshot");
    return {parse_count("--save-at", text.substr(0, colon)), text.substr(colon + 1)};
}
}  // namespace hartline
