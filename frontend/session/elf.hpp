// An ELF file for RV64, every field of it checked against the file's size.
#pragma once
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/types.hpp"

namespace hartline {

struct ElfSegment {
    u64 vaddr = 0;
    u64 paddr = 0;
    u64 offset = 0;        // in the file; [offset, offset + file_bytes) lies in it
    u64 file_bytes = 0;    // at most memory_bytes
    u64 memory_bytes = 0;  // what follows file_bytes is zero; paddr and vaddr plus this do not wrap
};

struct ElfFile {
    u64 entry = 0;                     // a virtual address
    std::vector<ElfSegment> segments;  // PT_LOAD ones with a size, in the file's order; at least one
    std::map<std::string, u64, std::less<>> symbols;  // those asked for that are there

    // Where a virtual address is loaded; none if no segment holds it.
    std::optional<u64> physical(u64 vaddr) const;
    std::optional<u64> symbol(std::string_view name) const;
};

// Throws InputError that names `path`, says what the file is and what is wanted.
ElfFile read_elf(const std::string& path, std::span<const u8> bytes,
                 std::span<const std::string_view> wanted_symbols);
}  // namespace hartline
