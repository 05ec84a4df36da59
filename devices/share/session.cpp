// A session with a guest: dispatch, version, attach, walk, clunk, and the table of fids.
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <stdexcept>

#include "devices/share/linux_errno.hpp"
#include "devices/share/server.hpp"

namespace hartline::share {
namespace {
constexpr u32 kNoFid = ~u32{0};
constexpr std::size_t kLeastOpen = 32, kMostOpen = 1 << 16;

[[noreturn]] void refuse(const std::string& path, const std::string& why, const std::string& way_out) {
    throw std::runtime_error(path + ": " + why + " (" + way_out + ")");
}

FdPtr open_root(const std::string& path) {
    const int fd = ::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) refuse(path, "does not exist", "make the folder, or share another");
    if (fd < 0 && errno == ENOTDIR) refuse(path, "is no folder", "share the folder that it is in");
    if (fd < 0)
        refuse(path, std::string("cannot be opened: ") + std::strerror(errno), "share another folder");
    auto root = std::make_shared<const Fd>(fd);
    if (::access(root->name().c_str(), F_OK) != 0)
        refuse("/proc", "is not mounted, which shared folders need", "mount -t proc proc /proc");
    return root;
}

// The soft limit of descriptors is raised to the hard one, as servers do.
std::size_t budget(std::size_t wanted) {
    if (wanted != 0) return std::max(wanted, kLeastOpen);
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return kLeastOpen;
    if (limit.rlim_cur < limit.rlim_max) {
        rlimit more{limit.rlim_max, limit.rlim_max};
        if (::setrlimit(RLIMIT_NOFILE, &more) == 0) limit = more;
    }
    return std::clamp<std::size_t>(limit.rlim_cur / 8, kLeastOpen, kMostOpen);
}
}  // namespace

Server::Server(const FolderOptions& options)
    : read_only_(options.read_only),
      as_root_(::geteuid() == 0),
      most_files_(budget(options.most_open)),
      nodes_(open_root(options.path), budget(options.most_open)) {}

std::span<const Server::Row> Server::rows() {
    static constexpr Row kRows[] = {
        {kTread, &Server::read, false},
        {kTwrite, &Server::write, false},
        {kTwalk, &Server::walk, false},
        {kTclunk, &Server::clunk, false},
        {kTgetattr, &Server::getattr, false},
        {kTsetattr, &Server::setattr, true},
        {kTlopen, &Server::lopen, false},
        {kTlcreate, &Server::lcreate, true},
        {kTreaddir, &Server::readdir, false},
        {kTfsync, &Server::fsync, false},
        {kTlock, &Server::lock, false},
        {kTgetlock, &Server::getlock, false},
        {kTmkdir, &Server::mkdir, true},
        {kTsymlink, &Server::symlink, true},
        {kTmknod, &Server::mknod, true},
        {kTlink, &Server::link, true},
        {kTrename, &Server::rename, true},
        {kTrenameat, &Server::renameat, true},
        {kTunlinkat, &Server::unlinkat, true},
        {kTremove, &Server::remove, false},  // the fid goes in any case
        {kTreadlink, &Server::readlink, false},
        {kTstatfs, &Server::statfs, false},
        {kTxattrwalk, &Server::xattrwalk, false},
        {kTxattrcreate, &Server::xattrcreate, true},
        {kTversion, &Server::version, false},
        {kTauth, &Server::auth, false},
        {kTattach, &Server::attach, false},
        {kTflush, &Server::flush, false},
    };
    return kRows;
}

int Server::perform(const Header& header, Reader& in, Writer& out) {
    const u32 most = message_bytes_;
    if (header.type != kTversion && (most == 0 || header.size > most)) return most == 0 ? EPROTO : EMSGSIZE;
    for (const Row& row : rows()) {
        if (row.type != header.type) continue;
        return row.changes && read_only_ ? EROFS : (this->*row.handler)(in, out);
    }
    return EOPNOTSUPP;
}

// CVE-2023-6693, and its like: all lengths are from the one copy of the request, and what its size says
// counts.
std::vector<u8> Server::answer(std::span<const u8> request) {
    Reader head(request);
    const Header header{head.number<u32>(), head.number<u8>(), head.number<u16>()};
    Writer out;
    out.number<u32>(0);
    out.number(static_cast<u8>(header.type + 1));
    out.number(header.tag);
    int error = EPROTO;
    if (request.size() >= kHeaderBytes && header.size >= kHeaderBytes && header.size <= request.size()) {
        Reader in(request.subspan(kHeaderBytes, header.size - kHeaderBytes));
        error = perform(header, in, out);
    }
    if (error != 0) {
        out.cut(kHeaderBytes);
        out.patch<u8>(4, kRlerror);
        out.number(linux_errno(error));
    }
    out.patch(0, static_cast<u32>(out.size()));
    return out.take();
}

void Server::reset() {
    std::unordered_map<u32, Fid> gone;  // released after the lock
    const std::lock_guard guard(lock_);
    gone.swap(fids_);
    locks_.drop_all();
}

std::size_t Server::fids() const {
    const std::lock_guard guard(lock_);
    return fids_.size();
}

Try<Server::Fid> Server::find(u32 number) const {
    const std::lock_guard guard(lock_);
    const auto at = fids_.find(number);
    return at == fids_.end() ? Try<Fid>::failed(EBADF) : Try<Fid>(at->second);
}

int Server::put_new(u32 number, Fid fid) {
    const std::lock_guard guard(lock_);
    if (number == kNoFid || fids_.contains(number)) return EBADF;
    if (fids_.size() >= kMostFids) return ENFILE;
    fids_.emplace(number, std::move(fid));
    return 0;
}

// A fid that is gone by now (the guest raced with itself) stays gone.
void Server::replace(u32 number, Fid fid) {
    const std::lock_guard guard(lock_);
    if (const auto at = fids_.find(number); at != fids_.end()) std::swap(at->second, fid);
}

int Server::take_away(u32 number, Fid& fid) {
    const std::lock_guard guard(lock_);
    const auto at = fids_.find(number);
    if (at == fids_.end()) return EBADF;
    fid = std::move(at->second);
    fids_.erase(at);
    locks_.drop(number);
    return 0;
}

Try<FdPtr> Server::folder_of(u32 number, std::string_view name, Fid& fid) {
    auto found = find(number);
    if (!found) return Try<FdPtr>::failed(found.error);
    if (!valid_name(name)) return Try<FdPtr>::failed(name.size() > 255 ? ENAMETOOLONG : EINVAL);
    fid = std::move(found.value);
    return fid.node->kind() == S_IFDIR ? fd_of(fid) : Try<FdPtr>::failed(ENOTDIR);
}

// version(5): all fids are forgotten.
int Server::version(Reader& in, Writer& out) {
    const u32 bytes = in.number<u32>();
    const std::string_view wanted = in.text();
    if (!in.done()) return EINVAL;
    if (bytes < kLeastMessage) return EMSGSIZE;
    reset();
    const bool known = wanted == kVersion;
    message_bytes_ = known ? std::min(bytes, kMostMessage) : 0;
    out.number(std::min(bytes, kMostMessage));
    out.text(known ? kVersion : "unknown");
    return 0;
}

int Server::auth(Reader&, Writer&) { return EOPNOTSUPP; }

int Server::attach(Reader& in, Writer& out) {
    const u32 number = in.number<u32>(), authentication = in.number<u32>();
    in.text();  // the user's name: the number counts
    in.text();  // which tree: there is one
    const u32 user = in.number<u32>();
    if (!in.done() || authentication != kNoFid) return EINVAL;
    Fid fid;
    fid.node = nodes_.root();
    fid.user = user;
    struct stat status {};
    const auto fd = fd_of(fid);
    if (::fstat(fd.value->get(), &status) != 0) return errno;
    put_qid(out, qid_of(status));
    return put_new(number, std::move(fid));
}

// The request that it names is answered before: see Service.
int Server::flush(Reader& in, Writer&) {
    in.number<u16>();
    return in.done() ? 0 : EINVAL;
}

// walk(5): where a name but the first fails, those before it are told, and there is no new fid.
int Server::walk(Reader& in, Writer& out) {
    const u32 number = in.number<u32>(), new_number = in.number<u32>();
    const u16 count = in.number<u16>();
    if (count > kMostWalk) return EINVAL;
    std::array<std::string_view, kMostWalk> names;
    for (u16 i = 0; i < count; ++i) names[i] = in.text();
    auto found = find(number);
    if (!in.done() || (found && found.value.attribute)) return EINVAL;
    if (!found) return found.error;
    Fid fid{found.value.node, found.value.user, nullptr, nullptr};
    out.number(count);
    for (u16 i = 0; i < count; ++i) {
        auto child = valid_name(names[i]) ? nodes_.child(fid.node, names[i]) : Try<NodePtr>::failed(EINVAL);
        const auto fd = child ? nodes_.fd(child.value) : Try<FdPtr>::failed(child.error);
        struct stat status {};
        const int error = fd && ::fstat(fd.value->get(), &status) != 0 ? errno : fd.error;
        if (error != 0 && i == 0) return error;
        if (error != 0) return out.patch(kHeaderBytes, i), 0;
        put_qid(out, qid_of(status));
        fid.node = child.value;
    }
    if (new_number == number && !found.value.file) return replace(number, std::move(fid)), 0;
    return put_new(new_number, std::move(fid));
}

int Server::clunk(Reader& in, Writer&) {
    const u32 number = in.number<u32>();
    if (!in.done()) return EINVAL;
    Fid fid;
    if (const int error = take_away(number, fid); error != 0) return error;
    return commit(fid);
}
}  // namespace hartline::share
