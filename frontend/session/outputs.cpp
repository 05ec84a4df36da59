// The files that a run writes.
#include "frontend/session/outputs.hpp"

#include <filesystem>
#include <string>
#include <vector>

#include "frontend/session/config.hpp"
#include "frontend/session/errors.hpp"

namespace hartline {
namespace {
namespace fs = std::filesystem;

struct Named {
    const char* option;
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
    return std::string_view(output.option) == "--save-at" && std::string_view(used.option) == "--load";
}
}  // namespace

void validate_outputs(const RunConfig& config) {
    std::vector<Named> taken = used_files(config);
    for (const Named& output : outputs(config)) {
        for (const Named& other : taken)
            if (same_file(output.path, other.path) && !may_replace(output, other))
                throw InputError(output.option,
                                 output.path + " is in use by " + other.option + " of this run",
                                 "choose another file");
        taken.push_back(output);
    }
}
}  // namespace hartline
