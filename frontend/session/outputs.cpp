// The files that a run writes.
#include "frontend/session/outputs.hpp"

#include <filesystem>
#include <string>
#include <vector>

#include "frontend/session/config.hpp"
#include "frontend/session/disk.hpp"
#include "frontend/session/errors.hpp"

namespace hartline {
namespace {
namespace fs = std::filesystem;

struct Named {
    std::string option;
    std::string path;
};

std::vector<Named> used_files(const RunConfig& config) {
    std::vector<Named> files{{"the image", config.image},
                             {"--initrd", config.initrd},
                             {"--firmware", config.firmware},
                             {"--efi-vars", config.efi_vars},
                             {"--load", config.load}};
    for (const DiskConfig& disk : config.disks) {
        files.push_back({"--disk", disk.path});
        if (disk.overlay) files.push_back({"an overlay", *disk.overlay});
    }
    return files;
}

// What disks are read from, beside the files that are named. They are opened for it, which fails as it would
// later: an output is not emptied for a run that cannot be.
std::vector<Named> backing_files(const RunConfig& config) {
    std::vector<Named> files;
    for (const DiskConfig& disk : config.disks)
        for (const std::string& path : disk_files(disk))
            files.push_back({"--disk " + disk.path + " (a backing file)", path});
    return files;
}

std::vector<Named> outputs(const RunConfig& config) {
    std::vector<Named> files{{"--commit-log", config.commit_log},
                             {"--coverage", config.coverage},
                             {"--signature", config.signature},
                             {"--dump-dtb", config.dump_dtb}};
    if (config.save_at) files.push_back({"--save-at", config.save_at->path});
    for (const PortConfig& port : config.ports)
        if (port.kind == PortConfig::Kind::File) files.push_back({"--port", port.path});
    return files;
}

// Devices and pipes may be given as often as one likes.
bool same_file(const std::string& a, const std::string& b) {
    if (a.empty() || b.empty()) return false;
    std::error_code error;
    const fs::file_status status = fs::status(a, error);
    if (fs::exists(status))
        return (fs::is_regular_file(status) || fs::is_block_file(status)) && fs::equivalent(a, b, error);
    return fs::weakly_canonical(fs::absolute(a), error) == fs::weakly_canonical(fs::absolute(b), error);
}

// A snapshot is written whole, when the one it replaces was read long ago.
bool may_replace(const Named& output, const Named& used) {
    return output.option == "--save-at" && used.option == "--load";
}

void refuse_if_used(const Named& output, const std::vector<Named>& used) {
    for (const Named& other : used)
        if (same_file(output.path, other.path) && !may_replace(output, other))
            throw InputError(output.option, output.path + " is in use by " + other.option + " of this run",
                             "choose another file");
}
}  // namespace

void validate_outputs(const RunConfig& config) {
    std::vector<Named> taken = used_files(config);
    std::vector<Named> written = outputs(config);
    std::erase_if(written, [](const Named& output) { return output.path.empty(); });
    for (const Named& output : written) {
        refuse_if_used(output, taken);
        taken.push_back(output);
    }
    if (written.empty()) return;
    const std::vector<Named> behind = backing_files(config);
    for (const Named& output : written) refuse_if_used(output, behind);
}
}  // namespace hartline
