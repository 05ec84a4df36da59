// What `hartline image` prints, for people and as JSON with qemu-img's keys.
#pragma once
#include <string>
#include <vector>

#include "frontend/image/operations.hpp"

namespace hartline {
std::string info_text(const ImageInfo& info);
std::string info_json(const ImageInfo& info);
std::string check_text(const Checked& checked);
std::string check_json(const Checked& checked, const std::string& path);
std::string map_text(const std::vector<MapEntry>& map);
std::string map_json(const std::vector<MapEntry>& map);
}  // namespace hartline
