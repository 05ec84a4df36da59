// Reading and placing what a machine starts with.
#include "frontend/session/boot.hpp"

#include <algorithm>
#include <filesystem>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "devices/board.hpp"
#include "frontend/disk/boot_disk.hpp"
#include "frontend/host/files.hpp"
#include "frontend/session/disk.hpp"
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
// Reads what the machine will find. Closed again before the machine opens it.
std::unique_ptr<DiskImage> open_to_look(const DiskConfig& disk) {
    std::error_code error;
    DiskConfig look = disk;
    if (disk.overlay && (disk.temporary() || !std::filesystem::exists(*disk.overlay, error)))
        look.overlay.reset();
    look.read_only = !look.overlay;
    return open_disk(look);
}

// As Linux calls it.
const char* first_disk(const RunConfig& config) {
    return bus_of(config, config.disks.front()) == DeviceBus::Nvme ? "/dev/nvme0n1" : "/dev/vda";
}
}  // namespace

Boot::Boot(const RunConfig& config, u64 ram_base) {
    rules_.ram_base = ram_base;
    rules_.ram_bytes = config.memory;
    rules_.kernel_without_firmware = config.firmware == "none";
    if (rules_.kernel_without_firmware) rules_.kernel_offset = 0;
    command_line_ = config.append;
    if (!config.initrd.empty())
        initrd_ = Contents(config.initrd, config.memory,
                           "the initrd is larger than the memory of " + size_text(config.memory) +
                               ": give more with --memory");
    choose(config);
    if (!flash_) read_image();
    if (!flash_ && !config.efi_vars.empty())
        throw InputError("--efi-vars", "keeps EDK2's variables, and EDK2 is not what starts here",
                         "give --firmware edk2, or leave it out");
    read_firmware(config);
    plan();
}

void Boot::choose(const RunConfig& config) {
    if (!config.image.empty())
        image_file_ = Contents(config.image, rules_.ram_bytes + kRoomForSymbols, "is larger than memory");
    else if (const auto loader = loader_named(config.firmware))
        take_loader(config, *loader);
    else
        choose_from_disk(config);
}

void Boot::choose_from_disk(const RunConfig& config) {
    if (config.disks.empty())
        throw InputError("run", "no image given", "hartline run IMAGE, or hartline help run");
    const DiskConfig& first = config.disks.front();
    const auto image = open_to_look(first);
    BootDisk disk(*image, first_disk(config));
    notice_ = first.path + ": ";
    // A firmware that the user chose starts kernels; what EFI needs is chosen by its own name.
    const bool efi = disk.efi() && config.firmware.empty();
    for (const Loader loader : {Loader::Edk2, Loader::UBoot})
        if (efi && find_loader(loader)) {
            notice_ += *disk.efi() + " has " + BootDisk::kEfiLoader + ": " + std::string(name(loader)) +
                       " starts it";
            return take_loader(config, loader);
        }
    if (disk.kernel()) return take_kernel(config, disk);
    if (efi) require_loader(Loader::Edk2);
    throw InputError(first.path, "holds nothing that starts by itself (" + disk.seen() + ")",
                     "give a kernel: hartline run IMAGE --disk " + first.path + " --append root=…");
}

void Boot::take_kernel(const RunConfig& config, BootDisk& disk) {
    const std::string& path = config.disks.front().path;
    const BootDisk::Kernel& kernel = *disk.kernel();
    const ExtlinuxEntry& entry = kernel.entry;
    image_file_ = Contents(path + ":" + printable(entry.kernel),
                           disk.read(path, kernel, entry.kernel, rules_.ram_bytes + kRoomForSymbols));
    const bool with_initrd = config.initrd.empty() && !entry.initrd.empty();
    if (with_initrd)
        initrd_ = Contents(path + ":" + printable(entry.initrd),
                           disk.read(path, kernel, entry.initrd, rules_.ram_bytes));
    command_line_ = entry.append.substr(0, entry.append.find('\0'));
    if (!config.append.empty()) command_line_ += " " + config.append;
    if (command_line_.size() > RunConfig::kMostArgumentBytes)
        throw InputError(path, kernel.from + ": the kernel's command line is longer than 64 KiB",
                         "shorten it");
    notice_ += kernel.from + ": starting " + printable(entry.kernel) +
               (with_initrd ? " with " + printable(entry.initrd) : "") + ", " + printable(command_line_);
}

void Boot::take_loader(const RunConfig& config, Loader loader) {
    for (const auto& [option, text] :
         {std::pair("--append", &config.append), std::pair("--initrd", &config.initrd)})
        if (!text->empty())
            throw InputError(option,
                             "is for a kernel that Hartline starts, and " + std::string(name(loader)) +
                                 " starts what is on a disk",
                             "leave it out, or give --firmware default, which starts a disk's own kernel");
    const LoaderFiles files = require_loader(loader);
    if (loader == Loader::Edk2) {
        flash_ = files;
        return;
    }
    payload_ = true;
    image_file_ = Contents(files.code, rules_.ram_bytes, "is larger than memory");
}

LoadedImage Boot::parse_image() const {
    return payload_ ? load_payload(image_file_.path(), image_file_.read(), rules_)
                    : load_image(image_file_.path(), image_file_.read(), rules_);
}

void Boot::read_image() {
    image_ = parse_image();
    image_hash_ = XXH3_64bits(image_.bytes.data(), image_.bytes.size());
}

void Boot::read_firmware(const RunConfig& config) {
    const bool as_needed = config.firmware.empty() || loader_named(config.firmware);
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

void Boot::plan() {
    Layout layout(rules_.ram_base, rules_.ram_bytes);
    if (with_firmware_) {
        // Firmware uses memory behind its file; it is known to stay below where kernels begin.
        const u64 kernel_base = rules_.ram_base + kHugePage;
        const bool low = firmware_.start < kernel_base;
        layout.take("the firmware", std::min(firmware_.start, low ? rules_.ram_base : firmware_.start),
                    std::max(firmware_.end, low ? kernel_base : firmware_.end));
    }
    if (!flash_) layout.take(image_file_.path(), image_.start, image_.end);
    hand_over_.device_tree = layout.place("the device tree", kTreeBytes, kHugePage, kTreeLimit);
    if (initrd_.bytes() != 0)
        initrd_start_ = layout.place(initrd_.path(), initrd_.bytes(), kFrameBytes, hand_over_.device_tree);
    hand_over_.next = flash_ ? place_of("flash").base : image_.entry;
    hand_over_.start = with_firmware_ ? firmware_.entry : image_.entry;
}

std::vector<u8> Boot::image_again() {
    if (!image_.bytes.empty()) return std::move(image_.bytes);
    std::vector<u8> bytes = parse_image().bytes;
    if (XXH3_64bits(bytes.data(), bytes.size()) != image_hash_)
        throw HostError(image_file_.path(), "changed while it was in use", "start again");
    return bytes;
}

void Boot::place(Ram& ram, std::span<const u8> tree) {
    if (tree.size() > kTreeBytes) throw std::logic_error("the device tree is larger than its place");
    if (!flash_) write_pieces(ram, image_, image_again());
    image_.bytes.clear();
    write_pieces(ram, firmware_, firmware_.bytes);
    u64 at = initrd_start_;
    initrd_.stream([&](std::span<const u8> piece) {
        ram.write(at, piece);
        at += piece.size();
    });
    ram.write(hand_over_.device_tree, tree);
}
}  // namespace hartline
