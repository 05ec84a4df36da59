// The options of `hartline run`, from the command line and from a file with the same keys.
#pragma once
#include <span>
#include <string>

#include "frontend/session/config.hpp"

namespace hartline {

struct RunRequest {
    RunConfig config;
    bool help = false;
    bool print_config = false;
};

// Throws InputError: an unknown option (and names the nearest), a value that is none. Does not look at files
// but that of --config. What the command line says outweighs the file.
RunRequest parse_run(std::span<const std::string> arguments);
// `key = value` lines that parse_run() reads back to an equal RunConfig.
std::string config_text(const RunConfig& config);
// The table of options, for --help.
std::string run_options_help();
}  // namespace hartline
