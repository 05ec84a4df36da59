// Read-only memory that harts may fetch from: the reset vector.
#include "devices/rom.hpp"

#include <cstring>
#include <stdexcept>

namespace hartline {
namespace {
class Rom final : public Device {
public:
    Rom(std::vector<u8> contents, u64 size) : contents_(std::move(contents)) { contents_.resize(size); }
    std::string_view name() const override { return "rom"; }
    u64 size() const override { return contents_.size(); }
    bool executable() const override { return true; }
    bool read(u64 offset, unsigned bytes, u64& value) override {
        if (offset > contents_.size() || bytes > contents_.size() - offset) return false;
        value = 0;
        std::memcpy(&value, contents_.data() + offset, bytes);
        return true;
    }
    bool write(u64, unsigned, u64) override { return false; }
    void reset() override {}
    void describe(Archive& archive) override;

private:
    std::vector<u8> contents_;  // configuration, not state
};

// A snapshot goes with the ROM that it ran with, but does not carry it.
void Rom::describe(Archive& archive) {
    HashArchive contents;
    contents.raw("contents", contents_.data(), contents_.size(), 1);
    u64 length = contents_.size(), hash = contents.digest();
    const u64 own_length = length, own_hash = hash;
    archive.field("length", length);
    archive.field("hash", hash);
    archive.require(length == own_length && hash == own_hash, "rom.hash");
}
}  // namespace

DeviceFactory rom(std::vector<u8> contents, u64 size) {
    if (contents.size() > size)
        throw std::invalid_argument("the boot ROM holds " + std::to_string(size) + " bytes, not " +
                                    std::to_string(contents.size()));
    return
        [contents = std::move(contents), size](DevicePort&) { return std::make_unique<Rom>(contents, size); };
}
}  // namespace hartline
