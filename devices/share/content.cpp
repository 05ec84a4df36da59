// What is in files and folders: open, create, read, write, list, lock.
#include <dirent.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "devices/share/server.hpp"

namespace hartline::share {
namespace {
constexpr u32 kMostClientName = 256;

// Of those that matter to a server. O_DIRECT would ask for the guest's buffers to be aligned as the host's.
int host_flags(u32 flags) {
    const u32 access = flags & kAccessMode;
    int host = access == 1 ? O_WRONLY : access == 2 ? O_RDWR : O_RDONLY;
    if ((flags & kOpenTruncate) != 0) host |= O_TRUNC;
    if ((flags & kOpenAppend) != 0) host |= O_APPEND;
    if ((flags & kOpenDataSync) != 0) host |= O_DSYNC;
    if ((flags & kOpenSync) != 0) host |= O_SYNC;
    return host;
}
bool writes(u32 flags) { return (flags & kAccessMode) != 0 || (flags & kOpenTruncate) != 0; }

// As getdents64() gives them.
struct Entry {
    u64 inode = 0, next = 0;
    u16 bytes = 0;
    u8 kind = 0;
    std::string_view name;
};
constexpr std::size_t kEntryName = 19;

Entry entry_at(std::span<const u8> from) {
    Reader in(from);
    Entry entry{in.number<u64>(), in.number<u64>(), in.number<u16>(), in.number<u8>(), {}};
    entry.name = reinterpret_cast<const char*>(from.data() + kEntryName);
    return entry;
}

u8 qid_type(u8 kind) { return kind == DT_DIR ? kQidFolder : kind == DT_LNK ? kQidLink : kQidFile; }
}  // namespace

// CVE-2023-2861: only what is known to be a regular file or a folder is opened, by the descriptor that pins
// it.
Try<std::shared_ptr<Server::OpenFile>> Server::open_node(const NodePtr& node, int flags) {
    using Result = Try<std::shared_ptr<OpenFile>>;
    if (node->kind() != S_IFREG && node->kind() != S_IFDIR)
        return Result::failed(node->kind() == S_IFLNK ? ELOOP : ENXIO);
    if (open_files_ >= most_files_) return Result::failed(ENFILE);
    const auto handle = nodes_.fd(node);
    if (!handle) return Result::failed(handle.error);
    const int fd = ::open(handle.value->name().c_str(), flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) return Result::failed(errno);
    auto file = std::make_shared<OpenFile>(*this, fd);
    file->writable = (flags & O_ACCMODE) != O_RDONLY;
    return file;
}

int Server::lopen(Reader& in, Writer& out) {
    const u32 number = in.number<u32>(), flags = in.number<u32>();
    auto fid = find(number);
    if (!in.done() || (fid && (fid.value.file || fid.value.attribute))) return EINVAL;
    if (!fid) return fid.error;
    if (read_only_ && writes(flags)) return EROFS;
    const bool folder = fid.value.node->kind() == S_IFDIR;
    if (!folder && (flags & kOpenFolder) != 0) return ENOTDIR;
    if (folder && writes(flags)) return EISDIR;
    const auto file = open_node(fid.value.node, host_flags(flags));
    if (!file) return file.error;
    struct stat status {};
    if (::fstat(file.value->fd.get(), &status) != 0) return errno;
    put_qid(out, qid_of(status));
    out.number(io_unit());
    fid.value.file = file.value;
    replace(number, std::move(fid.value));
    return 0;
}

Try<std::shared_ptr<Server::OpenFile>> Server::create_new(const Fid& folder, const Birth& birth) {
    using Result = Try<std::shared_ptr<OpenFile>>;
    if (open_files_ >= most_files_) return Result::failed(ENFILE);
    const auto above = fd_of(folder);
    if (!above) return Result::failed(above.error);
    const int flags = host_flags(birth.flags) | O_CREAT | O_EXCL | O_NOCTTY | O_NONBLOCK;
    const int fd = open_beneath(above.value->get(), birth.name, flags, birth.mode & 07777);
    if (fd < 0) return Result::failed(errno);
    auto file = std::make_shared<OpenFile>(*this, fd);
    file->writable = (flags & O_ACCMODE) != O_RDONLY;
    const int error = settle_open(folder, birth, fd);
    return error != 0 ? Result::failed(error) : Result(file);
}

// What is there already is opened as lopen does: creating open() would open a device or wait for a FIFO's
// writer.
Try<std::shared_ptr<Server::OpenFile>> Server::create(const Fid& folder, const Birth& birth) {
    for (int again = 0;; ++again) {
        auto made = create_new(folder, birth);
        if (made || made.error != EEXIST || (birth.flags & kOpenExclusive) != 0) return made;
        const auto there = nodes_.child(folder.node, birth.name);
        if (!there && (there.error != ENOENT || again == 4))
            return Try<std::shared_ptr<OpenFile>>::failed(there.error);
        if (there && there.value->kind() == S_IFDIR) return Try<std::shared_ptr<OpenFile>>::failed(EISDIR);
        if (there) return open_node(there.value, host_flags(birth.flags));
    }
}

int Server::lcreate(Reader& in, Writer& out) {
    const u32 number = in.number<u32>();
    const std::string_view name = in.text();
    const u32 flags = in.number<u32>(), mode = in.number<u32>(), group = in.number<u32>();
    Fid folder;
    if (!in.done()) return EINVAL;
    const auto above = folder_of(number, name, folder);
    if (!above) return above.error;
    if (folder.file || folder.attribute) return EINVAL;
    const Birth birth{std::string(name), flags, mode, group};
    const auto file = create(folder, birth);
    if (!file) return file.error;
    struct stat status {};
    const auto node = nodes_.child(folder.node, name);
    if (!node) return node.error;
    if (::fstat(file.value->fd.get(), &status) != 0) return errno;
    if (identity_of(status) != node.value->identity()) return ESTALE;  // it was replaced meanwhile
    put_qid(out, qid_of(status));
    out.number(io_unit());
    replace(number, {node.value, folder.user, file.value, nullptr});
    return 0;
}

int Server::read(Reader& in, Writer& out) {
    const u32 number = in.number<u32>();
    const u64 offset = in.number<u64>();
    const u32 count = std::min(in.number<u32>(), io_unit());
    const auto fid = find(number);
    if (!in.done()) return EINVAL;
    if (!fid) return fid.error;
    out.number<u32>(0);
    if (const auto& attribute = fid.value.attribute) {
        const std::lock_guard guard(attribute->lock);
        const auto& value = attribute->value;
        const u64 from = std::min<u64>(offset, value.size()),
                  bytes = std::min<u64>(count, value.size() - from);
        std::copy_n(value.begin() + static_cast<std::ptrdiff_t>(from), bytes, out.room(bytes).begin());
        return out.patch(kHeaderBytes, static_cast<u32>(bytes)), 0;
    }
    if (!fid.value.file) return EBADF;
    const auto room = out.room(count);
    ssize_t got = 0;
    do got = ::pread(fid.value.file->fd.get(), room.data(), room.size(), static_cast<off_t>(offset));
    while (got < 0 && errno == EINTR);
    if (got < 0) return errno;
    out.cut(out.size() - count + static_cast<std::size_t>(got));
    out.patch(kHeaderBytes, static_cast<u32>(got));
    return 0;
}

int Server::write(Reader& in, Writer& out) {
    const u32 number = in.number<u32>();
    const u64 offset = in.number<u64>();
    const auto bytes = in.bytes(in.number<u32>());
    const auto fid = find(number);
    if (!in.done()) return EINVAL;
    if (!fid) return fid.error;
    if (const auto& attribute = fid.value.attribute) {
        const std::lock_guard guard(attribute->lock);
        const u64 size = attribute->value.size();
        if (!attribute->writing || offset > size || bytes.size() > size - offset) return EINVAL;
        std::copy(bytes.begin(), bytes.end(), attribute->value.begin() + static_cast<std::ptrdiff_t>(offset));
        attribute->filled += bytes.size();
        return out.number(static_cast<u32>(bytes.size())), 0;
    }
    if (!fid.value.file) return EBADF;
    std::size_t done = 0;
    while (done < bytes.size()) {
        const ssize_t put = ::pwrite(fid.value.file->fd.get(), bytes.data() + done, bytes.size() - done,
                                     static_cast<off_t>(offset + done));
        if (put < 0 && errno == EINTR) continue;
        if (put < 0 && done == 0) return errno;
        if (put <= 0) break;
        done += static_cast<std::size_t>(put);
    }
    out.number(static_cast<u32>(done));
    return 0;
}

// The host's positions in a folder are the guest's offsets. The parent of the share is not shown: ".." of its
// folder is the folder.
int Server::readdir(Reader& in, Writer& out) {
    const u32 number = in.number<u32>();
    const u64 offset = in.number<u64>();
    const u64 end = kHeaderBytes + 4 + std::min<u64>(in.number<u32>(), io_unit());
    const auto fid = find(number);
    if (!in.done()) return EINVAL;
    if (!fid) return fid.error;
    if (!fid.value.file || fid.value.node->kind() != S_IFDIR) return EBADF;
    const std::lock_guard guard(fid.value.file->position);
    const int fd = fid.value.file->fd.get();
    if (::lseek(fd, static_cast<off_t>(offset), SEEK_SET) < 0) return errno;
    const Identity self = fid.value.node->identity();
    const bool top = fid.value.node == nodes_.root();
    out.number<u32>(0);
    std::array<u8, 16384> buffer;
    for (bool full = false; !full;) {
        const long got = ::syscall(SYS_getdents64, fd, buffer.data(), buffer.size());
        if (got < 0 && out.size() == kHeaderBytes + 4) return errno;
        if (got <= 0) break;
        for (std::size_t at = 0; at < static_cast<std::size_t>(got) && !full;) {
            const Entry entry = entry_at(std::span(buffer).subspan(at));
            at += entry.bytes;
            full = out.size() + 24 + entry.name.size() > end;
            if (full && out.size() == kHeaderBytes + 4) return EINVAL;
            if (full) break;
            const u64 inode = top && entry.name == ".." ? self.inode : entry.inode;
            put_qid(out, {qid_type(entry.kind), 1, path_of({self.device, inode})});
            out.number(entry.next);
            out.number(entry.kind);
            out.text(entry.name);
        }
    }
    out.patch(kHeaderBytes, static_cast<u32>(out.size() - kHeaderBytes - 4));
    return 0;
}

int Server::fsync(Reader& in, Writer&) {
    const u32 number = in.number<u32>(), data_only = in.number<u32>();
    const auto fid = find(number);
    if (!in.done()) return EINVAL;
    if (!fid) return fid.error;
    if (!fid.value.file) return EBADF;
    const int fd = fid.value.file->fd.get();
    return (data_only != 0 ? ::fdatasync(fd) : ::fsync(fd)) == 0 ? 0 : errno;
}

namespace {
// The part that Tlock and Tgetlock have in common. false: no such range.
bool read_range(Reader& in, Lock& lock) {
    lock.start = in.number<u64>();
    const u64 length = in.number<u64>();
    lock.end = length == 0 ? ~u64{0} : lock.start + length;
    lock.process = in.number<u32>();
    lock.client = in.text();
    return in.done() && lock.end > lock.start && lock.type <= kUnlock &&
           lock.client.size() <= kMostClientName;
}
}  // namespace

int Server::lock(Reader& in, Writer& out) {
    Lock wanted;
    wanted.fid = in.number<u32>();
    wanted.type = in.number<u8>();
    in.number<u32>();  // may the server wait? It answers at once, and the guest asks again
    if (!read_range(in, wanted)) return EINVAL;
    const auto fid = find(wanted.fid);
    if (!fid) return fid.error;
    const Identity& file = fid.value.node->identity();
    if (wanted.type == kUnlock) {
        locks_.clear(file, wanted);
        return out.number<u8>(kLockGranted), 0;
    }
    const auto granted = locks_.set(file, wanted);
    if (!granted) return granted.error;
    out.number<u8>(granted.value ? kLockGranted : kLockBlocked);
    return 0;
}

int Server::getlock(Reader& in, Writer& out) {
    Lock wanted;
    wanted.fid = in.number<u32>();
    wanted.type = in.number<u8>();
    if (!read_range(in, wanted)) return EINVAL;
    const auto fid = find(wanted.fid);
    if (!fid) return fid.error;
    const Lock other = locks_.blocking(fid.value.node->identity(), wanted);
    out.number(other.type);
    out.number(other.start);
    out.number(other.end == ~u64{0} ? 0 : other.end - other.start);
    out.number(other.process);
    out.text(other.client);
    return 0;
}
}  // namespace hartline::share
