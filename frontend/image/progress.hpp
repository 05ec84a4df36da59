// How far a long operation has come, on standard error.
#pragma once
#include <chrono>
#include <string>

#include "core/types.hpp"

namespace hartline {

// Says nothing in the first second. On a terminal one line changes; elsewhere a line comes every five
// seconds.
class Progress {
public:
    Progress(std::string what, u64 total, bool quiet);
    ~Progress();
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;
    void at(u64 done);

private:
    using Clock = std::chrono::steady_clock;
    std::string what_;
    u64 total_;
    bool quiet_, terminal_, told_ = false;
    Clock::time_point next_;
};
}  // namespace hartline
