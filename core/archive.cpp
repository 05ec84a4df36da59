// Save, load, hash and print of described state.
#include "core/archive.hpp"

#include <cstdio>
#include <cstring>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace hartline {

// Sections are written as a hash of their name, so that a load from another layout is noticed where it
// departs.
namespace {
u32 section_mark(std::string_view name) { return XXH32(name.data(), name.size(), 0); }
}  // namespace

void SaveArchive::begin(std::string_view section) {
    u32 mark = section_mark(section);
    raw(section, &mark, sizeof mark, sizeof mark);
}
void SaveArchive::raw(std::string_view, void* data, std::size_t size, std::size_t) {
    const auto* bytes = static_cast<const u8*>(data);
    out_.insert(out_.end(), bytes, bytes + size);
}

void LoadArchive::begin(std::string_view section) {
    u32 mark = 0;
    raw(section, &mark, sizeof mark, sizeof mark);
    if (mark != section_mark(section))
        throw ArchiveError("snapshot: expected section " + std::string(section) +
                           ": it is of another machine or another version");
}
void LoadArchive::raw(std::string_view name, void* data, std::size_t size, std::size_t) {
    if (in_.size() < size) throw ArchiveError("snapshot: truncated at " + std::string(name));
    if (size != 0) std::memcpy(data, in_.data(), size);
    in_ = in_.subspan(size);
}
void LoadArchive::finish() const {
    if (!in_.empty()) throw ArchiveError("snapshot: " + std::to_string(in_.size()) + " bytes too many");
}

HashArchive::HashArchive() : state_(XXH3_createState()) {
    if (state_ == nullptr) throw std::bad_alloc();
    XXH3_64bits_reset(static_cast<XXH3_state_t*>(state_));
}
HashArchive::~HashArchive() { XXH3_freeState(static_cast<XXH3_state_t*>(state_)); }
void HashArchive::begin(std::string_view section) {
    XXH3_64bits_update(static_cast<XXH3_state_t*>(state_), section.data(), section.size());
}
void HashArchive::raw(std::string_view, void* data, std::size_t size, std::size_t) {
    XXH3_64bits_update(static_cast<XXH3_state_t*>(state_), data, size);
}
u64 HashArchive::digest() const { return XXH3_64bits_digest(static_cast<const XXH3_state_t*>(state_)); }

void PrintArchive::begin(std::string_view section) { path_.emplace_back(section); }
void PrintArchive::end() { path_.pop_back(); }
void PrintArchive::raw(std::string_view name, void* data, std::size_t size, std::size_t unit) {
    constexpr std::size_t kMostElements = 64;
    for (const std::string& part : path_) text_ += part + '.';
    text_ += std::string(name) + " =";
    const auto* bytes = static_cast<const u8*>(data);
    const std::size_t count = unit == 0 ? 0 : size / unit;
    for (std::size_t i = 0; i < count && i < kMostElements; ++i) {
        u64 value = 0;
        std::memcpy(&value, bytes + i * unit, unit < 8 ? unit : 8);
        char text[24];
        std::snprintf(text, sizeof text, " %llx", static_cast<unsigned long long>(value));
        text_ += text;
    }
    if (count > kMostElements) text_ += " …";
    text_ += '\n';
}
}  // namespace hartline
