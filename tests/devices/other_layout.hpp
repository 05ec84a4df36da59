// Snapshots of a device as other versions of it would have saved them.
#pragma once
#include <catch2/catch.hpp>

#include <set>
#include <string>

#include "core/device.hpp"

namespace hartline::test {
struct FieldNames final : Archive {
    std::set<std::string> names;
    void begin(std::string_view) override {}
    void end() override {}
    void raw(std::string_view name, void*, std::size_t, std::size_t) override { names.emplace(name); }
};

// Saves without a field, or with another name for it.
class OtherVersion final : public Archive {
public:
    OtherVersion(SaveArchive& to, const std::string& field, bool renames)
        : to_(to), field_(field), renames_(renames) {}
    void begin(std::string_view section) override { to_.begin(section); }
    void end() override { to_.end(); }
    void raw(std::string_view name, void* data, std::size_t size, std::size_t unit) override {
        if (name == field_ && !renames_) return;
        to_.raw(name == field_ ? "another" : name, data, size, unit);
    }

private:
    SaveArchive& to_;
    std::string field_;
    bool renames_;
};

// The device as it is, saved by a version without `field`, or with another name for it.
inline std::vector<u8> save_as(Device& device, const std::string& field, bool renames) {
    SaveArchive save;
    OtherVersion other(save, field, renames);
    {
        const Section section(other, device.name());
        device.describe(other);
    }
    return save.take();
}

inline void load_section(Device& device, std::span<const u8> image) {
    device.reset();
    LoadArchive archive(image);
    {
        const Section section(archive, device.name());
        device.describe(archive);
    }
    archive.finish();
}

inline void check_other_layouts_are_refused(Device& device) {
    FieldNames fields;
    device.describe(fields);
    const auto good = save_as(device, {}, false);
    for (const std::string& field : fields.names)
        for (const bool renames : {false, true}) {
            INFO(device.name() << " " << field << " " << renames);
            CHECK_NOTHROW(load_section(device, good));
            CHECK_THROWS_AS(load_section(device, save_as(device, field, renames)), ArchiveError);
        }
}
}  // namespace hartline::test
