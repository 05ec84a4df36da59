// What of a disk can be started: an EFI boot loader, an installed extlinux.conf, a kernel in /boot.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "frontend/disk/extlinux.hpp"
#include "frontend/disk/file_system.hpp"
#include "frontend/disk/partitions.hpp"

namespace hartline {

class BootDisk {
public:
    // Looks at `disk`, which outlives it. `device` is what Linux calls it: /dev/vda.
    BootDisk(BlockBackend& disk, std::string device);

    // Where UEFI's "Removable Media Boot Behavior" looks for a loader, and where it was found: "partition 1
    // (FAT)".
    static constexpr const char* kEfiLoader = "EFI/BOOT/BOOTRISCV64.EFI";
    const std::optional<std::string>& efi() const { return efi_; }

    struct Kernel {
        std::size_t volume = 0;
        ExtlinuxEntry entry;
        std::string from;  // for people: "partition 2 (ext4), /boot/extlinux/extlinux.conf"
    };
    const std::optional<Kernel>& kernel() const { return kernel_; }
    // A file of the kernel's volume. Throws InputError, naming `where`: it cannot be read, or has more than
    // `limit` bytes.
    std::vector<u8> read(const std::string& where, const Kernel& kernel, const std::string& path, u64 limit);

    // All that was seen, for a person who wonders why nothing starts.
    std::string seen() const;

private:
    struct Place {
        Partition partition;  // number 0: the whole disk
        std::unique_ptr<FileSystem> files;
        std::string kind;
        std::string note;
    };
    void look_for_efi(Place& place);
    bool look_for_extlinux(std::size_t volume);
    bool look_for_kernel(std::size_t volume);
    void add_root(Kernel& kernel, bool beside) const;
    const Place* root_of(std::size_t volume, bool beside) const;
    std::string name_of(const Place& place) const;

    std::string device_;
    PartitionTable table_;
    std::vector<Place> places_;
    std::optional<std::string> efi_;
    std::optional<Kernel> kernel_;
};
}  // namespace hartline
