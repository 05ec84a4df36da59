// Writing the map as units are made: perf may look at any time.
#include "frontend/session/perf_map.hpp"

#include <unistd.h>

#include <cerrno>
#include <cinttypes>
#include <cstring>

#include "frontend/session/errors.hpp"

namespace hartline {

PerfMap::PerfMap(const std::string& path) : file_(std::fopen(path.c_str(), "we")) {
    if (file_ == nullptr) throw HostError(path, std::strerror(errno), "leave --perf-map out");
    std::setvbuf(file_.get(), nullptr, _IOLBF, 0);
}

// The code of a later unit at the same place counts: perf takes the last line.
void PerfMap::translated(const Translated& unit) {
    const std::lock_guard lock(one_);
    std::fprintf(file_.get(), "%" PRIx64 " %" PRIx64 " guest_%016" PRIx64 "_at_%" PRIx64 "_hart%u\n",
                 unit.code, unit.bytes, unit.vaddr, unit.paddr, unit.hart);
}

std::string perf_map_path() { return "/tmp/perf-" + std::to_string(::getpid()) + ".map"; }
}  // namespace hartline
