// The banks on the bus.
#include "devices/flash.hpp"

#include <stdexcept>

#include "devices/flash_bank.hpp"
#include "devices/node_name.hpp"

namespace hartline {
namespace {
class Flash final : public Device {
public:
    Flash(DevicePort& port, const std::array<FlashBankConfig, kFlashBanks>& banks)
        : port_(port), banks_{FlashBank(banks[0]), FlashBank(banks[1])} {}
    std::string_view name() const override { return "flash"; }
    u64 size() const override { return kFlashBanks * kFlashBankBytes; }
    bool executable() const override { return true; }
    bool read(u64 offset, unsigned bytes, u64& value) override {
        value = banks_[offset / kFlashBankBytes].read(offset % kFlashBankBytes, bytes);
        return true;
    }
    bool write(u64 offset, unsigned bytes, u64 value) override {
        FlashBank& bank = banks_[offset / kFlashBankBytes];
        const bool fixed = bank.fixed();
        bank.write(offset % kFlashBankBytes, bytes, value);
        if (fixed && !bank.fixed()) port_.fixed_pages_changed();
        return true;
    }
    const u8* fixed_page(u64 offset) const override {
        const FlashBank& bank = banks_[offset / kFlashBankBytes];
        return bank.fixed() ? bank.page(offset % kFlashBankBytes) : nullptr;
    }
    void reset() override {
        for (FlashBank& bank : banks_) bank.reset();
    }
    void describe(Archive& archive) override {
        for (FlashBank& bank : banks_) bank.describe(archive);
    }
    void loaded() override {
        for (FlashBank& bank : banks_) bank.loaded();
    }
    void describe_node(DeviceTree& tree, const NodePlace& place) const override;

private:
    DevicePort& port_;
    std::array<FlashBank, kFlashBanks> banks_;
};

void Flash::describe_node(DeviceTree& tree, const NodePlace& place) const {
    constexpr u32 kBankWidthBytes = 4;
    std::vector<u32> cells;
    for (u64 base = place.base; base < place.base + size(); base += kFlashBankBytes)
        for (const u64 number : {base, kFlashBankBytes}) {
            cells.push_back(static_cast<u32>(number >> 32));
            cells.push_back(static_cast<u32>(number));
        }
    tree.begin(node_name("flash", place.base));
    tree.cells("bank-width", {kBankWidthBytes});
    tree.cells("reg", cells);
    tree.text("compatible", "cfi-flash");
    tree.end();
}
}  // namespace

DeviceFactory flash(std::array<FlashBankConfig, kFlashBanks> banks) {
    for (const FlashBankConfig& bank : banks)
        if (bank.contents.size() > kFlashBankBytes)
            throw std::invalid_argument("a flash bank holds " + std::to_string(kFlashBankBytes) +
                                        " bytes, not " + std::to_string(bank.contents.size()));
    return [banks = std::move(banks)](DevicePort& port) { return std::make_unique<Flash>(port, banks); };
}
}  // namespace hartline
