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
int dispatch(std::span<const std::string> arguments) {
    if (arguments.empty()) {
        verb_help({});
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
    if (verb == "help" || verb == "--help" || verb == "-h") return verb_help(rest);
    if (verb == "--version") {
        std::cout << "hartline " << version() << '\n';
        return 0;
    }
    const std::string close = nearest(verb, verb_names());
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
