// Reading and placing what a machine starts with.
#include "frontend/session/boot.hpp"

#include <algorithm>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "frontend/host/files.hpp"
#include "frontend/session/errors.hpp"
#include "frontend/session/layout.hpp"
#include "frontend/session/size.hpp"
#include "roms/firmware.hpp"

namespace hartline {
namespace {
constexpr u64 kHugePage = 0x20'0000;
// The tree is put below this, where 32-bit code reaches it, as QEMU does.
constexpr u64 kTreeLimit = 0xc000'0000;
// Room for the tree and for what firmware adds to it.
constexpr u64 kTreeBytes = 512 * 1024;
// ELF files carry debugging information that is never loaded: they may be larger than memory.
constexpr u64 kRoomForSymbols = u64{4} << 30;

void write_pieces(Ram& ram, const LoadedImage& image, std::span<const u8> bytes) {
    for (const Piece& piece : image.pieces)
        ram.write(piece.paddr, bytes.subspan(static_cast<std::size_t>(piece.offset),
                                             static_cast<std::size_t>(piece.file_bytes)));
}
}  // namespace

Boot::Boot(const RunConfig& config, u64 ram_base) {
    rules_.ram_base = ram_base;
    rules_.ram_bytes = config.memory;
    rules_.kernel_without_firmware = config.firmware == "none";
    if (rules_.kernel_without_firmware) rules_.kernel_offset = 0;
    read_image(config);
    read_firmware(config);
    if (!config.initrd.empty())
        initrd_ = Contents(config.initrd, config.memory,
                           "the initrd is larger than the memory of " + size_text(config.memory) +
                               ": give more with --memory");
    plan(config);
}

void Boot::read_image(const RunConfig& config) {
    image_file_ = Contents(config.image, rules_.ram_bytes + kRoomForSymbols, "is larger than memory");
    image_ = load_image(config.image, image_file_.read(), rules_);
    image_hash_ = XXH3_64bits(image_.bytes.data(), image_.bytes.size());
}

void Boot::read_firmware(const RunConfig& config) {
    const bool as_needed = config.firmware.empty();
    with_firmware_ = config.firmware != "none" && !(as_needed && image_.kind == LoadedImage::Kind::Program);
    if (!with_firmware_) return;
    std::vector<u8> bytes;
    if (as_needed || config.firmware == "default") {
        const auto embedded = embedded_firmware();
        bytes.assign(embedded.begin(), embedded.end());
    } else {
        bytes = read_file(config.firmware, rules_.ram_bytes, "is larger than memory");
    }
    firmware_ = load_firmware(as_needed ? "firmware" : config.firmware, std::move(bytes), rules_);
}

void Boot::plan(const RunConfig& config) {
    Layout layout(rules_.ram_base, rules_.ram_bytes);
    if (with_firmware_) {
        // Firmware uses memory behind its file; it is known to stay below where kernels begin.
        const u64 kernel_base = rules_.ram_base + kHugePage;
        const bool low = firmware_.start < kernel_base;
        layout.take("the firmware", std::min(firmware_.start, low ? rules_.ram_base : firmware_.start),
                    std::max(firmware_.end, low ? kernel_base : firmware_.end));
    }
    layout.take(config.image, image_.start, image_.end);
    hand_over_.device_tree = layout.place("the device tree", kTreeBytes, kHugePage, kTreeLimit);
    if (initrd_.bytes() != 0)
        initrd_start_ = layout.place(config.initrd, initrd_.bytes(), kFrameBytes, hand_over_.device_tree);
    hand_over_.next = image_.entry;
    hand_over_.start = with_firmware_ ? firmware_.entry : image_.entry;
}

std::vector<u8> Boot::image_again() {
    if (!image_.bytes.empty()) return std::move(image_.bytes);
    std::vector<u8> bytes = std::move(load_image(image_file_.path(), image_file_.read(), rules_).bytes);
    if (XXH3_64bits(bytes.data(), bytes.size()) != image_hash_)
        throw HostError(image_file_.path(), "changed while it was in use", "start again");
    return bytes;
}

void Boot::place(Ram& ram, std::span<const u8> tree) {
    if (tree.size() > kTreeBytes) throw std::logic_error("the device tree is larger than its place");
    const std::vector<u8> bytes = image_again();
    image_.bytes.clear();
    write_pieces(ram, image_, bytes);
    write_pieces(ram, firmware_, firmware_.bytes);
    u64 at = initrd_start_;
    initrd_.stream([&](std::span<const u8> piece) {
        ram.write(at, piece);
        at += piece.size();
    });
    ram.write(hand_over_.device_tree, tree);
}
}  // namespace hartline
