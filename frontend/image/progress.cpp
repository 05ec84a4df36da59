// How far a long operation has come, on standard error.
#include "frontend/image/progress.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <utility>

namespace hartline {
namespace {
constexpr std::chrono::milliseconds kFirst{1000}, kOnTerminal{200}, kElsewhere{5000};
}

Progress::Progress(std::string what, u64 total, bool quiet)
    : what_(std::move(what)),
      total_(std::max<u64>(total, 1)),
      quiet_(quiet),
      terminal_(::isatty(STDERR_FILENO) != 0),
      next_(Clock::now() + kFirst) {}

Progress::~Progress() {
    if (told_ && terminal_) std::fputs("\r\033[K", stderr);
}

void Progress::at(u64 done) {
    if (quiet_ || Clock::now() < next_) return;
    const double percent = 100.0 * static_cast<double>(std::min(done, total_)) / static_cast<double>(total_);
    std::fprintf(stderr, terminal_ ? "\r%s: %.0f %%" : "%s: %.0f %%\n", what_.c_str(), percent);
    std::fflush(stderr);
    told_ = true;
    next_ = Clock::now() + (terminal_ ? kOnTerminal : kElsewhere);
}
}  // namespace hartline
