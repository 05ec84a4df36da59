// A run's disk: its image, and the overlay that keeps the changes.
#include "frontend/session/disk.hpp"

#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <utility>

#include "devices/storage/qcow2/create.hpp"
#include "devices/storage/qcow2/image.hpp"
#include "frontend/session/errors.hpp"

namespace hartline {
namespace {
namespace fs = std::filesystem;

// A file of the user's own in the folder for temporary files, removed when this goes.
class TemporaryFile {
public:
    TemporaryFile() {
        std::error_code error;
        const fs::path folder = fs::temp_directory_path(error);
        if (error) throw HostError("TMPDIR", "is no folder", "set it to one, or name the overlay");
        path_ = (folder / "hartline-XXXXXX.qcow2").string();
        const int file = ::mkstemps(path_.data(), 6);
        if (file < 0)
            throw HostError(folder.string(), std::string("no overlay can be made: ") + std::strerror(errno),
                            "set TMPDIR to another folder, or name the overlay");
        ::close(file);
    }
    ~TemporaryFile() { ::unlink(path_.c_str()); }
    TemporaryFile(const TemporaryFile&) = delete;
    TemporaryFile& operator=(const TemporaryFile&) = delete;
    const std::string& path() const { return path_; }

private:
    std::string path_;
};

// The overlay is over `disk`: its image was opened by the user's word, whatever name the overlay has stored.
std::unique_ptr<DiskImage> put_over(std::unique_ptr<HostFile> file, const std::string& path,
                                    std::unique_ptr<DiskImage> disk) {
    const qcow2::Header header = qcow2::read_header(*file, path);
    return std::make_unique<qcow2::Image>(std::move(file), header, std::move(disk), path);
}

std::unique_ptr<DiskImage> new_overlay(const std::string& path, bool replace, const std::string& backing,
                                       std::unique_ptr<DiskImage> disk) {
    auto file = open_host_file(path, {.create = true, .replace = replace});
    qcow2::CreateOptions options;
    options.bytes = disk->bytes();
    options.backing = backing;
    options.backing_format = disk->format();
    try {
        qcow2::create(*file, path, options);
    } catch (const std::runtime_error& error) {
        // It was not there before, and half an overlay would only stand in the way of the next.
        if (!replace) ::unlink(path.c_str());
        if (dynamic_cast<const HostFailure*>(&error) != nullptr) throw HostError(path, error.what());
        throw;
    }
    return put_over(std::move(file), path, std::move(disk));
}

qcow2::Header overlay_header(HostFile& file, const std::string& path) {
    try {
        return qcow2::read_header(file, path);
    } catch (const std::runtime_error& error) {
        throw InputError(error.what() + std::string(": choose another name for the overlay, or remove it"));
    }
}

std::unique_ptr<DiskImage> old_overlay(const std::string& path, const std::string& backing,
                                       std::unique_ptr<DiskImage> disk) {
    auto file = open_host_file(path, {});
    const qcow2::Header header = overlay_header(*file, path);
    std::error_code error;
    if (!header.backing || !fs::equivalent(resolve_backing(path, *header.backing), backing, error))
        throw InputError(path,
                         "is no overlay of " + backing + " but of " + header.backing.value_or("nothing"),
                         "choose another name, or remove it");
    if (header.size != disk->bytes())
        throw InputError(path, "is of another size than " + backing,
                         "remove it, or bring both to one size: hartline image resize");
    return put_over(std::move(file), path, std::move(disk));
}

// As it is stored in the overlay: relative where the disk lies in its folder or below, so that both can be
// moved together.
std::string stored_name(const std::string& overlay, const std::string& disk) {
    const fs::path folder = fs::absolute(overlay).parent_path().lexically_normal();
    const fs::path file = fs::absolute(disk).lexically_normal();
    const fs::path inner = file.lexically_relative(folder);
    return inner.empty() || *inner.begin() == ".." ? file.string() : inner.string();
}

std::unique_ptr<DiskImage> open_with_overlay(const DiskConfig& disk, std::unique_ptr<DiskImage> image) {
    if (!disk.temporary()) {
        const std::string& path = *disk.overlay;
        if (fs::exists(path)) return old_overlay(path, disk.path, std::move(image));
        return new_overlay(path, false, stored_name(path, disk.path), std::move(image));
    }
    const TemporaryFile file;
    return new_overlay(file.path(), true, stored_name(file.path(), disk.path), std::move(image));
}

// As a shell reads it back.
std::string shell_word(const std::string& text) {
    const bool plain = std::ranges::all_of(text, [](unsigned char c) {
        return c >= 0x80 || std::isalnum(c) != 0 ||
               std::string_view("/._-+,:=@%").find(static_cast<char>(c)) != std::string_view::npos;
    });
    if (plain && !text.empty()) return text;
    std::string quoted = "'";
    for (const char c : text) quoted += c == '\'' ? "'\\''" : std::string(1, c);
    return quoted + "'";
}

ImageOptions image_options(const DiskConfig& disk) {
    ImageOptions options;
    options.read_only = disk.read_only || disk.overlay.has_value();
    options.format = disk.format;
    options.backing_names = disk.backing;
    return options;
}

template <class Act>
auto as_input_error(Act act) {
    try {
        return act();
    } catch (const HostError&) {
        throw;
    } catch (const std::runtime_error& error) {
        throw InputError(error.what());
    }
}
}  // namespace

std::unique_ptr<DiskImage> open_disk(const DiskConfig& disk) {
    return as_input_error([&] {
        auto image = open_image(disk.path, image_options(disk));
        return disk.overlay ? open_with_overlay(disk, std::move(image)) : std::move(image);
    });
}

std::vector<std::string> disk_files(const DiskConfig& disk) {
    ImageOptions options = image_options(disk);
    options.read_only = true;
    return as_input_error([&] { return image_files(disk.path, options); });
}

std::string overlay_notice(const DiskConfig& disk) {
    if (disk.temporary())
        return disk.path + ": stays as it is; changes are temporary (,overlay=NAME.qcow2 keeps them)";
    const bool outside = fs::path(stored_name(*disk.overlay, disk.path)).is_absolute();
    return disk.path + ": stays as it is; changes go to " + *disk.overlay + " (hartline image commit " +
           shell_word(*disk.overlay) + (outside ? " --from-backing any" : "") + " merges them)";
}
}  // namespace hartline
