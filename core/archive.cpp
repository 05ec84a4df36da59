// Save, load, hash and print of described state.
#include "core/archive.hpp"

#include <cstdio>
#include <cstring>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace hartline {

// Sections are written as a hash of their name, so that a load from another machine is noticed where it
// departs, and one of what is in them, so that a load from another version is.
namespace {
u32 section_mark(std::string_view name) { return XXH32(name.data(), name.size(), 0); }
}  // namespace

void SectionLayout::add(std::string_view name, std::size_t size, std::size_t unit) {
    const std::array<u64, 2> sizes{size, unit};
    digest_ = XXH32(name.data(), name.size(), digest_);
    digest_ = XXH32(sizes.data(), sizeof sizes, digest_);
}

void SaveArchive::begin(std::string_view section) {
    const u32 mark = section_mark(section), later = 0;
    if (!open_.empty()) open_.back().layout.add(section, 0, 0);
    append(&mark, sizeof mark);
    open_.push_back({SectionLayout(section), out_.size()});
    append(&later, sizeof later);
}
void SaveArchive::end() {
    const u32 digest = open_.back().layout.digest();
    std::memcpy(out_.data() + open_.back().digest_at, &digest, sizeof digest);
    open_.pop_back();
}
void SaveArchive::raw(std::string_view name, void* data, std::size_t size, std::size_t unit) {
    if (!open_.empty()) open_.back().layout.add(name, size, unit);
    append(data, size);
}
void SaveArchive::append(const void* data, std::size_t size) {
    const auto* bytes = static_cast<const u8*>(data);
    out_.insert(out_.end(), bytes, bytes + size);
}

void LoadArchive::begin(std::string_view section) {
    require_known_layout();
    u32 mark = 0, digest = 0;
    take(section, &mark, sizeof mark);
    if (mark != section_mark(section))
        throw ArchiveError("snapshot: expected section " + std::string(section) +
                           ": it is of another machine or another version");
    take(section, &digest, sizeof digest);
    if (!open_.empty()) open_.back().layout.add(section, 0, 0);
    open_.push_back({SectionLayout(section), digest});
}
void LoadArchive::end() {
    const Open& open = open_.back();
    if (open.layout.digest() != open.digest && unknown_.empty()) unknown_ = open.layout.name();
    open_.pop_back();
}
void LoadArchive::raw(std::string_view name, void* data, std::size_t size, std::size_t unit) {
    require_known_layout();
    if (!open_.empty()) open_.back().layout.add(name, size, unit);
    take(name, data, size);
}
void LoadArchive::take(std::string_view name, void* data, std::size_t size) {
    if (in_.size() < size) throw ArchiveError("snapshot: truncated at " + std::string(name));
    if (size != 0) std::memcpy(data, in_.data(), size);
    in_ = in_.subspan(size);
}
void LoadArchive::require_known_layout() const {
    if (!unknown_.empty())
        throw ArchiveError("snapshot: section " + unknown_ +
                           " is made of other fields: it is of another version");
}
void LoadArchive::finish() const {
    require_known_layout();
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
