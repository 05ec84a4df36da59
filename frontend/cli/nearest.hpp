// What somebody may have meant.
#pragma once
#include <span>
#include <string>
#include <string_view>

namespace hartline {
// How many characters must be added, removed, changed or swapped with their neighbour.
std::size_t edit_distance(std::string_view a, std::string_view b);
// The most similar of `names`; empty if none is close.
std::string nearest(std::string_view name, std::span<const std::string> names);
}  // namespace hartline
