// Telling disks from kernels by their first bytes.
#include "frontend/session/adopt.hpp"

#include <filesystem>
#include <fstream>
#include <vector>

#include "frontend/session/errors.hpp"
#include "frontend/session/sniff.hpp"

namespace hartline {
namespace {
constexpr std::size_t kSniffed = 0x8800;  // as far as the magic numbers of file systems are looked for

// Pipes are not looked into: what is read from them is gone.
bool is_disk(const std::string& path) {
    std::error_code error;
    const auto status = std::filesystem::status(path, error);
    if (!std::filesystem::is_regular_file(status) && !std::filesystem::is_block_file(status)) return false;
    std::ifstream file(path, std::ios::binary);
    std::vector<u8> bytes(kSniffed);
    file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    bytes.resize(static_cast<std::size_t>(file.gcount()));
    return sniff(bytes).kind == FileKind::Disk;
}
}  // namespace

void adopt_disk(RunConfig& config) {
    if (config.image.empty()) return;
    std::error_code error;
    const bool plain = std::filesystem::exists(config.image, error);
    DiskConfig disk = plain ? DiskConfig{config.image} : parse_disk(config.image);
    if (!is_disk(disk.path)) {
        if (!plain && std::filesystem::exists(disk.path, error))
            throw InputError(disk.path, "is no disk image, and only these have options behind their name",
                             "give " + disk.path + " alone");
        return;
    }
    // No disk is changed by surprise: who wants it written to says so.
    const std::string options = config.image.substr(disk.path.size());
    const auto given = [&](const char* option) { return options.find(option) != std::string::npos; };
    if (!given(",ro") && !given(",rw") && !given(",overlay")) disk.overlay = "";
    config.disks.insert(config.disks.begin(), disk);
    config.image.clear();
}
}  // namespace hartline
