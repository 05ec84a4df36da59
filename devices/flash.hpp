// Parallel NOR flash with the Intel command set: where firmware lies and keeps its variables.
// JEDEC JEP137, "Common Flash Memory Interface (CFI) ID Codes", command set 0x0001; Intel, "Common Flash
// Interface and Command Sets" (application note 646).
#pragma once
#include <array>
#include <memory>
#include <vector>

#include "core/device.hpp"
#include "devices/storage/host_file.hpp"

namespace hartline {

inline constexpr u64 kFlashBankBytes = 32 << 20;
inline constexpr u64 kFlashSectorBytes = 256 * 1024;  // is erased at once
inline constexpr unsigned kFlashBanks = 2;            // one behind the other

struct FlashBankConfig {
    std::vector<u8> contents{};  // at most kFlashBankBytes; what is behind it is erased (0xff)
    bool read_only = false;      // programming and erasing fail, as with a locked block
    // What is programmed is written here too, at once. Null: it is gone when the machine ends.
    std::shared_ptr<HostFile> file = nullptr;
};

// Both banks as one device. Contents outlive a reset, and a snapshot has those of a writable bank. Throws
// std::invalid_argument for contents larger than a bank.
DeviceFactory flash(std::array<FlashBankConfig, kFlashBanks> banks);
}  // namespace hartline
