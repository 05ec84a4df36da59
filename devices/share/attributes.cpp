// What is known about files: stat, statfs, links' texts, extended attributes.
#include <fcntl.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>

#include "devices/share/server.hpp"

namespace hartline::share {
namespace {
constexpr u32 kFileSystem = 0x0102'1997;  // V9FS_MAGIC
constexpr u64 kSecond = 1'000'000'000;

// As Linux' new_encode_dev() packs them.
u64 device_number(dev_t device) {
    const u64 high = major(device), low = minor(device);
    return (low & 0xff) | high << 8 | (low & ~u64{0xff}) << 12;
}

void put_time(Writer& out, const timespec& time) {
    out.number(static_cast<u64>(time.tv_sec));
    out.number(static_cast<u64>(time.tv_nsec));
}
}  // namespace

// The first device's inodes keep their numbers (below 2^56); others are told apart by the bits above.
u64 Server::path_of(const Identity& identity) {
    const std::lock_guard guard(lock_);
    std::size_t place = 0;
    while (place < devices_.size() && devices_[place] != identity.device) ++place;
    if (place == devices_.size()) devices_.push_back(identity.device);
    return identity.inode ^ static_cast<u64>(place) << 56;
}

// A guest that caches takes an equal version for equal content, and version 0 for one that must not be
// cached.
Qid Server::qid_of(const struct stat& status) {
    Qid qid;
    qid.type = S_ISDIR(status.st_mode) ? kQidFolder : S_ISLNK(status.st_mode) ? kQidLink : kQidFile;
    const u64 time =
        static_cast<u64>(status.st_mtim.tv_sec) * kSecond + static_cast<u64>(status.st_mtim.tv_nsec);
    const u64 mixed = (time ^ static_cast<u64>(status.st_size) << 20) * 0x9e37'79b9'7f4a'7c15u;
    qid.version = static_cast<u32>(mixed >> 32) | 1;
    qid.path = path_of(identity_of(status));
    return qid;
}

void Server::put_qid(Writer& out, const Qid& qid) const {
    out.number(qid.type);
    out.number(qid.version);
    out.number(qid.path);
}

int Server::readlink(Reader& in, Writer& out) {
    const auto fid = find(in.number<u32>());
    if (!in.done()) return EINVAL;
    if (!fid) return fid.error;
    if (fid.value.node->kind() != S_IFLNK) return EINVAL;
    const auto fd = fd_of(fid.value);
    if (!fd) return fd.error;
    std::array<char, PATH_MAX> target;
    const ssize_t length = ::readlinkat(fd.value->get(), "", target.data(), target.size());
    if (length < 0) return errno;
    out.text({target.data(), static_cast<std::size_t>(length)});
    return 0;
}

int Server::statfs(Reader& in, Writer& out) {
    const auto fid = find(in.number<u32>());
    if (!in.done()) return EINVAL;
    if (!fid) return fid.error;
    const auto fd = fd_of(fid.value);
    struct statfs status {};
    if (!fd || ::fstatfs(fd.value->get(), &status) != 0) return fd ? errno : fd.error;
    out.number(kFileSystem);
    out.number(static_cast<u32>(status.f_bsize));
    for (const auto count :
         {status.f_blocks, status.f_bfree, status.f_bavail, status.f_files, status.f_ffree})
        out.number(static_cast<u64>(count));
    out.number<u64>(0);  // f_fsid
    out.number(static_cast<u32>(status.f_namelen));
    return 0;
}

int Server::getattr(Reader& in, Writer& out) {
    const auto fid = find(in.number<u32>());
    in.number<u64>();  // what it wants: it gets everything
    if (!in.done()) return EINVAL;
    if (!fid) return fid.error;
    struct stat status {};
    if (fid.value.file) {
        if (::fstat(fid.value.file->fd.get(), &status) != 0) return errno;
    } else {
        const auto fd = fd_of(fid.value);
        if (!fd || ::fstat(fd.value->get(), &status) != 0) return fd ? errno : fd.error;
    }
    out.number(kBasicAttributes);
    put_qid(out, qid_of(status));
    out.number(static_cast<u32>(status.st_mode));
    out.number(static_cast<u32>(status.st_uid));
    out.number(static_cast<u32>(status.st_gid));
    out.number(static_cast<u64>(status.st_nlink));
    out.number(device_number(status.st_rdev));
    out.number(static_cast<u64>(status.st_size));
    // Programs read and write in pieces of this size: a request each.
    const u64 block = std::max<u64>(static_cast<u64>(status.st_blksize), 512);
    out.number(std::max(io_unit() / block * block, block));
    out.number(static_cast<u64>(status.st_blocks));
    put_time(out, status.st_atim);
    put_time(out, status.st_mtim);
    put_time(out, status.st_ctim);
    out.room(4 * 8);  // birth, generation, data version: not in kBasicAttributes
    return 0;
}

namespace {
struct Wanted {
    u32 valid, mode, user, group;
    u64 size;
    std::array<u64, 4> times;  // of access and of change: seconds, nanoseconds
};

int set_times(const Fd& fd, const Wanted& wanted) {
    std::array<timespec, 2> times{};
    const std::array<u32, 2> set{kSetAtime, kSetMtime}, to{kSetAtimeTo, kSetMtimeTo};
    for (std::size_t i = 0; i < 2; ++i) {
        const bool given = (wanted.valid & to[i]) != 0;
        if (given && wanted.times[2 * i + 1] >= kSecond) return EINVAL;
        times[i].tv_sec = static_cast<time_t>(wanted.times[2 * i]);
        times[i].tv_nsec = (wanted.valid & set[i]) == 0 ? UTIME_OMIT
                           : given                      ? static_cast<long>(wanted.times[2 * i + 1])
                                                        : UTIME_NOW;
    }
    return ::utimensat(AT_FDCWD, fd.name().c_str(), times.data(), 0) == 0 ? 0 : errno;
}

int set_size(const Fd& fd, int open_file, u64 size) {
    if (size > static_cast<u64>(LLONG_MAX)) return EINVAL;
    const auto length = static_cast<off_t>(size);
    return (open_file >= 0 ? ::ftruncate(open_file, length) : ::truncate(fd.name().c_str(), length)) == 0
               ? 0
               : errno;
}

int set_owner(const Fd& fd, const Wanted& wanted) {
    const uid_t user = (wanted.valid & kSetUid) != 0 ? wanted.user : ~uid_t{0};
    const gid_t group = (wanted.valid & kSetGid) != 0 ? wanted.group : ~gid_t{0};
    return ::fchownat(fd.get(), "", user, group, AT_EMPTY_PATH) == 0 ? 0 : errno;
}
}  // namespace

// In an order in which nothing undoes what was set before: chown clears bits of the mode, size changes times.
int Server::setattr(Reader& in, Writer&) {
    const u32 number = in.number<u32>();
    Wanted wanted{in.number<u32>(), in.number<u32>(), in.number<u32>(),
                  in.number<u32>(), in.number<u64>(), {}};
    for (u64& part : wanted.times) part = in.number<u64>();
    const auto fid = find(number);
    if (!in.done()) return EINVAL;
    if (!fid) return fid.error;
    const auto fd = fd_of(fid.value);
    if (!fd) return fd.error;
    const mode_t kind = fid.value.node->kind();
    const auto& file = fid.value.file;
    int error = 0;
    if ((wanted.valid & kSetSize) != 0) {
        if (kind != S_IFREG) return kind == S_IFDIR ? EISDIR : EINVAL;
        error = set_size(*fd.value, file && file->writable ? file->fd.get() : -1, wanted.size);
    }
    constexpr u32 kOthers = kSetMode | kSetAtime | kSetMtime | kSetSize;
    const bool touch = (wanted.valid & kSetCtime) != 0 && (wanted.valid & kOthers) == 0;
    if (error == 0 && ((wanted.valid & (kSetUid | kSetGid)) != 0 || touch))
        error = set_owner(*fd.value, wanted);
    if (error == 0 && (wanted.valid & kSetMode) != 0) {
        if (kind == S_IFLNK) return EOPNOTSUPP;
        error = ::chmod(fd.value->name().c_str(), wanted.mode & 07777) == 0 ? 0 : errno;
    }
    if (error == 0 && (wanted.valid & (kSetAtime | kSetMtime)) != 0) error = set_times(*fd.value, wanted);
    return error;
}

// Others are the host's: capabilities and labels that its kernel gives meaning to.
bool Server::visible(std::string_view attribute) {
    return attribute.starts_with("user.") || attribute == "system.posix_acl_access" ||
           attribute == "system.posix_acl_default";
}

namespace {
// The names that a guest sees, each with its zero byte.
Try<std::vector<u8>> visible_names(const std::string& file, bool (*visible)(std::string_view)) {
    std::vector<char> all(Server::kMostAttribute);
    const ssize_t length = ::listxattr(file.c_str(), all.data(), all.size());
    if (length < 0) return Try<std::vector<u8>>::failed(errno);
    std::vector<u8> names;
    for (std::string_view rest(all.data(), static_cast<std::size_t>(length)); !rest.empty();) {
        const std::string_view name = rest.substr(0, rest.find('\0'));
        rest.remove_prefix(std::min(rest.size(), name.size() + 1));
        if (!visible(name)) continue;
        names.insert(names.end(), name.begin(), name.end());
        names.push_back(0);
    }
    return names;
}

Try<std::vector<u8>> value_of(const std::string& file, const std::string& name) {
    std::vector<u8> value(Server::kMostAttribute);
    const ssize_t length = ::getxattr(file.c_str(), name.c_str(), value.data(), value.size());
    if (length < 0) return Try<std::vector<u8>>::failed(errno);
    value.resize(static_cast<std::size_t>(length));
    return value;
}
}  // namespace

int Server::xattrwalk(Reader& in, Writer& out) {
    const u32 number = in.number<u32>(), new_number = in.number<u32>();
    const std::string name(in.text());
    const auto fid = find(number);
    if (!in.done() || name.find('\0') != std::string::npos) return EINVAL;
    if (!fid) return fid.error;
    if (!name.empty() && !visible(name)) return EOPNOTSUPP;
    const auto fd = fd_of(fid.value);
    if (!fd) return fd.error;
    const auto value =
        name.empty() ? visible_names(fd.value->name(), visible) : value_of(fd.value->name(), name);
    if (!value) return value.error;
    if (attribute_bytes_ + value.value.size() > kMostAttributes) return ENOMEM;
    auto attribute = std::make_shared<Attribute>(*this, value.value.size());
    attribute->value = value.value;
    out.number<u64>(value.value.size());
    return put_new(new_number, {fid.value.node, fid.value.user, nullptr, std::move(attribute)});
}

// The value follows by Twrite, and takes effect by Tclunk.
int Server::xattrcreate(Reader& in, Writer&) {
    const u32 number = in.number<u32>();
    const std::string name(in.text());
    const u64 size = in.number<u64>();
    const u32 flags = in.number<u32>();
    auto fid = find(number);
    if (!in.done() || name.find('\0') != std::string::npos) return EINVAL;
    if (!fid) return fid.error;
    if (fid.value.file || fid.value.attribute || (flags & ~u32{XATTR_CREATE | XATTR_REPLACE}) != 0)
        return EINVAL;
    if (!visible(name)) return EOPNOTSUPP;
    if (size > kMostAttribute) return E2BIG;
    if (attribute_bytes_ + size > kMostAttributes) return ENOMEM;
    auto attribute = std::make_shared<Attribute>(*this, static_cast<std::size_t>(size));
    attribute->name = name;
    attribute->flags = flags;
    attribute->writing = true;
    fid.value.attribute = std::move(attribute);
    replace(number, std::move(fid.value));
    return 0;
}

// Linux' client removes an attribute by replacing it by nothing.
int Server::commit(const Fid& fid) {
    if (!fid.attribute || !fid.attribute->writing) return 0;
    Attribute& attribute = *fid.attribute;
    const std::lock_guard guard(attribute.lock);
    if (attribute.filled != attribute.value.size()) return EINVAL;
    const auto fd = fd_of(fid);
    if (!fd) return fd.error;
    const std::string file = fd.value->name();
    const bool removes = attribute.value.empty() && attribute.flags == XATTR_REPLACE;
    const int done = removes ? ::removexattr(file.c_str(), attribute.name.c_str())
                             : ::setxattr(file.c_str(), attribute.name.c_str(), attribute.value.data(),
                                          attribute.value.size(), static_cast<int>(attribute.flags));
    return done == 0 ? 0 : errno;
}
}  // namespace hartline::share
