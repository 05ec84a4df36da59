// Internal snapshots, which are kept as they are.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "devices/storage/qcow2/format.hpp"

namespace hartline::qcow2 {

struct Snapshot {
    u64 l1_offset = 0;
    u32 l1_entries = 0;
    std::string id, name;
    u64 seconds = 0;   // since the epoch
    u64 vm_state = 0;  // bytes
    u64 disk_bytes = 0;
};
struct Snapshots {
    std::vector<Snapshot> all;
    u64 bytes = 0;  // of the table
};
// "Snapshots". Nothing for a table that is out of bounds.
std::optional<Snapshots> read_snapshots(HostFile& file, const Header& header);
}  // namespace hartline::qcow2
