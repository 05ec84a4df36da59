// Everything that a run can be asked for.
#pragma once
#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/types.hpp"
#include "cpu/engine_kind.hpp"
#include "devices/storage/image.hpp"
#include "devices/watchdog.hpp"
#include "frontend/session/balloon.hpp"
#include "frontend/session/net.hpp"
#include "frontend/session/ports.hpp"
#include "frontend/session/vsock.hpp"

namespace hartline {

struct DiskConfig {
    std::string path;
    bool read_only = false;
    std::optional<ImageFormat> format{};  // not given: see ImageOptions
    BackingNames backing = BackingNames::Beneath;
    // Changes go to a qcow2 file over the disk, which itself is only read: an empty name is a temporary one,
    // gone when the machine ends.
    std::optional<std::string> overlay{};
    std::string serial{};            // at most kMostSerial printable characters; empty: hartline-N
    bool discard = true;             // may the guest give storage back?
    std::optional<DeviceBus> bus{};  // not given: that of the run

    static constexpr std::size_t kMostSerial = 20;
    bool temporary() const { return overlay && overlay->empty(); }
    bool operator==(const DiskConfig&) const = default;
};

struct ShareConfig {
    std::string path;  // of a folder
    std::string tag;   // what the guest mounts it by
    bool read_only = false;
    bool operator==(const ShareConfig&) const = default;
};

struct RunConfig {
    static constexpr u64 kLeastMemory = u64{16} << 20;
    static constexpr u64 kMostMemory = u64{64} << 30;
    static constexpr unsigned kMostHarts = 64;
    static constexpr unsigned kMostDisks = 20;  // of any bus, with shares
    static constexpr unsigned kMostMmio = 6;    // of eight virtio slots, entropy and console have one each
    static constexpr u64 kMostArgumentBytes = 64 * 1024;  // of `append`
    static constexpr u32 kMostBeforeTranslation = 1'000'000'000;
    static constexpr u64 kLeastCodeCache = u64{1} << 20;
    static constexpr u64 kMostCodeCache = u64{1} << 30;

    // --- what is started
    std::string image;   // kernel or program; its kind is found by its content. Empty: the first disk tells
    std::string initrd;  // empty: none
    std::string append;  // the kernel's command line
    // Empty: as the image needs; "default": the embedded OpenSBI; "none"; "uboot", "edk2"; else a file.
    std::string firmware;
    std::string efi_vars;  // file of EDK2's variables, made where it is not there; empty: not kept

    // --- the machine
    u64 memory = u64{1} << 30;  // bytes, kLeastMemory to kMostMemory, whole 4 KiB frames
    unsigned harts = 1;         // 1 to kMostHarts
    bool parallel = false;      // a host thread a hart: not replayable
    std::vector<DiskConfig> disks;
    DeviceBus bus = DeviceBus::Mmio;          // of virtio devices that have none of their own: Mmio or Pci
    std::optional<NetConfig> net;             // not given: none; `hartline run` chooses by default_net()
    std::vector<net::PublishedPort> publish;  // by the user network
    // With disks at most kMostDisks.
    std::vector<ShareConfig> shares;
    std::optional<BalloonConfig> balloon;  // not given: none; `hartline run` chooses by default_balloon()
    std::vector<PortConfig> ports;         // of the virtio console, at most ConsoleOptions::kMostPorts
    std::optional<VsockConfig> vsock;      // not given: none
    unsigned pmp_entries = 16;             // 0, 16 or 64
    bool hardware_ad = true;    // may hardware update A and D bits (Svadu)? Else page faults (Svade)
    bool virtio_input = false;  // input goes to the virtio console, which is there then, not to the UART
    std::optional<WatchdogAction> watchdog;  // not given: the board has none

    // --- how it runs
    std::optional<EngineKind> engine;  // default: see engine_of()
    u32 translate_after = 100;         // entries of a block, 1 to kMostBeforeTranslation
    u64 code_cache = u64{128} << 20;   // bytes a hart, kLeastCodeCache to kMostCodeCache
    bool deterministic = false;        // virtual time by the instruction count alone
    std::optional<u64> seed;  // of guest entropy; default: 1 when deterministic, else the host's choice
    std::optional<u64> max_instructions;
    std::string input_after;  // piped input waits until the guest has written this; empty: at once
    struct SaveAt {
        u64 tick = 0;
        std::string path;
        bool operator==(const SaveAt&) const = default;
    };
    std::optional<SaveAt> save_at;
    std::string load;  // a snapshot to go on from; empty: power on

    // --- what is told about it
    std::string dump_dtb;  // writes the device tree there and ends
    bool stats = false;
    bool quiet = false;  // no messages of Hartline's own but errors
    std::string boot_marker;
    std::string signature;               // file for the memory between begin_signature and end_signature
    unsigned signature_granularity = 4;  // bytes a line: 1, 2, 4, 8 or 16

    std::string commit_log;        // what every instruction did, as Spike logs it; .gz: compressed
    std::string log_range;         // FROM:TO[,…] of addresses; empty: all
    std::string log_privilege;     // of the letters MSU; empty: all
    std::string log_window;        // FROM:TO of instruction numbers; empty: all
    std::string coverage;          // file that what was exercised is added to
    bool perf_map = false;         // names translated code for Linux' perf
    std::string dump_translation;  // ADDRESS or FROM:TO[,…]; empty: nothing

    bool operator==(const RunConfig&) const = default;
};

// Throws InputError for a value out of its range, and for options that contradict each other.
void validate(const RunConfig& config);
void validate_translator(const RunConfig& config);  // the part of it that is about translation
// What runs it: the translator where nothing else was asked for, the interpreter for runs that are recorded
// and on hosts that have no translator.
EngineKind engine_of(const RunConfig& config);
// Does the host lack the translator that the run asks for, or would have?
bool lacks_translator(const RunConfig& config);
// For runs that compare engines: throws InputError where the host has no such engine.
void require_engine(const std::string& option, EngineKind engine);
// A name of kEngineNames. `option` is where it was given.
EngineKind parse_engine(const std::string& option, const std::string& text);
// Does a kernel's command line have /dev/console on the virtio console? The last console= decides.
bool names_virtio_console(const std::string& command_line);
// How a disk or a network card is reached.
DeviceBus bus_of(const RunConfig& config, const DiskConfig& disk);
DeviceBus bus_of(const RunConfig& config, const NetConfig& net);
// Has the machine devices on PCI? Else it has no PCI at all.
bool has_pci(const RunConfig& config);
// Throws InputError: a bus has no room for all that is to be on it.
void validate_buses(const RunConfig& config);
bool buses_have_room(const RunConfig& config);
// What `hartline run` has where no network is asked for: the user's own, but none in an exact run.
NetConfig default_net(const RunConfig& config);
// FILE, or FILE with ,ro ,rw ,overlay[=NAME.qcow2] ,format=raw|qcow2 ,backing=beneath|any|none ,serial=TEXT
// ,discard=on|off ,bus=mmio|pci|nvme behind it.
DiskConfig parse_disk(const std::string& text);
std::string disk_text(const DiskConfig& disk);  // that parse_disk() reads back
// DIR[:TAG][:ro]; `number` makes the tag where none is given.
ShareConfig parse_share(const std::string& text, std::size_t number);
// What mounts it in a Linux guest.
std::string mount_line(const ShareConfig& share);
// A name of kWatchdogActions.
WatchdogAction parse_watchdog(const std::string& text);
// TICK:FILE.
RunConfig::SaveAt parse_save_at(const std::string& text);
}  // namespace hartline
