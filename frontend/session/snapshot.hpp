// A snapshot as a file: a header that says what machine it is of, and a checksum over the rest.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "core/machine.hpp"

namespace hartline {

struct Snapshot {
    // What the machine is made of; only an equal machine can load it. See machine_summary().
    std::string machine;
    // Input that was read from the host but not yet given to the guest.
    std::vector<u8> pending_input;
    bool input_open = true;  // has `input_after` been seen?
    std::vector<u8> state;   // Machine::save()
};

// Memory, harts, devices with their places, and `facts` (what else must be equal).
std::string machine_summary(const Machine& machine, const std::string& facts);

// Replaces the file at `path`. Throws InputError or HostError.
void write_snapshot(const std::string& path, const Snapshot& snapshot);
// Throws InputError: no snapshot, of another version, truncated, damaged, or not of a machine like `machine`.
Snapshot read_snapshot(const std::string& path, const std::string& machine);
// The same for a file's contents.
Snapshot parse_snapshot(const std::string& path, std::span<const u8> file, const std::string& machine);
}  // namespace hartline
