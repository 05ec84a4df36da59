// Edit distance, with swaps of neighbours (optimal string alignment).
#include "frontend/cli/nearest.hpp"

#include <algorithm>
#include <vector>

namespace hartline {

std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> older, before(b.size() + 1), now(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) before[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        now[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t change = before[j - 1] + (a[i - 1] != b[j - 1]);
            now[j] = std::min({before[j] + 1, now[j - 1] + 1, change});
            const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (swapped) now[j] = std::min(now[j], older[j - 2] + 1);
        }
        older = before;
        std::swap(before, now);
    }
    return before[b.size()];
}

std::string nearest(std::string_view name, std::span<const std::string> names) {
    std::string best;
    std::size_t least = std::max<std::size_t>(2, name.size() / 3) + 1;
    for (const std::string& candidate : names) {
        std::size_t distance = edit_distance(name, candidate);
        if (!name.empty() && candidate.starts_with(name)) distance = std::min<std::size_t>(distance, 1);
        if (distance < least) {
            least = distance;
            best = candidate;
        }
    }
    return best;
}
}  // namespace hartline
