// What is in guest memory, ROM and flash when a machine is switched on: firmware, kernel or program, initrd,
// or the boot loader that starts what is on a disk.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "core/machine.hpp"
#include "frontend/host/contents.hpp"
#include "frontend/session/config.hpp"
#include "frontend/session/firmware.hpp"
#include "frontend/session/loader.hpp"
#include "roms/reset_vector.hpp"

namespace hartline {
class BootDisk;

class Boot {
public:
    // Looks at all files, and into the first disk where no image is given, and finds a place for everything.
    // Throws InputError.
    Boot(const RunConfig& config, u64 ram_base);

    const BootHandOver& hand_over() const { return hand_over_; }
    u64 initrd_start() const { return initrd_start_; }
    u64 initrd_end() const { return initrd_start_ + initrd_.bytes(); }
    const LoadedImage& image() const { return image_; }                // its bytes only until place()
    const std::string& command_line() const { return command_line_; }  // of the kernel
    // Of a boot loader in flash: what the first bank holds, and what the second one holds when it is new.
    const std::optional<LoaderFiles>& flash() const { return flash_; }
    // One line for people: what was found on a disk, and what is started. Empty: nothing that they do not
    // know.
    const std::string& notice() const { return notice_; }
    // Writes everything, and `tree`, into memory that is all zero. May be called again after a reset; throws
    // HostError when a file has changed since. A kernel from a disk is the one that was there at the start.
    void place(Ram& ram, std::span<const u8> tree);

private:
    void choose(const RunConfig& config);
    void choose_from_disk(const RunConfig& config);
    void take_kernel(const RunConfig& config, BootDisk& disk);
    void take_loader(const RunConfig& config, Loader loader);
    void read_image();
    LoadedImage parse_image() const;
    void read_firmware(const RunConfig& config);
    void plan();
    std::vector<u8> image_again();

    LoadRules rules_;
    Contents image_file_, initrd_;
    LoadedImage image_, firmware_;
    u64 image_hash_ = 0;
    bool payload_ = false;  // the image is no kernel's file but S-mode code as it is
    bool with_firmware_ = false;
    u64 initrd_start_ = 0;
    BootHandOver hand_over_;
    std::string command_line_, notice_;
    std::optional<LoaderFiles> flash_;
};
}  // namespace hartline
