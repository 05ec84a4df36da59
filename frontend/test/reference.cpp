// Finding and comparing reference signatures.
#include "frontend/test/reference.hpp"

#include <algorithm>
#include <filesystem>
#include <sstream>
#include <vector>

#include "frontend/host/files.hpp"
#include "frontend/session/errors.hpp"

namespace hartline {
namespace {
constexpr u64 kMostBytes = u64{256} << 20;

std::vector<std::string> words(std::string text) {
    for (char& c : text)
        if (c >= 'A' && c <= 'F') c = static_cast<char>(c - 'A' + 'a');
    std::istringstream in(text);
    std::vector<std::string> all;
    for (std::string word; in >> word;) all.push_back(std::move(word));
    return all;
}

std::string width_complaint(const std::string& ours, const std::string& theirs) {
    if (ours.size() == theirs.size()) return "";
    return "has " + std::to_string(ours.size() / 2) + " bytes a line, the reference " +
           std::to_string(theirs.size() / 2) + ": give --signature-granularity " +
           std::to_string(theirs.size() / 2);
}
}  // namespace

std::string find_reference(const std::string& folder, const std::string& name) {
    namespace fs = std::filesystem;
    for (const std::string& stem : {name, fs::path(name).filename().string()})
        for (const char* ending : {".signature", ".reference_output"}) {
            const fs::path path = fs::path(folder) / (stem + ending);
            std::error_code ignored;
            if (fs::is_regular_file(path, ignored)) return path.string();
        }
    throw InputError(folder, "has no " + name + ".signature and no " + name + ".reference_output",
                     "add it, or leave --reference out");
}

std::string compare_signature(const std::string& signature, const std::string& reference) {
    const auto bytes = read_file(reference, kMostBytes, "is too large for a signature");
    const auto ours = words(signature), theirs = words({bytes.begin(), bytes.end()});
    if (theirs.empty()) throw InputError(reference, "is empty", "make the reference again");
    const std::string against = " (reference " + reference + ")";
    if (ours.empty()) return "the signature is empty" + against;
    if (const std::string wrong = width_complaint(ours[0], theirs[0]); !wrong.empty())
        return "the signature " + wrong + against;
    const std::size_t both = std::min(ours.size(), theirs.size());
    std::size_t first = both, differ = 0;
    for (std::size_t i = both; i-- > 0;)
        if (ours[i] != theirs[i]) ++differ, first = i;
    std::string text;
    if (ours.size() != theirs.size())
        text = "the signature has " + std::to_string(ours.size()) + " lines, the reference " +
               std::to_string(theirs.size());
    if (differ != 0)
        text += (text.empty() ? "the signature differs" : "; it differs") + std::string(" in ") +
                std::to_string(differ) + " of " + std::to_string(both) + " lines, first in line " +
                std::to_string(first + 1) + ": " + ours[first] + ", expected " + theirs[first];
    return text.empty() ? "" : text + against;
}
}  // namespace hartline
