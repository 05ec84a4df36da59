// What a file is, by its first bytes.
#pragma once
#include <span>
#include <string_view>

#include "core/types.hpp"

namespace hartline {

enum class FileKind : u8 {
    Image,  // Linux/RISC-V boot image, with or without EFI stub
    Zboot,  // EFI program that carries a compressed Image
    Elf,    // any ELF: what is in it, the ELF reader says
    Gzip,
    Disk,     // a disk image, with a partition table or a file system
    Foreign,  // known, but nothing that can be started: see `description`
    Unknown,
};

struct Sniffed {
    FileKind kind = FileKind::Unknown;
    std::string_view description;  // for messages: "an x86 Linux kernel"
    std::string_view way_out;      // what to do about a Foreign one
};

Sniffed sniff(std::span<const u8> bytes);
}  // namespace hartline
