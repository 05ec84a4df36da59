// Does an image agree with itself?
#pragma once
#include <string>
#include <vector>

#include "devices/storage/qcow2/format.hpp"

namespace hartline::qcow2 {

struct CheckResult {
    static constexpr std::size_t kMostLines = 100;
    u64 corruptions = 0;         // what endangers data
    u64 leaks = 0;               // clusters that are counted and not used
    u64 errors = 0;              // of the host: what could not be read
    u64 total_clusters = 0;      // of the disk
    u64 allocated_clusters = 0;  // of the disk
    u64 compressed_clusters = 0;
    u64 fragmented_clusters = 0;  // that do not follow the one before
    u64 image_end = 0;            // bytes: past the last cluster that is counted
    bool unfixable = false;       // what repair() cannot set right: entries that point nowhere
    std::vector<std::string> lines;
    bool clean() const { return corruptions == 0 && leaks == 0 && errors == 0; }
};

// Only reads. The file may be anything whose header read_header() accepts.
CheckResult check(HostFile& file, const Header& header);

struct RepairOptions {
    bool all = false;  // else leaks only
};
// Sets right refcounts and what follows from them, and clears the dirty and the corrupt bit, in an order that
// a power cut may stop anywhere. `header` becomes what it is then. False: the host failed, or something is
// left.
bool repair(HostFile& file, Header& header, const RepairOptions& options);
}  // namespace hartline::qcow2
