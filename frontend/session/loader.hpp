// From a file to pieces of guest memory: finds what an image is by its content and where it wants to be.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/types.hpp"
#include "frontend/session/elf.hpp"

namespace hartline {

// Bytes that belong at a place in guest memory; what follows them up to `memory_bytes` is zero.
struct Piece {
    u64 paddr = 0;
    u64 offset = 0;  // in LoadedImage::bytes
    u64 file_bytes = 0;
    u64 memory_bytes = 0;
};

struct LoadedImage {
    enum class Kind : u8 {
        Kernel,   // is handed over to in S-mode by firmware
        Program,  // starts in M-mode
    };
    Kind kind = Kind::Kernel;
    std::vector<u8> bytes;
    std::vector<Piece> pieces;
    u64 entry = 0;                                    // physical
    u64 start = 0, end = 0;                           // of all that it takes in memory; end is exclusive
    std::map<std::string, u64, std::less<>> symbols;  // physical addresses: tohost, begin_signature, …

    std::optional<u64> symbol(std::string_view name) const;
};

struct LoadRules {
    u64 ram_base = 0x8000'0000;
    u64 ram_bytes = u64{1} << 30;
    // How far above ram_base a kernel is put that does not say it; firmware lies below.
    u64 kernel_offset = 0x20'0000;
    bool kernel_without_firmware = false;  // then a kernel may lie at ram_base
};

// Reads the image at `path`. Throws InputError for what is no image, is damaged, is for another machine, or
// does not fit into memory.
LoadedImage load_image(const std::string& path, const LoadRules& rules);
// The same for contents that are in memory already.
LoadedImage load_image(const std::string& path, std::vector<u8> contents, const LoadRules& rules);
// S-mode code that is no kernel's file, loaded and entered where a kernel would be: u-boot.bin.
LoadedImage load_payload(const std::string& path, std::vector<u8> contents, const LoadRules& rules);
// A firmware file: raw (loaded and entered at ram_base) or ELF.
LoadedImage load_firmware(const std::string& path, std::vector<u8> contents, const LoadRules& rules);
}  // namespace hartline
