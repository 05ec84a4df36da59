// A file system on a volume, as far as a boot loader looks into it: names and whole files.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "frontend/disk/volume.hpp"

namespace hartline {

// Everything in it may be hostile: what it says is bounded here, and a failure is an absent file.
class FileSystem {
public:
    static constexpr std::size_t kMostNames = 65536;  // of a folder
    virtual ~FileSystem() = default;
    virtual std::string kind() const = 0;  // ext4, FAT, …
    virtual std::string uuid() const = 0;  // as Linux' /dev/disk/by-uuid has it
    // A regular file's contents; symbolic links are followed within the file system. Nothing: there is none,
    // it is larger than `limit` bytes, or cannot be read.
    virtual std::optional<std::vector<u8>> read(const std::string& path, u64 limit) = 0;
    virtual bool exists(const std::string& path) = 0;  // as a regular file
    // Names in a folder, in no order; empty: no such folder.
    virtual std::vector<std::string> list(const std::string& path) = 0;
};

// Null: `volume` holds none that we read. `volume` need not outlive it, its disk must.
std::unique_ptr<FileSystem> open_ext(const Volume& volume);
std::unique_ptr<FileSystem> open_fat(const Volume& volume);
std::unique_ptr<FileSystem> open_file_system(const Volume& volume);
// What a volume holds that nobody could open, for people: "btrfs", "LVM", "nothing known".
std::string describe_volume(const Volume& volume);
}  // namespace hartline
