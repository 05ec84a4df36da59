// Who lies where in guest memory at the start: nothing overlaps, everything fits.
#pragma once
#include <string>
#include <vector>

#include "core/types.hpp"

namespace hartline {

class Layout {
public:
    // Physical memory [base, base + bytes).
    Layout(u64 base, u64 bytes) : base_(base), end_(base + bytes) {}

    // Claims [start, end) for `what`. Throws InputError when it lies outside of memory or meets what is
    // claimed.
    void take(const std::string& what, u64 start, u64 end);
    // Finds room of `bytes` for `what`, aligned to `alignment` (a power of two), as high as possible below
    // `limit`, else as low as possible above it, and claims it. Throws InputError when there is none.
    u64 place(const std::string& what, u64 bytes, u64 alignment, u64 limit);

private:
    struct Range {
        u64 start, end;
        std::string what;
    };
    bool gap(u64 start, u64 end, u64 bytes, u64 alignment, bool high, u64& at) const;
    u64 largest_gap() const;
    std::vector<std::pair<u64, u64>> gaps() const;

    u64 base_, end_;
    std::vector<Range> taken_;  // sorted by start
};
}  // namespace hartline
