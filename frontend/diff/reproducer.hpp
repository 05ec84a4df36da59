// What it takes to see a difference again: a folder with a snapshot, the options, and the command in words.
#pragma once
#include <string>

#include "frontend/diff/lockstep.hpp"
#include "frontend/session/board.hpp"
#include "frontend/session/config.hpp"

namespace hartline {

struct Reproducer {
    std::string folder;   // is made
    std::string summary;  // of the machine: Board::summary()
    std::string options;  // as config_text() writes them, without `load`
    std::string engines;  // as --engines takes them
    std::string report;
};
// Puts the machine into the state of a snapshot; does nothing for an empty path. Throws InputError.
void load_state(Board& board, const std::string& path);
// Throws InputError and HostError. Returns the command.
std::string write_reproducer(const Reproducer& reproducer, const Lockstep& lockstep);
}  // namespace hartline
