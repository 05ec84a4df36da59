// Device-tree writing by libfdt.
#include "core/device_tree.hpp"

#include <libfdt.h>

#include <stdexcept>

namespace hartline {
namespace {
constexpr std::size_t kMostBytes = 256 * 1024;  // 64 harts with long ISA strings take about 64 KiB
}

void DeviceTree::check(int status, const char* what) const {
    if (status != 0)
        throw std::logic_error(std::string("device tree: ") + what + ": " + fdt_strerror(status));
}

DeviceTree::DeviceTree() : blob_(kMostBytes) {
    check(fdt_create(blob_.data(), static_cast<int>(blob_.size())), "create");
    check(fdt_finish_reservemap(blob_.data()), "reserve map");
}
void DeviceTree::begin(const std::string& node) {
    check(fdt_begin_node(blob_.data(), node.c_str()), node.c_str());
}
void DeviceTree::end() { check(fdt_end_node(blob_.data()), "end"); }
void DeviceTree::flag(const char* name) { check(fdt_property(blob_.data(), name, nullptr, 0), name); }
void DeviceTree::cells(const char* name, std::initializer_list<u32> values) {
    cells(name, std::span(values.begin(), values.size()));
}
void DeviceTree::cells(const char* name, std::span<const u32> values) {
    std::vector<fdt32_t> big_endian;
    for (u32 value : values) big_endian.push_back(cpu_to_fdt32(value));
    check(fdt_property(blob_.data(), name, big_endian.data(), static_cast<int>(big_endian.size() * 4)), name);
}
void DeviceTree::number(const char* name, u64 value) {
    cells(name, {static_cast<u32>(value >> 32), static_cast<u32>(value)});
}
void DeviceTree::text(const char* name, std::string_view value) {
    const std::string terminated(value);
    check(fdt_property(blob_.data(), name, terminated.c_str(), static_cast<int>(terminated.size() + 1)),
          name);
}
void DeviceTree::texts(const char* name, std::span<const std::string> values) {
    std::string joined;
    for (const std::string& value : values) (joined += value) += '\0';
    check(fdt_property(blob_.data(), name, joined.data(), static_cast<int>(joined.size())), name);
}
void DeviceTree::reg(u64 base, u64 size) {
    cells("reg", {static_cast<u32>(base >> 32), static_cast<u32>(base), static_cast<u32>(size >> 32),
                  static_cast<u32>(size)});
}
std::vector<u8> DeviceTree::finish() {
    check(fdt_finish(blob_.data()), "finish");
    blob_.resize(fdt_totalsize(blob_.data()));
    return std::move(blob_);
}
}  // namespace hartline
