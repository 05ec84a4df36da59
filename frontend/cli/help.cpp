// hartline help: what there is, and the help of each verb.
#include <array>
#include <iostream>

#include "frontend/cli/nearest.hpp"
#include "frontend/cli/verbs.hpp"
#include "frontend/session/errors.hpp"

namespace hartline {
namespace {
#ifndef HARTLINE_VERSION
#define HARTLINE_VERSION "0.1"
#endif

std::string help_help() {
    return "Hartline " HARTLINE_VERSION
           ": a RISC-V machine in a program.\n"
           "\n"
           "  hartline run IMAGE [options]   start a machine: a Linux kernel or a bare-metal program\n"
           "  hartline test PATH...          run test programs and judge them\n"
           "  hartline diff IMAGE [options]  two engines, QEMU or a commit log side by side, to the first difference\n"
           "  hartline fuzz                  random programs, here and on another emulator, compared\n"
           "  hartline image create|info|check|convert|commit|resize|map\n"
           "                                 disk images, raw and qcow2\n"
           "  hartline coverage FILE...      what runs with --coverage FILE exercised\n"
           "  hartline isa                   the instructions that it knows, and those that it does not yet\n"
           "  hartline help VERB             all options, with examples\n"
           "  hartline --version\n"
           "\n"
           "First steps: hartline run Image --initrd initrd.cpio.gz, and Ctrl-A x to leave.\n";
}

struct Help {
    std::string_view verb;
    std::string (*text)();
};
std::array<Help, 8> helps() {
    return {{{"run", run_help},
             {"test", test_help},
             {"diff", diff_help},
             {"fuzz", fuzz_help},
             {"image", image_help},
             {"coverage", coverage_help},
             {"isa", isa_help},
             {"help", help_help}}};
}
}  // namespace

std::string version() { return HARTLINE_VERSION; }

std::vector<std::string> verb_names() {
    std::vector<std::string> names;
    for (const Help& help : helps()) names.emplace_back(help.verb);
    return names;
}

int verb_help(std::span<const std::string> about) {
    const std::string verb = about.empty() ? "help" : about[0];
    for (const Help& help : helps()) {
        if (help.verb != verb) continue;
        std::cout << help.text();
        return 0;
    }
    const std::string close = nearest(verb, verb_names());
    throw InputError(
        "help", "'" + verb + "' is no verb of hartline",
        close.empty() ? "hartline help lists them" : "did you mean hartline help " + close + "?");
}
}  // namespace hartline
