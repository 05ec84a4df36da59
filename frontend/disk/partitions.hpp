// The partition table of a disk: MBR with logical partitions, or GPT with its checksums.
// UEFI Specification, "GUID Partition Table (GPT) Disk Layout".
#pragma once
#include <string>
#include <vector>

#include "frontend/disk/volume.hpp"

namespace hartline {

struct Partition {
    unsigned number = 0;  // as Linux numbers it, from 1
    u64 start = 0;        // bytes, within the disk
    u64 bytes = 0;        // more than 0
    bool efi_system = false;
    bool root =
        false;  // declared to be the root file system of riscv64 (Discoverable Partitions Specification)
    std::string uuid;  // as Linux' root=PARTUUID= wants it
};

struct PartitionTable {
    enum class Kind : u8 { None, Mbr, Gpt };
    Kind kind = Kind::None;
    std::string trouble;  // what is wrong with it, for people; empty: nothing
    std::vector<Partition> partitions;
};

std::string_view name(PartitionTable::Kind kind);  // "no partition table", "MBR", "GPT"

// Whatever the disk holds. A GPT whose first copy is damaged is taken from its second; what reaches past the
// disk is left out.
PartitionTable read_partitions(const Volume& disk);
}  // namespace hartline
