// Looking through a disk's volumes, in the order in which boot loaders do.
#include "frontend/disk/boot_disk.hpp"

#include <algorithm>
#include <cctype>
#include <cstring>

#include "frontend/session/errors.hpp"

namespace hartline {
namespace {
constexpr u64 kMostConfig = 1 << 20;
constexpr std::size_t kMostVolumes = 128;  // that are looked into
constexpr const char* kEfiOfOthers[] = {"BOOTX64.EFI", "BOOTAA64.EFI", "BOOTIA32.EFI", "BOOTARM.EFI"};
constexpr std::string_view kKernelNames[] = {"vmlinuz", "vmlinux", "Image", "kernel"};

// Of vmlinuz-6.12.1 the 6.12.1; of vmlinuz nothing; no kernel's name at all: no value.
std::optional<std::string> version_of(const std::string& name) {
    if (name.ends_with(".old") || name.ends_with(".bak")) return std::nullopt;
    for (const std::string_view kernel : kKernelNames) {
        if (name == kernel) return "";
        if (name.starts_with(kernel) && name.size() > kernel.size() + 1 && name[kernel.size()] == '-')
            return name.substr(kernel.size() + 1);
    }
    return std::nullopt;
}

std::string newest_kernel(const std::vector<std::string>& names) {
    std::string best;
    for (const std::string& name : names) {
        const auto version = version_of(name);
        if (!version) continue;
        const int order = best.empty() ? 1 : ::strverscmp(version->c_str(), version_of(best)->c_str());
        if (order > 0 || (order == 0 && name > best)) best = name;
    }
    return best;
}

// As Debian, Fedora, Arch and others name what belongs to a kernel.
std::string initrd_for(const std::vector<std::string>& names, const std::string& version) {
    const std::string dashed = version.empty() ? "" : "-" + version;
    for (const std::string& name : {"initrd.img" + dashed, "initramfs" + dashed + ".img", "initrd" + dashed,
                                    "initramfs" + dashed, "initrd" + dashed + ".img"})
        if (std::ranges::find(names, name) != names.end()) return name;
    return "";
}

bool has_root(const std::string& arguments) {
    return arguments.starts_with("root=") || arguments.find(" root=") != std::string::npos;
}

bool holds_system(FileSystem& files) {
    return files.exists("/sbin/init") || files.exists("/usr/lib/systemd/systemd") ||
           files.exists("/etc/fstab");
}
}  // namespace

BootDisk::BootDisk(BlockBackend& disk, std::string device) : device_(std::move(device)) {
    const Volume whole(disk);
    if (auto files = open_file_system(whole)) {
        const std::string kind = files->kind();
        places_.push_back({Partition{}, std::move(files), kind, ""});
    } else {
        table_ = read_partitions(whole);
    }
    for (const Partition& partition : table_.partitions) {
        if (places_.size() >= kMostVolumes) break;
        const Volume volume(disk, partition.start, partition.bytes);
        auto files = open_file_system(volume);
        const std::string kind = files ? files->kind() : describe_volume(volume);
        places_.push_back({partition, std::move(files), kind, ""});
    }
    if (places_.empty()) places_.push_back({Partition{}, nullptr, describe_volume(whole), ""});
    for (Place& place : places_) look_for_efi(place);
    for (std::size_t i = 0; i < places_.size() && !kernel_; ++i) look_for_extlinux(i);
    for (std::size_t i = 0; i < places_.size() && !kernel_; ++i) look_for_kernel(i);
}

std::string BootDisk::name_of(const Place& place) const {
    const unsigned number = place.partition.number;
    return (number == 0 ? "the whole disk" : "partition " + std::to_string(number)) + " (" + place.kind + ")";
}

void BootDisk::look_for_efi(Place& place) {
    if (!place.files || place.kind != "FAT") return;
    if (place.files->exists(kEfiLoader)) {
        place.note = std::string("has ") + kEfiLoader;
        if (!efi_) efi_ = name_of(place);
        return;
    }
    place.note = std::string("has no ") + kEfiLoader;
    for (const char* other : kEfiOfOthers)
        if (place.files->exists(std::string("EFI/BOOT/") + other))
            place.note += std::string(", but EFI/BOOT/") + other + ", for another kind of machine";
}

bool BootDisk::look_for_extlinux(std::size_t volume) {
    Place& place = places_[volume];
    if (!place.files) return false;
    for (const char* folder : {"/boot/extlinux", "/extlinux", "/boot/syslinux", "/syslinux"}) {
        const std::string name = std::string(folder) + "/extlinux.conf";
        const auto text = place.files->read(name, kMostConfig);
        if (!text) continue;
        auto entry = default_entry(std::string(text->begin(), text->end()), folder);
        if (!entry || !place.files->exists(entry->kernel)) {
            place.note = name + (entry ? " names " + printable(entry->kernel) + ", which is not there"
                                       : std::string(" has no entry with a kernel"));
            continue;
        }
        kernel_ = Kernel{volume, std::move(*entry), name_of(place) + ", " + name};
        add_root(*kernel_, std::string_view(folder).starts_with("/boot"));
        return true;
    }
    return false;
}

bool BootDisk::look_for_kernel(std::size_t volume) {
    Place& place = places_[volume];
    if (!place.files) return false;
    for (const std::string folder : {"/boot", ""}) {
        const auto names = place.files->list(folder.empty() ? "/" : folder);
        const std::string name = newest_kernel(names);
        if (name.empty() || !place.files->exists(folder + "/" + name)) continue;
        const std::string initrd = initrd_for(names, *version_of(name));
        ExtlinuxEntry entry{name, name, folder + "/" + name, initrd.empty() ? "" : folder + "/" + initrd,
                            "ro"};
        Kernel kernel{volume, std::move(entry), name_of(place)};
        add_root(kernel, !folder.empty() || holds_system(*place.files));
        if (!has_root(kernel.entry.append)) {
            place.note =
                "has the kernel " + printable(kernel.entry.kernel) + ", but no volume with a system for it";
            continue;
        }
        kernel_ = std::move(kernel);
        return true;
    }
    return false;
}

// `beside`: the kernel's own volume is the root. Else it is a boot partition, and the root another one.
const BootDisk::Place* BootDisk::root_of(std::size_t volume, bool beside) const {
    if (beside) return &places_[volume];
    for (const Place& place : places_)
        if (place.files && place.partition.root) return &place;
    for (const Place& place : places_)
        if (place.files && place.kind != "FAT" && holds_system(*place.files)) return &place;
    return nullptr;
}

// What mounts the root: an initrd knows file systems' UUIDs, a kernel alone those of partitions.
void BootDisk::add_root(Kernel& kernel, bool beside) const {
    if (has_root(kernel.entry.append)) return;
    const Place* root = root_of(kernel.volume, beside);
    if (root == nullptr) return;
    std::string name = device_;
    if (!kernel.entry.initrd.empty())
        name = "UUID=" + root->files->uuid();
    else if (root->partition.number != 0)
        name = "PARTUUID=" + root->partition.uuid;
    kernel.entry.append = "root=" + name + (kernel.entry.append.empty() ? "" : " " + kernel.entry.append);
}

std::vector<u8> BootDisk::read(const std::string& where, const Kernel& kernel, const std::string& path,
                               u64 limit) {
    auto bytes = places_[kernel.volume].files->read(path, limit);
    if (bytes) return std::move(*bytes);
    throw InputError(where, "its " + printable(path) + " cannot be read, or is larger than memory",
                     "give more with --memory, or check the file system");
}

std::string BootDisk::seen() const {
    std::string text(name(table_.kind));
    if (!table_.trouble.empty()) text += ", " + table_.trouble;
    for (const Place& place : places_)
        text += "; " + name_of(place) + (place.note.empty() ? "" : " " + place.note);
    return text;
}
}  // namespace hartline
