// The option --vsock.
#include "frontend/session/vsock.hpp"

#include <filesystem>
#include <stdexcept>
#include <system_error>

#include "frontend/session/config.hpp"
#include "frontend/session/errors.hpp"
#include "frontend/session/size.hpp"

namespace hartline {

VsockConfig parse_vsock(const std::string& text) {
    const std::size_t comma = text.find(',');
    const u64 cid = parse_count("--vsock", text.substr(0, comma));
    if (cid < 3 || cid > 0xffff'fffe)
        throw InputError("--vsock", text.substr(0, comma) + " cannot be a guest's CID",
                         "choose 3 or more; 2 is the host");
    VsockConfig config{static_cast<u32>(cid), "vsock-" + std::to_string(cid)};
    if (comma != std::string::npos) config.folder = text.substr(comma + 1);
    if (config.folder.empty()) throw InputError("--vsock", "'" + text + "' names no folder", "write CID,DIR");
    return config;
}

std::string vsock_text(const VsockConfig& config) { return std::to_string(config.cid) + "," + config.folder; }

void validate_vsock(const RunConfig& config) {
    if (config.vsock && config.deterministic)
        throw InputError("--vsock", "whoever is at a socket comes when he likes",
                         "leave --deterministic out");
}

std::shared_ptr<stream::VsockHost> make_vsock(const VsockConfig& config) {
    std::error_code made, ignored;
    std::filesystem::create_directory(config.folder, made);
    const auto status = std::filesystem::status(config.folder, ignored);
    if (std::filesystem::exists(status) && !std::filesystem::is_directory(status))
        throw InputError("--vsock: " + config.folder, "is there and is no folder",
                         "give another, or remove it");
    if (!std::filesystem::is_directory(status))
        throw InputError("--vsock: " + config.folder, "cannot be made: " + made.message(),
                         "give another folder");
    try {
        return stream::vsock_folder(config.folder);
    } catch (const std::runtime_error& error) {
        throw InputError(std::string("--vsock: ") + error.what());
    }
}
}  // namespace hartline
