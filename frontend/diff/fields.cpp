// Comparing by what PrintArchive writes: a `name = values` a line.
#include "frontend/diff/fields.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <sstream>

namespace hartline {
namespace {
struct Line {
    std::string name;
    std::vector<std::string> values;
};

std::vector<Line> lines_of(Machine& machine) {
    PrintArchive archive;
    machine.describe_but_ram(archive);
    std::vector<Line> lines;
    std::istringstream text(archive.text());
    for (std::string one; std::getline(text, one);) {
        std::istringstream words(one);
        Line line;
        std::string word;
        words >> line.name >> word;  // "="
        while (words >> word) line.values.push_back(word);
        lines.push_back(std::move(line));
    }
    return lines;
}

void compare(const Line& a, const Line& b, std::vector<FieldDifference>& found) {
    const std::size_t count = std::max(a.values.size(), b.values.size());
    for (std::size_t i = 0; i < count; ++i) {
        const std::string left = i < a.values.size() ? a.values[i] : "none";
        const std::string right = i < b.values.size() ? b.values[i] : "none";
        if (left == right) continue;
        const std::string index = count > 1 ? std::string("[") + std::to_string(i) + "]" : "";
        found.push_back({a.name + index, left, right});
    }
}
}  // namespace

// Equal machines have the same fields in the same order but for the lengths of queues.
std::vector<FieldDifference> differing_fields(Machine& a, Machine& b) {
    const std::vector<Line> left = lines_of(a), right = lines_of(b);
    std::vector<FieldDifference> found;
    for (std::size_t i = 0; i < std::min(left.size(), right.size()); ++i) {
        if (left[i].name != right[i].name) {
            found.push_back({"(from here on the fields are others)", left[i].name, right[i].name});
            break;
        }
        compare(left[i], right[i], found);
    }
    return found;
}

std::vector<MemoryDifference> differing_memory(Machine& a, Machine& b, std::size_t most) {
    std::vector<MemoryDifference> found;
    std::array<u8, kFrameBytes> left, right;
    for (u64 frame = 0; frame < a.ram().frames() && found.size() < most; ++frame) {
        const u64 base = a.ram().base() + (frame << kFrameShift);
        a.ram().read(base, std::span<u8>(left));
        b.ram().read(base, std::span<u8>(right));
        if (left == right) continue;
        for (std::size_t at = 0; at < kFrameBytes && found.size() < most; at += 8) {
            MemoryDifference here{base + at, 0, 0};
            std::memcpy(&here.a, left.data() + at, 8);
            std::memcpy(&here.b, right.data() + at, 8);
            if (here.a != here.b) found.push_back(here);
        }
    }
    return found;
}
}  // namespace hartline
