// The flash of a machine whose firmware starts from there.
#pragma once
#include <string>

#include "core/device.hpp"
#include "frontend/session/firmware.hpp"

namespace hartline {
// The first bank holds the code, and cannot be written. The second one is the file at `variables`, locked and
// written through, made from the loader's empty store where it is not there yet; with no name it begins as
// that store and is gone when the machine ends. Throws InputError, HostError.
DeviceFactory firmware_flash(const LoaderFiles& loader, const std::string& variables);
}  // namespace hartline
