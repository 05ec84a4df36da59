// What a disk's controller is told, whichever it is.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "devices/storage/io_pool.hpp"

namespace hartline {

struct BlockOptions {
    std::string serial = "hartline";         // what the controller and /dev/disk/by-id show, at most 20 bytes
    std::shared_ptr<IoPool> pool = nullptr;  // who does the host's I/O; null: the machine, as it completes
    bool discard = true;                     // may the guest give storage back?
    // Requests complete at their time exactly, for which the machine waits for the host. Else (in machines
    // that cannot be replayed) when both have come, in any order.
    bool exact = true;
    // Told on the machine's thread, once for each kind of request, what of the host's has failed.
    std::function<void(const std::string&)> failed = nullptr;
};
}  // namespace hartline
