// hartline run: starts a machine and stays with it.
#include <cinttypes>
#include <cstdio>
#include <iostream>

#include "core/platform/memory.hpp"
#include "frontend/cli/options.hpp"
#include "frontend/cli/verbs.hpp"
#include "frontend/host/files.hpp"
#include "frontend/session/adopt.hpp"
#include "frontend/session/disk.hpp"
#include "frontend/session/perf_map.hpp"
#include "frontend/session/session.hpp"
#include "frontend/session/signature.hpp"
#include "frontend/session/translator_report.hpp"

namespace hartline {
namespace {
constexpr u64 kMostTypedBytes = u64{64} << 20;

// Where output goes that nobody reads.
class NoSink final : public ByteSink {
public:
    void write(std::span<const u8>) override {}
};

int dump_tree(const RunConfig& config) {
    NoSink sink;
    Board board(config, sink);
    write_file(config.dump_dtb, board.tree());
    return kExitPowerOff;
}

void print_stats(Machine& machine, const Outcome& outcome) {
    const double millions = static_cast<double>(outcome.instructions) / 1e6;
    std::fprintf(stderr,
                 "instructions=%" PRIu64 " seconds=%.3f mips=%.1f peak_rss_mib=%" PRIu64
                 " state_hash=%016" PRIx64 "\n",
                 outcome.instructions, outcome.seconds,
                 outcome.seconds > 0 ? millions / outcome.seconds : 0.0, peak_resident_mib(), machine.hash());
}

int run(const RunConfig& config) {
    Console console(config.deterministic ? Console::Input::None : Console::Input::Live);
    OutputTap tap(console, config);
    Recorder recorder(config);
    const auto perf_map = config.perf_map ? std::make_unique<PerfMap>(perf_map_path()) : nullptr;
    Board board(config, tap,
                {.observer = recorder.observer(),
                 .translations = perf_map.get(),
                 .tell = [&console](std::string_view line) { console.message(line); }});
    std::vector<u8> typed;
    if (config.deterministic) typed = read_standard_input(kMostTypedBytes);
    if (config.deterministic && !config.quiet && standard_input_is_terminal())
        console.message(
            "hartline: --deterministic: this terminal's keys are not connected; give input by a pipe");
    if (!config.quiet && !config.deterministic && console.is_terminal())
        console.message("hartline: Ctrl-A x leaves, Ctrl-A h shows more");
    if (!config.quiet) {
        for (const DiskConfig& disk : config.disks)
            if (disk.overlay) console.message("hartline: " + overlay_notice(disk));
        for (const ShareConfig& share : config.shares)
            console.message("hartline: " + share.path + ": in the guest, " + mount_line(share));
        if (!board.boot().notice().empty()) console.message("hartline: " + board.boot().notice());
    }
    if (!config.quiet && lacks_translator(config))
        console.message("hartline: this host has no translator: instructions are interpreted");
    Session session(config, board, console, tap, std::move(typed));
    session.record_with(recorder);
    const Outcome outcome = session.run();
    recorder.finish();
    if (!config.signature.empty())
        write_signature(config.signature, board.machine().ram(), board.boot().image(),
                        config.signature_granularity);
    for (const DumpRange& range : parse_dump_ranges("--dump-translation", config.dump_translation))
        std::fputs(dump_translations(board.machine(), range).c_str(), stderr);
    if (config.stats) {
        print_stats(board.machine(), outcome);
        std::fputs(translator_report(board.machine(), outcome.instructions).c_str(), stderr);
    }
    return outcome.exit_code;
}
}  // namespace

std::string run_help() {
    return "hartline run IMAGE [options]: start a RISC-V machine.\n"
           "\n"
           "IMAGE is found out by its content: a Linux Image (also Image.gz, with EFI stub, zboot), vmlinux, an ELF\n"
           "program that starts in M-mode, or a disk, on which what starts is found: an EFI boot loader (by EDK2 or\n"
           "U-Boot: tools/guest edk2, uboot), extlinux.conf, or a kernel in /boot. A disk so named is not written to,\n"
           "unless ,rw is behind its name. Firmware, device tree and console work by themselves.\n"
           "\n"
           "  hartline run debian.qcow2\n"
           "  hartline run Image --initrd initrd.cpio.gz --append 'console=ttyS0'\n"
           "  hartline run Image --disk root.img --append 'root=/dev/vda rw' --memory 2G --harts 4\n"
           "  hartline run Image --disk debian.qcow2,overlay --append 'root=/dev/vda1 rw'   # changes nothing\n"
           "  printf 'uname -a\\npoweroff -f\\n' | hartline run Image --initrd i.gz --deterministic --stats\n"
           "  hartline run Image --disk root.img --publish 2222:22     then: ssh -p 2222 root@127.0.0.1\n"
           "  hartline run rv64ui-p-add\n"
           "\n"
           "At a terminal Ctrl-A x leaves and Ctrl-A h shows what else there is. Exit codes: 0 power-off; the\n"
           "guest's own failure code; 2 bad options or files; 3 the guest waits for ever; 4 --max-instructions;\n"
           "5 the host failed; 128 + N signal N.\n"
           "\n" +
           run_options_help();
}

int verb_run(std::span<const std::string> arguments) {
    RunRequest request = parse_run(arguments);
    if (request.help) {
        std::cout << run_help();
        return 0;
    }
    if (request.print_config) {
        std::cout << config_text(request.config);
        return 0;
    }
    adopt_disk(request.config);
    if (!request.config.net) request.config.net = default_net(request.config);
    if (!request.config.balloon) request.config.balloon = default_balloon(request.config);
    validate(request.config);
    return request.config.dump_dtb.empty() ? run(request.config) : dump_tree(request.config);
}
}  // namespace hartline
