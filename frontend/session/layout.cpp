// First fit over a handful of ranges.
#include "frontend/session/layout.hpp"

#include <algorithm>
#include <utility>

#include "frontend/session/errors.hpp"
#include "frontend/session/size.hpp"

namespace hartline {
namespace {
std::string rounded(u64 bytes) {
    constexpr u64 kMiB = u64{1} << 20;
    return bytes < kMiB ? size_text((bytes + 1023) / 1024 * 1024)
                        : size_text((bytes + kMiB - 1) / kMiB * kMiB);
}
}  // namespace

void Layout::take(const std::string& what, u64 start, u64 end) {
    if (start < base_ || end > end_ || start > end)
        throw InputError(what, "does not lie in memory", "give more with --memory");
    for (const Range& range : taken_)
        if (start < range.end && range.start < end)
            throw InputError(what, "lies where " + range.what + " is",
                             "link it elsewhere, or see --firmware");
    const auto later = [](u64 at, const Range& range) { return at < range.start; };
    taken_.insert(std::upper_bound(taken_.begin(), taken_.end(), start, later), Range{start, end, what});
}

std::vector<std::pair<u64, u64>> Layout::gaps() const {
    std::vector<std::pair<u64, u64>> found;
    u64 at = base_;
    for (const Range& range : taken_) {
        if (range.start > at) found.emplace_back(at, range.start);
        at = std::max(at, range.end);
    }
    if (at < end_) found.emplace_back(at, end_);
    return found;
}

u64 Layout::largest_gap() const {
    u64 largest = 0;
    for (const auto& [start, end] : gaps()) largest = std::max(largest, end - start);
    return largest;
}

bool Layout::gap(u64 start, u64 end, u64 bytes, u64 alignment, bool high, u64& at) const {
    const u64 lowest = (start + alignment - 1) & ~(alignment - 1);
    if (end < lowest || end - lowest < bytes) return false;
    at = high ? (end - bytes) & ~(alignment - 1) : lowest;
    return true;
}

u64 Layout::place(const std::string& what, u64 bytes, u64 alignment, u64 limit) {
    const auto all = gaps();
    u64 at = 0;
    const bool below = std::any_of(all.rbegin(), all.rend(), [&](const auto& one) {
        return gap(one.first, std::min(one.second, limit), bytes, alignment, true, at);
    });
    const bool found = below || std::any_of(all.begin(), all.end(), [&](const auto& one) {
                           return gap(std::max(one.first, limit), one.second, bytes, alignment, false, at);
                       });
    if (!found)
        throw InputError(what,
                         "needs " + rounded(bytes) + " of memory in one piece; the largest that is left is " +
                             rounded(largest_gap()),
                         "give more with --memory");
    take(what, at, at + bytes);
    return at;
}
}  // namespace hartline
