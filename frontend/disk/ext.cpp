// ext2, ext3 and ext4 by libext2fs, reading through our disk images.
#include <ext2fs/ext2fs.h>

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstdlib>

#include "frontend/disk/file_system.hpp"

namespace hartline {
namespace {
constexpr std::size_t kChunk = 1 << 20;
constexpr std::size_t kSuperblockOffset = 1024;
constexpr u64 kMagicOffset = kSuperblockOffset + 56;

// --- the library's way to bytes. It hands on a name only, so that the name is the source's address: no
// global.
struct Source {
    Volume volume;
    struct_io_manager manager;
};
const Volume& volume_of(io_channel channel) {
    return static_cast<const Source*>(channel->private_data)->volume;
}

errcode_t close_channel(io_channel channel) {
    if (--channel->refcount > 0) return 0;
    delete channel;
    return 0;
}

errcode_t set_block_size(io_channel channel, int bytes) {
    if (bytes < 512 || bytes > 65536) return EXT2_ET_INVALID_ARGUMENT;
    channel->block_size = bytes;
    return 0;
}

// `count` is of blocks, or of bytes where it is negative.
errcode_t read_blocks64(io_channel channel, unsigned long long block, int count, void* data) {
    const u64 size = static_cast<u64>(channel->block_size);
    const u64 bytes = count < 0 ? static_cast<u64>(-static_cast<i64>(count)) : static_cast<u64>(count) * size;
    const Volume& volume = volume_of(channel);
    u64 offset = 0;
    if (__builtin_mul_overflow(u64{block}, size, &offset)) return EXT2_ET_SHORT_READ;
    auto* out = static_cast<u8*>(data);
    return volume.read(offset, std::span(out, static_cast<std::size_t>(bytes))) ? 0 : EXT2_ET_SHORT_READ;
}

errcode_t read_blocks(io_channel channel, unsigned long block, int count, void* data) {
    return read_blocks64(channel, block, count, data);
}
errcode_t write_blocks(io_channel, unsigned long, int, const void*) { return EXT2_ET_RO_FILSYS; }
errcode_t write_blocks64(io_channel, unsigned long long, int, const void*) { return EXT2_ET_RO_FILSYS; }
errcode_t flush_channel(io_channel) { return 0; }

errcode_t open_channel(const char* name, int, io_channel* out) {
    auto* channel = new struct_io_channel{};
    channel->magic = EXT2_ET_MAGIC_IO_CHANNEL;
    channel->block_size = 1024;
    channel->refcount = 1;
    auto* source = reinterpret_cast<Source*>(std::strtoull(name, nullptr, 16));
    channel->private_data = source;
    channel->manager = &source->manager;
    *out = channel;
    return 0;
}

struct_io_manager make_manager() {
    struct_io_manager manager{};
    manager.magic = EXT2_ET_MAGIC_IO_MANAGER;
    manager.name = "Hartline's disk images";
    manager.open = open_channel;
    manager.close = close_channel;
    manager.set_blksize = set_block_size;
    manager.read_blk = read_blocks;
    manager.write_blk = write_blocks;
    manager.flush = flush_channel;
    manager.read_blk64 = read_blocks64;
    manager.write_blk64 = write_blocks64;
    return manager;
}

class Ext final : public FileSystem {
public:
    explicit Ext(const Volume& volume) : source_{volume, make_manager()} {}
    ~Ext() override {
        if (fs_ != nullptr) ext2fs_free(fs_);
    }
    Ext(const Ext&) = delete;
    Ext& operator=(const Ext&) = delete;

    bool open();
    std::string kind() const override;
    std::string uuid() const override;
    std::optional<std::vector<u8>> read(const std::string& path, u64 limit) override;
    bool exists(const std::string& path) override { return regular(path) != 0; }
    std::vector<std::string> list(const std::string& path) override;

private:
    ext2_ino_t inode_of(const std::string& path);
    ext2_ino_t regular(const std::string& path);

    Source source_;
    ext2_filsys fs_ = nullptr;
};

bool Ext::open() {
    char name[24];
    std::snprintf(name, sizeof name, "%llx",
                  static_cast<unsigned long long>(reinterpret_cast<std::uintptr_t>(&source_)));
    const int flags = EXT2_FLAG_64BITS | EXT2_FLAG_SOFTSUPP_FEATURES;
    if (ext2fs_open(name, flags, 0, 0, &source_.manager, &fs_) == 0) return true;
    fs_ = nullptr;
    return false;
}

std::string Ext::kind() const {
    if (ext2fs_has_feature_extents(fs_->super) != 0) return "ext4";
    return ext2fs_has_feature_journal(fs_->super) != 0 ? "ext3" : "ext2";
}

std::string Ext::uuid() const {
    const auto* u = fs_->super->s_uuid;
    char text[40];
    std::snprintf(text, sizeof text, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
                  u[0], u[1], u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12], u[13],
                  u[14], u[15]);
    return text;
}

// 0: there is none. The library bounds how many links it follows.
ext2_ino_t Ext::inode_of(const std::string& path) {
    ext2_ino_t inode = 0;
    return ext2fs_namei_follow(fs_, EXT2_ROOT_INO, EXT2_ROOT_INO, path.c_str(), &inode) == 0 ? inode : 0;
}

ext2_ino_t Ext::regular(const std::string& path) {
    const ext2_ino_t number = inode_of(path);
    ext2_inode inode{};
    if (number == 0 || ext2fs_read_inode(fs_, number, &inode) != 0) return 0;
    return LINUX_S_ISREG(inode.i_mode) ? number : 0;
}

std::optional<std::vector<u8>> Ext::read(const std::string& path, u64 limit) {
    const ext2_ino_t number = regular(path);
    ext2_file_t file = nullptr;
    if (number == 0 || ext2fs_file_open(fs_, number, 0, &file) != 0) return std::nullopt;
    const std::unique_ptr<ext2_file, errcode_t (*)(ext2_file_t)> closing(file, ext2fs_file_close);
    __u64 size = 0;
    if (ext2fs_file_get_lsize(file, &size) != 0 || size > limit) return std::nullopt;
    std::vector<u8> bytes;
    while (bytes.size() < size) {  // grows as it is read: a size alone takes no memory
        const std::size_t done = bytes.size(), want = std::min<std::size_t>(kChunk, size - done);
        bytes.resize(done + want);
        unsigned got = 0;
        if (ext2fs_file_read(file, bytes.data() + done, static_cast<unsigned>(want), &got) != 0 ||
            got != want)
            return std::nullopt;
    }
    return bytes;
}

int take_name(ext2_dir_entry* entry, int, int, char*, void* names) {
    auto& all = *static_cast<std::vector<std::string>*>(names);
    all.emplace_back(entry->name, static_cast<std::size_t>(ext2fs_dirent_name_len(entry)));
    return all.size() < FileSystem::kMostNames ? 0 : DIRENT_ABORT;
}

std::vector<std::string> Ext::list(const std::string& path) {
    std::vector<std::string> names;
    const ext2_ino_t folder = inode_of(path);
    if (folder == 0 || ext2fs_check_directory(fs_, folder) != 0) return names;
    if (ext2fs_dir_iterate(fs_, folder, 0, nullptr, take_name, &names) != 0) names.clear();
    return names;
}
}  // namespace

std::unique_ptr<FileSystem> open_ext(const Volume& volume) {
    const auto magic = volume.read(kMagicOffset, 2);
    if (!magic || number_at<u16>(*magic, 0) != EXT2_SUPER_MAGIC) return nullptr;
    auto ext = std::make_unique<Ext>(volume);
    if (!ext->open()) return nullptr;
    return ext;
}
}  // namespace hartline
