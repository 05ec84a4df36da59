// Opening a disk image, and the images behind it.
#include "devices/storage/image.hpp"

#include <algorithm>
#include <filesystem>
#include <stdexcept>
#include <vector>

#include "devices/storage/qcow2/image.hpp"
#include "devices/storage/raw.hpp"

namespace hartline {
namespace {
constexpr std::size_t kMostImages = 32;  // in a chain

[[noreturn]] void refuse(const std::string& path, const std::string& why) {
    throw std::runtime_error(path + ": " + why);
}

// An image in a chain, and those that are open above it.
struct Link {
    std::unique_ptr<HostFile> file;
    std::string path;
    ImageFormat format = ImageFormat::Raw;
    ImageOptions options;
};

// The files of a chain, from its first image on.
struct Chain {
    std::vector<const HostFile*> files;
    std::vector<std::string> paths;
};

std::unique_ptr<DiskImage> open_link(Link link, Chain& above);

ImageFormat backing_format(const qcow2::Header& header, const Link& link) {
    if (!header.backing_format) {
        if (link.options.undeclared_backing) return *link.options.undeclared_backing;
        refuse(link.path,
               "does not declare the format of its backing file " + *header.backing +
                   ", and formats are never guessed; declare it: qemu-img rebase -u -F raw|qcow2 -b " +
                   *header.backing + " " + link.path);
    }
    if (const auto format = image_format(*header.backing_format)) return *format;
    refuse(link.path, "has a backing file of format '" + *header.backing_format +
                          "', which is not handled (raw and qcow2 are)");
}

// QEMU's names of things that are no files: json:{...}, nbd://..., fat:...
bool is_protocol(const std::string& name) {
    const std::size_t colon = name.find(':');
    return colon != std::string::npos && name.find('/') >= colon;
}

std::unique_ptr<HostFile> open_backing_file(const std::string& backing, const Link& link, bool read_only) {
    if (is_protocol(backing) || backing.find('\0') != std::string::npos)
        refuse(link.path, "names as its backing file '" + backing + "', which is no file");
    if (link.options.backing_names == BackingNames::None)
        refuse(link.path, "has a backing file, " + backing + ", and none is allowed here");
    const std::string folder = std::filesystem::path(link.path).parent_path().string();
    HostFileOptions options{.read_only = read_only};
    if (link.options.backing_names == BackingNames::Anywhere)
        return open_host_file(resolve_backing(link.path, backing), options);
    options.beneath = folder.empty() ? "." : folder;
    // An absolute name is fine where it means a file in that folder.
    const std::filesystem::path absolute = std::filesystem::absolute(*options.beneath).lexically_normal();
    const std::filesystem::path name(backing);
    const std::string inner = name.is_absolute() ? name.lexically_relative(absolute).string() : backing;
    if (inner.empty() || std::ranges::count(std::filesystem::path(inner), std::filesystem::path("..")) != 0)
        refuse(link.path, "its backing file " + backing +
                              " is outside of the image's folder; a stranger may have "
                              "written that name: if you trust it, allow backing=any (hartline image: "
                              "--from-backing any)");
    return open_host_file(inner, options);
}

std::unique_ptr<DiskImage> open_backing(const qcow2::Header& header, const Link& link, Chain& above) {
    if (!header.backing) return nullptr;
    Link next;
    next.format = backing_format(header, link);
    next.options = link.options;
    next.options.writable_backing = false;
    next.options.read_only = !link.options.writable_backing;
    next.path = resolve_backing(link.path, *header.backing);
    if (above.files.size() >= kMostImages)
        refuse(link.path, "has more than 32 images in its chain of backing files");
    try {
        next.file = open_backing_file(*header.backing, link, next.options.read_only);
    } catch (const std::runtime_error& error) {
        if (std::string(error.what()).starts_with(link.path)) throw;
        refuse(link.path, std::string("its backing file ") + error.what());
    }
    for (const HostFile* file : above.files)
        if (next.file->same_as(*file)) refuse(link.path, "is its own backing file, by " + *header.backing);
    return open_link(std::move(next), above);
}

std::unique_ptr<DiskImage> open_link(Link link, Chain& above) {
    const bool first = above.files.empty();
    above.files.push_back(link.file.get());
    above.paths.push_back(link.path);
    if (link.format == ImageFormat::Raw)
        return first ? open_raw(std::move(link.file), link.path)
                     : open_raw_backing(std::move(link.file), link.path);
    const qcow2::Header header = qcow2::read_header(*link.file, link.path);
    if (header.size == 0 && first) refuse(link.path, "is empty; give it a size: hartline image resize");
    if (header.size % 512 != 0 && first)
        refuse(link.path, "its disk's size is no multiple of 512; round it up: hartline image resize");
    auto backing = open_backing(header, link, above);
    return std::make_unique<qcow2::Image>(std::move(link.file), header, std::move(backing), link.path);
}
}  // namespace

std::string_view name(ImageFormat format) { return format == ImageFormat::Raw ? "raw" : "qcow2"; }

std::optional<ImageFormat> image_format(std::string_view name) {
    if (name == "raw") return ImageFormat::Raw;
    if (name == "qcow2") return ImageFormat::Qcow2;
    return std::nullopt;
}

std::string resolve_backing(const std::string& path, const std::string& backing) {
    const std::filesystem::path name(backing);
    return name.is_absolute() ? backing : (std::filesystem::path(path).parent_path() / name).string();
}

ImageFormat format_of(HostFile& file, const std::string& path, const std::optional<ImageFormat>& declared) {
    if (declared) return *declared;
    const bool named = qcow2::named_qcow2(path), magic = qcow2::has_magic(file);
    if (named == magic) return named ? ImageFormat::Qcow2 : ImageFormat::Raw;
    if (named) refuse(path, "is named .qcow2 and is no qcow2 image; if it is raw, give format=raw");
    refuse(path,
           "begins as a qcow2 image and is not named .qcow2; a guest may have written that: give "
           "format=qcow2 if it is one, format=raw if not");
}

namespace {
std::unique_ptr<DiskImage> open_chain(const std::string& path, const ImageOptions& options, Chain& chain) {
    Link link{open_host_file(path, {.read_only = options.read_only}), path, ImageFormat::Raw, options};
    link.format = format_of(*link.file, path, options.format);
    return open_link(std::move(link), chain);
}
}  // namespace

std::unique_ptr<DiskImage> open_image(const std::string& path, const ImageOptions& options) {
    Chain chain;
    return open_chain(path, options, chain);
}

std::vector<std::string> image_files(const std::string& path, const ImageOptions& options) {
    Chain chain;
    (void)open_chain(path, options, chain);
    return chain.paths;
}
}  // namespace hartline
