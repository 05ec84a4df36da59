// Placing Linux Images, EFI zboot images, vmlinux and plain ELF programs.
#include "frontend/session/loader.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "frontend/host/files.hpp"
#include "frontend/session/errors.hpp"
#include "frontend/session/inflate.hpp"
#include "frontend/session/size.hpp"
#include "frontend/session/sniff.hpp"

namespace hartline {
namespace {
constexpr u64 kHugePage = 0x20'0000;
constexpr std::array<std::string_view, 4> kSymbols = {"tohost", "fromhost", "begin_signature",
                                                      "end_signature"};

template <class T>
T field(std::span<const u8> bytes, std::size_t offset) {
    T value{};
    std::memcpy(&value, bytes.data() + offset, sizeof value);
    return value;
}

void check_fit(const std::string& path, const LoadRules& rules, u64 start, u64 bytes) {
    const u64 offset = start - rules.ram_base;
    if (start >= rules.ram_base && offset <= rules.ram_bytes && bytes <= rules.ram_bytes - offset) return;
    char text[96];
    std::snprintf(text, sizeof text, "needs memory at 0x%llx to 0x%llx, which is not there",
                  static_cast<unsigned long long>(start), static_cast<unsigned long long>(start + bytes));
    const bool above = start >= rules.ram_base;
    throw InputError(path, text, above ? "give more with --memory" : "link it for memory from 0x80000000 on");
}

// linux, Documentation/arch/riscv/boot-image-header.rst.
LoadedImage place_image(const std::string& path, std::vector<u8> bytes, const LoadRules& rules) {
    constexpr std::size_t kHeaderBytes = 64;
    constexpr u64 kBigEndian = 1;
    if (bytes.size() < kHeaderBytes) throw InputError(path, "is a truncated Linux Image", "copy it again");
    const u64 text_offset = field<u64>(bytes, 8);
    const u64 image_size = std::max<u64>(field<u64>(bytes, 16), bytes.size());
    if ((field<u64>(bytes, 24) & kBigEndian) != 0)
        throw InputError(path, "is a big-endian Linux Image", "give a little-endian one");
    u64 offset = text_offset;
    if (!rules.kernel_without_firmware) offset = std::max(offset, rules.kernel_offset);
    if (offset > rules.ram_bytes || image_size > rules.ram_bytes - offset)
        throw InputError(path,
                         "the kernel needs " + size_text((image_size | (kFrameBytes - 1)) + 1) + " from " +
                             size_text(offset) + " on, more than the memory of " + size_text(rules.ram_bytes),
                         "give more with --memory");
    LoadedImage image;
    image.start = image.entry = rules.ram_base + offset;
    image.end = image.start + image_size;
    image.pieces.push_back({image.start, 0, bytes.size(), image_size});
    image.bytes = std::move(bytes);
    return image;
}

// linux, include/linux/efi.h and drivers/firmware/efi/libstub/zboot-header.S.
LoadedImage place_zboot(const std::string& path, const std::vector<u8>& bytes, const LoadRules& rules) {
    constexpr std::size_t kPayload = 8, kPayloadSize = 12, kCompression = 24, kHeaderBytes = 56;
    if (bytes.size() < kHeaderBytes)
        throw InputError(path, "is a truncated EFI zboot image", "copy it again");
    const u64 offset = field<u32>(bytes, kPayload), size = field<u32>(bytes, kPayloadSize);
    if (offset > bytes.size() || size > bytes.size() - offset)
        throw InputError(path, "is a truncated EFI zboot image", "copy it again");
    std::string method;
    for (std::size_t at = kCompression; at < kHeaderBytes && bytes[at] != 0; ++at)
        method += bytes[at] >= 0x20 && bytes[at] < 0x7f ? static_cast<char>(bytes[at]) : '?';
    if (method != "gzip")
        throw InputError(path, "is an EFI zboot image packed with " + method,
                         "give one packed with gzip, or vmlinux");
    auto payload = gunzip(path, std::span(bytes).subspan(offset, size), rules.ram_bytes);
    if (sniff(payload).kind != FileKind::Image)
        throw InputError(path,
                         "is an EFI zboot image with " + std::string(sniff(payload).description) + " in it",
                         "give a kernel for riscv64");
    return place_image(path, std::move(payload), rules);
}

bool is_kernel(const ElfFile& elf) {
    return std::any_of(elf.segments.begin(), elf.segments.end(),
                       [](const ElfSegment& segment) { return bit(segment.vaddr, 63) != 0; });
}

// vmlinux is linked for the upper half, with physical addresses from 0 (or its virtual ones) on: it is moved
// as a whole, so that its lowest byte comes where its Image would be.
void move_kernel(const std::string& path, ElfFile& elf, const LoadRules& rules) {
    u64 lowest = ~u64{0};
    for (const ElfSegment& segment : elf.segments) lowest = std::min(lowest, segment.paddr);
    if (lowest >= rules.ram_base && lowest - rules.ram_base < rules.ram_bytes) return;
    const u64 base = rules.ram_base + rules.kernel_offset;
    for (ElfSegment& segment : elf.segments) {
        const u64 distance = segment.paddr - lowest;
        if (distance > rules.ram_bytes) check_fit(path, rules, base, distance);
        segment.paddr = base + distance;
    }
}

LoadedImage place_elf(const std::string& path, std::vector<u8> bytes, const LoadRules& rules) {
    ElfFile elf = read_elf(path, bytes, kSymbols);
    LoadedImage image;
    image.kind = is_kernel(elf) ? LoadedImage::Kind::Kernel : LoadedImage::Kind::Program;
    if (image.kind == LoadedImage::Kind::Kernel) move_kernel(path, elf, rules);
    image.start = ~u64{0};
    for (const ElfSegment& segment : elf.segments) {
        check_fit(path, rules, segment.paddr, segment.memory_bytes);
        image.pieces.push_back({segment.paddr, segment.offset, segment.file_bytes, segment.memory_bytes});
        image.start = std::min(image.start, segment.paddr);
        image.end = std::max(image.end, segment.paddr + segment.memory_bytes);
    }
    // An entry that no segment holds is taken as physical; a jump to nowhere is the guest's affair.
    image.entry = elf.physical(elf.entry).value_or(elf.entry);
    for (const auto& [name, vaddr] : elf.symbols) image.symbols[name] = elf.physical(vaddr).value_or(vaddr);
    image.bytes = std::move(bytes);
    return image;
}
}  // namespace

std::optional<u64> LoadedImage::symbol(std::string_view name) const {
    const auto found = symbols.find(name);
    return found == symbols.end() ? std::nullopt : std::optional(found->second);
}

LoadedImage load_image(const std::string& path, std::vector<u8> contents, const LoadRules& rules) {
    Sniffed what = sniff(contents);
    if (what.kind == FileKind::Gzip) {
        contents = gunzip(path, contents, rules.ram_bytes + kHugePage);
        what = sniff(contents);
        if (what.kind == FileKind::Gzip) throw InputError(path, "is gzip within gzip", "unpack it first");
    }
    switch (what.kind) {
        case FileKind::Image: return place_image(path, std::move(contents), rules);
        case FileKind::Zboot: return place_zboot(path, contents, rules);
        case FileKind::Elf: return place_elf(path, std::move(contents), rules);
        default: throw InputError(path, "is " + std::string(what.description), std::string(what.way_out));
    }
}

LoadedImage load_image(const std::string& path, const LoadRules& rules) {
    // ELF files carry debugging information that is never loaded: they may be larger than memory.
    constexpr u64 kRoomForSymbols = u64{4} << 30;
    return load_image(path, read_file(path, rules.ram_bytes + kRoomForSymbols, "is larger than memory"),
                      rules);
}

LoadedImage load_payload(const std::string& path, std::vector<u8> contents, const LoadRules& rules) {
    const u64 at = rules.ram_base + rules.kernel_offset;
    check_fit(path, rules, at, contents.size());
    LoadedImage image;
    image.start = image.entry = at;
    image.end = at + contents.size();
    image.pieces.push_back({at, 0, contents.size(), contents.size()});
    image.bytes = std::move(contents);
    return image;
}

LoadedImage load_firmware(const std::string& path, std::vector<u8> contents, const LoadRules& rules) {
    const Sniffed what = sniff(contents);
    LoadedImage image;
    if (what.kind == FileKind::Elf) {
        image = place_elf(path, std::move(contents), rules);
    } else if (what.kind == FileKind::Foreign ||
               what.kind == FileKind::Unknown) {  // code has no magic number
        if (contents.empty())
            throw InputError(path, "is an empty file", "give fw_dynamic.bin, another firmware, or none");
        check_fit(path, rules, rules.ram_base, contents.size());
        image.start = image.entry = rules.ram_base;
        image.end = image.start + contents.size();
        image.pieces.push_back({image.start, 0, contents.size(), contents.size()});
        image.bytes = std::move(contents);
    } else {
        throw InputError(path, "is " + std::string(what.description),
                         "give fw_dynamic.bin, another firmware, or none");
    }
    image.kind = LoadedImage::Kind::Program;
    return image;
}
}  // namespace hartline
