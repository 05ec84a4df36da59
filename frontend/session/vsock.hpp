// Sockets between host and guest: what can be asked for.
#pragma once
#include <memory>
#include <string>

#include "devices/stream/vsock_host.hpp"

namespace hartline {
struct RunConfig;

struct VsockConfig {
    u32 cid = 3;  // the guest's address: 3 to 0xfffffffe
    std::string folder;
    bool operator==(const VsockConfig&) const = default;
};

// CID or CID,DIR; DIR is vsock-CID where none is given. Throws InputError.
VsockConfig parse_vsock(const std::string& text);
std::string vsock_text(const VsockConfig& config);  // that parse_vsock() reads back
void validate_vsock(const RunConfig& config);       // throws InputError: not in an exact run
// Throws InputError: the folder cannot be used.
std::shared_ptr<stream::VsockHost> make_vsock(const VsockConfig& config);
}  // namespace hartline
