// Which file system a volume holds.
#include "frontend/disk/file_system.hpp"

#include <algorithm>

namespace hartline {
namespace {
using namespace std::string_view_literals;

struct Known {
    u64 offset;
    std::string_view magic;
    const char* name;
};
constexpr Known kKnown[] = {
    {0x438, "\x53\xef"sv, "ext (damaged, or with features that are not known)"},
    {0x10040, "_BHRfS_M"sv, "btrfs"},
    {0, "XFSB"sv, "XFS"},
    {0x400, "\x10\x20\xf5\xf2"sv, "F2FS"},
    {0, "hsqs"sv, "squashfs"},
    {0x400, "\xe2\xe1\xf5\xe0"sv, "EROFS"},
    {0, "LUKS\xba\xbe"sv, "LUKS (encrypted)"},
    {0x218, "LVM2 001"sv, "LVM"},
    {0xff6, "SWAPSPACE2"sv, "swap"},
    {0x8001, "CD001"sv, "ISO 9660"},
    {0x52, "FAT32"sv, "FAT (damaged)"},
    {0x36, "FAT"sv, "FAT (damaged)"},
};
}  // namespace

std::unique_ptr<FileSystem> open_file_system(const Volume& volume) {
    if (auto ext = open_ext(volume)) return ext;
    return open_fat(volume);
}

std::string describe_volume(const Volume& volume) {
    for (const Known& known : kKnown) {
        const auto bytes = volume.read(known.offset, known.magic.size());
        if (bytes && std::equal(bytes->begin(), bytes->end(), known.magic.begin(),
                                [](u8 have, char want) { return have == static_cast<u8>(want); }))
            return known.name;
    }
    return "nothing known";
}
}  // namespace hartline
