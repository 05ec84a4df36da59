// The table of magic numbers.
#include "frontend/session/sniff.hpp"

#include <algorithm>

namespace hartline {
namespace {
using namespace std::string_view_literals;

struct Magic {
    std::size_t offset;
    std::string_view bytes;
    Sniffed what;
};

constexpr std::string_view kUnpack = "unpack it first";
constexpr std::string_view kWantKernel = "give a kernel, and this with --disk";
constexpr std::string_view kWantRiscv = "give a kernel for riscv64";

// In order: the first that fits is it.
constexpr Magic kMagics[] = {
    {0x38, "RSC\x05"sv, {FileKind::Image, "a RISC-V Linux Image", ""}},
    {0x30, "RISCV\0\0\0"sv, {FileKind::Image, "a RISC-V Linux Image", ""}},
    {0x04, "zimg"sv, {FileKind::Zboot, "an EFI zboot image", ""}},
    {0x00, "\177ELF"sv, {FileKind::Elf, "an ELF file", ""}},
    {0x00, "\x1f\x8b"sv, {FileKind::Gzip, "a gzip file", ""}},
    {0x38, "ARM\x64"sv, {FileKind::Foreign, "an arm64 Linux Image", kWantRiscv}},
    {0x202, "HdrS"sv, {FileKind::Foreign, "an x86 Linux kernel", kWantRiscv}},
    {0x24, "\x18\x28\x6f\x01"sv, {FileKind::Foreign, "an ARM Linux zImage", kWantRiscv}},
    {0x00, "\xfd\x37zXZ\0"sv, {FileKind::Foreign, "an xz file", kUnpack}},
    {0x00, "\x28\xb5\x2f\xfd"sv, {FileKind::Foreign, "a zstd file", kUnpack}},
    {0x00, "\x04\x22\x4d\x18"sv, {FileKind::Foreign, "an lz4 file", kUnpack}},
    {0x00, "\x02\x21\x4c\x18"sv, {FileKind::Foreign, "an lz4 file", kUnpack}},
    {0x00, "BZh"sv, {FileKind::Foreign, "a bzip2 file", kUnpack}},
    {0x00, "\x27\x05\x19\x56"sv, {FileKind::Foreign, "a U-Boot image", "give the Image that it was made of"}},
    {0x00, "\xd0\x0d\xfe\xed"sv, {FileKind::Foreign, "a device tree or FIT image", "give the kernel itself"}},
    {0x00, "070701"sv, {FileKind::Foreign, "a cpio archive", "give a kernel, and this with --initrd"}},
    {0x00, "QFI\xfb"sv, {FileKind::Disk, "a qcow2 disk image", kWantKernel}},
    {0x8001, "CD001"sv, {FileKind::Disk, "an ISO 9660 image", kWantKernel}},
    {0x438, "\x53\xef"sv, {FileKind::Disk, "an ext file system", kWantKernel}},
    {0x1fe, "\x55\xaa"sv, {FileKind::Disk, "a disk image", kWantKernel}},
    {0x00, "!<arch>\n"sv, {FileKind::Foreign, "an archive (.a, .deb)", kUnpack}},
    {0x00, "PK\x03\x04"sv, {FileKind::Foreign, "a zip file", kUnpack}},
    {0x00, "MZ"sv, {FileKind::Foreign, "an EFI or DOS program", "give a Linux Image or an ELF for riscv64"}},
    {0x00, "#!"sv, {FileKind::Foreign, "a script", "give a Linux Image or an ELF for riscv64"}},
};

bool fits(std::span<const u8> bytes, const Magic& magic) {
    if (bytes.size() < magic.offset + magic.bytes.size()) return false;
    return std::equal(magic.bytes.begin(), magic.bytes.end(),
                      bytes.begin() + static_cast<std::ptrdiff_t>(magic.offset),
                      [](char want, u8 have) { return static_cast<u8>(want) == have; });
}
}  // namespace

Sniffed sniff(std::span<const u8> bytes) {
    if (bytes.empty())
        return {FileKind::Foreign, "an empty file", "give a Linux Image or an ELF for riscv64"};
    for (const Magic& magic : kMagics)
        if (fits(bytes, magic)) return magic.what;
    return {FileKind::Unknown, "nothing that Hartline knows",
            "give a Linux Image or an ELF for riscv64; a disk that nothing starts from goes with one: "
            "hartline run IMAGE --disk FILE"};
}
}  // namespace hartline
