// Names in folders: make, link, move, remove.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "devices/share/server.hpp"

namespace hartline::share {
namespace {
struct stat status_of(int folder, const std::string& name, int& error) {
    struct stat status {};
    error = ::fstatat(folder, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 ? 0 : errno;
    return status;
}
}  // namespace

// What the guest asked for counts, not the umask of who runs Hartline.
int Server::settle_open(const Fid& folder, const Birth& birth, int file) const {
    if (as_root_ && ::fchown(file, folder.user, birth.group) != 0) return errno;
    struct stat status {};
    if (::fstat(file, &status) != 0) return errno;
    const mode_t mode = birth.mode & 07777;
    return (status.st_mode & 07777) == mode || ::fchmod(file, mode) == 0 ? 0 : errno;
}

// Somebody else may have put another thing in the new one's place: its owner is not changed.
int Server::settle(const Fid& folder, const Birth& birth, mode_t kind, Writer& out) {
    const auto node = nodes_.child(folder.node, birth.name);
    if (!node) return node.error;
    const auto fd = nodes_.fd(node.value);
    if (!fd) return fd.error;
    if (node.value->kind() != kind) return ESTALE;
    if (as_root_ && ::fchownat(fd.value->get(), "", folder.user, birth.group, AT_EMPTY_PATH) != 0)
        return errno;
    struct stat status {};
    if (::fstat(fd.value->get(), &status) != 0) return errno;
    const mode_t mode = birth.mode & 07777;
    if (kind != S_IFLNK && (status.st_mode & 07777) != mode && ::chmod(fd.value->name().c_str(), mode) != 0)
        return errno;
    put_qid(out, qid_of(status));
    return 0;
}

int Server::mkdir(Reader& in, Writer& out) {
    const u32 number = in.number<u32>();
    Birth birth{.name = std::string(in.text())};
    birth.mode = in.number<u32>();
    birth.group = in.number<u32>();
    Fid folder;
    if (!in.done()) return EINVAL;
    const auto above = folder_of(number, birth.name, folder);
    if (!above) return above.error;
    if (::mkdirat(above.value->get(), birth.name.c_str(), birth.mode & 01777) != 0) return errno;
    return settle(folder, birth, S_IFDIR, out);
}

int Server::symlink(Reader& in, Writer& out) {
    const u32 number = in.number<u32>();
    Birth birth{.name = std::string(in.text())};
    const std::string target(in.text());
    birth.group = in.number<u32>();
    Fid folder;
    if (!in.done() || target.find('\0') != std::string::npos) return EINVAL;
    const auto above = folder_of(number, birth.name, folder);
    if (!above) return above.error;
    if (::symlinkat(target.c_str(), above.value->get(), birth.name.c_str()) != 0) return errno;
    return settle(folder, birth, S_IFLNK, out);
}

// FIFOs and sockets are the guest's kernel's business: for the host they are names. A device node would be a
// door into the host for whoever opens it there.
int Server::mknod(Reader& in, Writer& out) {
    const u32 number = in.number<u32>();
    Birth birth{.name = std::string(in.text())};
    birth.mode = in.number<u32>();
    in.number<u32>(), in.number<u32>();  // major, minor
    birth.group = in.number<u32>();
    Fid folder;
    if (!in.done()) return EINVAL;
    const auto above = folder_of(number, birth.name, folder);
    if (!above) return above.error;
    const mode_t kind = (birth.mode & S_IFMT) == 0 ? S_IFREG : birth.mode & S_IFMT;
    if (kind == S_IFREG) {
        const auto file = create_new(folder, birth);
        struct stat status {};
        if (!file || ::fstat(file.value->fd.get(), &status) != 0) return file ? errno : file.error;
        return put_qid(out, qid_of(status)), 0;
    }
    if (kind != S_IFIFO && kind != S_IFSOCK) return EPERM;
    if (::mknodat(above.value->get(), birth.name.c_str(), kind | (birth.mode & 0777), 0) != 0) return errno;
    return settle(folder, birth, kind, out);
}

int Server::link(Reader& in, Writer&) {
    const u32 folder_number = in.number<u32>(), number = in.number<u32>();
    const std::string name(in.text());
    Fid folder;
    if (!in.done()) return EINVAL;
    const auto above = folder_of(folder_number, name, folder);
    if (!above) return above.error;
    const auto fid = find(number);
    if (!fid) return fid.error;
    const auto fd = fd_of(fid.value);
    if (!fd) return fd.error;
    // Followed is the descriptor's own link in /proc, which ends at the inode, be it a symbolic link or not.
    const int done =
        ::linkat(AT_FDCWD, fd.value->name().c_str(), above.value->get(), name.c_str(), AT_SYMLINK_FOLLOW);
    return done == 0 ? 0 : errno;
}

int Server::move(const Name& from, const Name& to) {
    const auto old_folder = fd_of(from.folder), new_folder = fd_of(to.folder);
    if (!old_folder || !new_folder) return old_folder ? new_folder.error : old_folder.error;
    int error = 0;
    const struct stat status = status_of(old_folder.value->get(), from.name, error);
    if (error != 0) return error;
    if (::renameat(old_folder.value->get(), from.name.c_str(), new_folder.value->get(), to.name.c_str()) != 0)
        return errno;
    if (const NodePtr node = nodes_.known(identity_of(status))) nodes_.moved(node, to.folder.node, to.name);
    return 0;
}

int Server::renameat(Reader& in, Writer&) {
    Name from, to;
    const u32 old_number = in.number<u32>();
    from.name = in.text();
    const u32 new_number = in.number<u32>();
    to.name = in.text();
    if (!in.done()) return EINVAL;
    if (const auto fd = folder_of(old_number, from.name, from.folder); !fd) return fd.error;
    if (const auto fd = folder_of(new_number, to.name, to.folder); !fd) return fd.error;
    return move(from, to);
}

// Where a fid's file is known to be, if it still is there. EBUSY: it is the share's folder.
Try<Server::Name> Server::name_of(const Fid& fid) {
    const auto place = nodes_.place(fid.node);
    if (!place.folder) return Try<Name>::failed(EBUSY);
    const Name name{{place.folder, fid.user, nullptr, nullptr}, place.name};
    const auto folder = nodes_.fd(place.folder);
    if (!folder) return Try<Name>::failed(folder.error);
    int error = 0;
    const struct stat status = status_of(folder.value->get(), name.name, error);
    if (error != 0) return Try<Name>::failed(error);
    return identity_of(status) == fid.node->identity() ? Try<Name>(name) : Try<Name>::failed(ENOENT);
}

int Server::rename(Reader& in, Writer&) {
    const u32 number = in.number<u32>(), folder_number = in.number<u32>();
    Name to;
    to.name = in.text();
    if (!in.done()) return EINVAL;
    if (const auto fd = folder_of(folder_number, to.name, to.folder); !fd) return fd.error;
    const auto fid = find(number);
    if (!fid) return fid.error;
    const auto from = name_of(fid.value);
    return from ? move(from.value, to) : from.error;
}

int Server::unlinkat(Reader& in, Writer&) {
    const u32 number = in.number<u32>();
    const std::string name(in.text());
    const u32 flags = in.number<u32>();
    Fid folder;
    if (!in.done() || (flags & ~kRemoveFolder) != 0) return EINVAL;
    const auto above = folder_of(number, name, folder);
    if (!above) return above.error;
    return ::unlinkat(above.value->get(), name.c_str(), flags != 0 ? AT_REMOVEDIR : 0) == 0 ? 0 : errno;
}

// remove(5): the fid is gone even where the file stays.
int Server::remove(Reader& in, Writer&) {
    const u32 number = in.number<u32>();
    if (!in.done()) return EINVAL;
    Fid fid;
    if (const int error = take_away(number, fid); error != 0) return error;
    if (read_only_) return EROFS;
    const auto name = name_of(fid);
    if (!name) return name.error;
    const auto folder = fd_of(name.value.folder);
    if (!folder) return folder.error;
    const int flags = fid.node->kind() == S_IFDIR ? AT_REMOVEDIR : 0;
    return ::unlinkat(folder.value->get(), name.value.name.c_str(), flags) == 0 ? 0 : errno;
}
}  // namespace hartline::share
