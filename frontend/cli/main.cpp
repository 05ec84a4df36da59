// The program: finds the verb, and turns what is thrown into one line and an exit code.
#include <csignal>
#include <cstdio>
#include <exception>
#include <iostream>
#include <new>
#include <string>
#include <vector>

#include "frontend/cli/nearest.hpp"
#include "frontend/cli/verbs.hpp"
#include "frontend/host/files.hpp"
#include "frontend/session/errors.hpp"
#include "frontend/session/session.hpp"

namespace hartline {
namespace {
#ifndef HARTLINE_VERSION
#define HARTLINE_VERSION "0.1"
#endif

std::vector<std::string> verbs() {
    return {"run", "test", "diff", "fuzz", "image", "coverage", "isa", "help"};
}

int help(std::span<const std::string> about) {
    struct {
        std::string_view verb;
        std::string (*text)();
    } constexpr kHelps[] = {{"run", run_help},
                            {"test", test_help},
                            {"diff", diff_help},
                            {"fuzz", fuzz_help},
                            {"image", image_help}};
    for (const auto& [verb, text] : kHelps) {
        if (about.empty() || about[0] != verb) continue;
        std::cout << text();
        return 0;
    }
    std::cout
        << "Hartline " HARTLINE_VERSION
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
           "  hartline help VERB             all options, with examples: of run, test, diff, fuzz and image\n"
           "  hartline --version\n"
           "\n"
           "First steps: hartline run Image --initrd initrd.cpio.gz, and Ctrl-A x to leave.\n";
    return 0;
}

int dispatch(std::span<const std::string> arguments) {
    if (arguments.empty()) {
        help({});
        return kExitInput;
    }
    const std::string& verb = arguments[0];
    const auto rest = arguments.subspan(1);
    if (verb == "run") return verb_run(rest);
    if (verb == "diff") return verb_diff(rest);
    if (verb == "test") return verb_test(rest);
    if (verb == "image") return verb_image(rest);
    if (verb == "isa") return verb_isa(rest);
    if (verb == "fuzz") return verb_fuzz(rest);
    if (verb == "coverage") return verb_coverage(rest);
    if (verb == "help" || verb == "--help" || verb == "-h") return help(rest);
    if (verb == "--version") {
        std::cout << "hartline " HARTLINE_VERSION "\n";
        return 0;
    }
    const std::string close = nearest(verb, verbs());
    throw InputError(verb, "is no verb of hartline",
                     close.empty() ? "hartline help lists them; to start an image: hartline run " + verb
                                   : "did you mean hartline " + close + "?");
}

int complain(const std::exception& error, int code) {
    std::fprintf(stderr, "hartline: %s\n", error.what());
    return code;
}
}  // namespace

int main(std::span<const std::string> arguments) {
    try {
        return dispatch(arguments);
    } catch (const InputError& error) {
        return complain(error, kExitInput);
    } catch (const HostError& error) {
        return complain(error, kExitHost);
    } catch (const std::bad_alloc&) {
        return complain(HostError("memory", "the host has no more", "give less with --memory"), kExitHost);
    } catch (const std::exception& error) {
        return complain(error, kExitHost);
    }
}
}  // namespace hartline

int main(int count, char** arguments) {
    hartline::fill_standard_descriptors();
    // At the limit of its size a file fails in write(), which is told; it does not end the process.
    std::signal(SIGXFSZ, SIG_IGN);
    const std::vector<std::string> all(arguments + (count > 0 ? 1 : 0), arguments + count);
    return hartline::main(all);
}
