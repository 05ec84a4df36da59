// What is in guest memory and ROM when a machine is switched on: firmware, kernel or program, initrd.
#pragma once
#include <string>
#include <vector>

#include "core/machine.hpp"
#include "frontend/host/contents.hpp"
#include "frontend/session/config.hpp"
#include "frontend/session/loader.hpp"
#include "roms/reset_vector.hpp"

namespace hartline {

class Boot {
public:
    // Looks at all files and finds a place for everything. Throws InputError.
    Boot(const RunConfig& config, u64 ram_base);

    const BootHandOver& hand_over() const { return hand_over_; }
    u64 initrd_start() const { return initrd_start_; }
    u64 initrd_end() const { return initrd_start_ + initrd_.bytes(); }
    const LoadedImage& image() const { return image_; }  // its bytes only until place()
    // Writes everything, and `tree`, into memory that is all zero. May be called again after a reset; throws
    // HostError when a file has changed since.
    void place(Ram& ram, std::span<const u8> tree);

private:
    void read_image(const RunConfig& config);
    void read_firmware(const RunConfig& config);
    void plan(const RunConfig& config);
    std::vector<u8> image_again();

    LoadRules rules_;
    Contents image_file_, initrd_;
    LoadedImage image_, firmware_;
    u64 image_hash_ = 0;
    bool with_firmware_ = false;
    u64 initrd_start_ = 0;
    BootHandOver hand_over_;
};
}  // namespace hartline
