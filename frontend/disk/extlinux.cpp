// One pass over the lines.
#include "frontend/disk/extlinux.hpp"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <sstream>
#include <vector>

namespace hartline {
namespace {
constexpr std::size_t kMostEntries = 256;
constexpr const char* kBlank = " \t\r";

// Takes the first word of `line` off it, in capital letters.
std::string take_keyword(std::string& line) {
    const std::size_t first = std::min(line.find_first_not_of(kBlank), line.size());
    const std::size_t end = std::min(line.find_first_of(kBlank, first), line.size());
    std::string word = line.substr(first, end - first);
    std::ranges::transform(word, word.begin(),
                           [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    const std::size_t rest = std::min(line.find_first_not_of(kBlank, end), line.size());
    const std::size_t last = line.find_last_not_of(kBlank);
    line = rest < line.size() ? line.substr(rest, last - rest + 1) : "";
    return word;
}

std::string absolute(const std::string& name, const std::string& folder) {
    if (name.empty() || name.starts_with('/')) return name;
    return std::filesystem::path(folder + "/" + name).lexically_normal().string();
}

void set(ExtlinuxEntry& entry, const std::string& keyword, std::string& value, const std::string& folder) {
    if (keyword == "KERNEL" || keyword == "LINUX")
        entry.kernel = absolute(value, folder);
    else if (keyword == "INITRD")
        entry.initrd = absolute(value.substr(0, value.find(',')), folder);
    else if (keyword == "APPEND")
        entry.append = value == "-" ? "" : value;
    else if (keyword == "MENU" && take_keyword(value) == "LABEL")
        entry.title = value;
}
}  // namespace

std::optional<ExtlinuxEntry> default_entry(const std::string& text, const std::string& folder) {
    std::vector<ExtlinuxEntry> entries;
    std::string line, chosen;
    for (std::istringstream lines(text); std::getline(lines, line);) {
        const std::string keyword = take_keyword(line);
        if (keyword == "DEFAULT") chosen = line;
        if (keyword == "LABEL" && entries.size() < kMostEntries) entries.push_back({line, line, "", "", ""});
        if (!entries.empty()) set(entries.back(), keyword, line, folder);
    }
    const auto complete = [](const ExtlinuxEntry& entry) { return !entry.kernel.empty(); };
    auto found = std::ranges::find_if(
        entries, [&](const ExtlinuxEntry& entry) { return complete(entry) && entry.label == chosen; });
    if (found == entries.end()) found = std::ranges::find_if(entries, complete);
    return found == entries.end() ? std::nullopt : std::optional(*found);
}
}  // namespace hartline
