// A run's disk: its image, and the overlay that keeps the changes.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "devices/storage/image.hpp"
#include "frontend/session/config.hpp"

namespace hartline {
// Throws InputError, HostError. A temporary overlay has no name any more when this returns, so nothing of it
// is left however the process ends.
std::unique_ptr<DiskImage> open_disk(const DiskConfig& disk);
// All files that the disk is read from: its own, and those behind it. Throws InputError, HostError.
std::vector<std::string> disk_files(const DiskConfig& disk);
// Where the changes of a disk with an overlay go, for people.
std::string overlay_notice(const DiskConfig& disk);
}  // namespace hartline
