// Looking up one name at a time; closing and opening again.
#include "devices/share/node.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace hartline::share {
namespace {
constexpr std::size_t kMostNameBytes = 255;
}

Fd::~Fd() { ::close(number_); }

// CVE-2016-7116: a name that is a path, or "..", leads out of the folder.
bool valid_name(std::string_view name) {
    return !name.empty() && name.size() <= kMostNameBytes && name != "." && name != ".." &&
           name.find('/') == std::string_view::npos && name.find('\0') == std::string_view::npos;
}

// `name` is one component, so that plain openat() with O_NOFOLLOW, where the host has no openat2(), is as
// strict.
int open_beneath(int folder, const std::string& name, int flags, mode_t mode) {
    flags |= O_CLOEXEC | O_NOFOLLOW;
    open_how how{};
    how.flags = static_cast<u64>(flags);
    how.mode = (flags & O_CREAT) != 0 ? mode : 0;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
    for (int again = 0; again < 8; ++again) {
        const long fd = ::syscall(SYS_openat2, folder, name.c_str(), &how, sizeof how);
        if (fd >= 0) return static_cast<int>(fd);
        // A sandbox may refuse what it does not know; EAGAIN: a rename came between.
        if (errno == ENOSYS || errno == EPERM) break;
        if (errno != EAGAIN && errno != EINTR) return -1;
    }
    return ::openat(folder, name.c_str(), flags, mode);
}

Nodes::Nodes(FdPtr root, std::size_t most_open) : most_open_(most_open) {
    struct stat status {};
    ::fstat(root->get(), &status);
    root_ = std::make_shared<Node>();
    root_->identity_ = identity_of(status);
    root_->kind_ = S_IFDIR;
    root_->fd_ = std::move(root);
    by_identity_[root_->identity_] = root_;
}

Nodes::~Nodes() = default;

// A chain of folders that only their children hold goes one by one, not by recursion: a guest chooses its
// length.
void Nodes::forget(Node* node) {
    std::unique_lock guard(lock_);
    if (node->fd_) open_.erase(node->used_);
    const auto at = by_identity_.find(node->identity_);
    if (at != by_identity_.end() && at->second.expired()) by_identity_.erase(at);
    dead_.push_back(node);
    if (burying_) return;
    burying_ = true;
    while (!dead_.empty()) {
        Node* const one = dead_.back();
        dead_.pop_back();
        guard.unlock();
        delete one;
        guard.lock();
    }
    burying_ = false;
}

// What is unlinked has no name to be opened by again: it stays open.
void Nodes::keep(Node& node, FdPtr fd) {
    node.fd_ = std::move(fd);
    node.used_ = open_.insert(open_.begin(), &node);
    for (int tries = 0; open_.size() > most_open_ && tries < 8; ++tries) {
        Node* const oldest = open_.back();
        struct stat status {};
        if (oldest == &node || (::fstat(oldest->fd_->get(), &status) == 0 && status.st_nlink == 0)) {
            open_.splice(open_.begin(), open_, oldest->used_);
            continue;
        }
        open_.pop_back();
        oldest->fd_.reset();
    }
}

Try<FdPtr> Nodes::fd(const NodePtr& node) {
    const std::lock_guard guard(lock_);
    if (!node->fd_) return open_again(node);
    if (node != root_) open_.splice(open_.begin(), open_, node->used_);
    return node->fd_;
}

Try<FdPtr> Nodes::open_again(const NodePtr& node) {
    std::vector<Node*> way{node.get()};
    while (!way.back()->parent_->fd_) way.push_back(way.back()->parent_.get());
    FdPtr at = way.back()->parent_->fd_;
    for (; !way.empty(); way.pop_back()) {
        const int number = open_beneath(at->get(), way.back()->name_, O_PATH);
        if (number < 0) return Try<FdPtr>::failed(errno == ENOENT || errno == ENOTDIR ? ESTALE : errno);
        at = std::make_shared<Fd>(number);
        struct stat status {};
        if (::fstat(number, &status) != 0 || !way.back()->is(status)) return Try<FdPtr>::failed(ESTALE);
    }
    keep(*node, at);
    return at;
}

Try<NodePtr> Nodes::child(const NodePtr& folder, std::string_view name) {
    const auto above = fd(folder);
    if (!above) return Try<NodePtr>::failed(above.error);
    const int number = open_beneath(above.value->get(), std::string(name), O_PATH);
    if (number < 0) return Try<NodePtr>::failed(errno);
    auto opened = std::make_shared<const Fd>(number);
    struct stat status {};
    if (::fstat(number, &status) != 0) return Try<NodePtr>::failed(errno);
    if (NodePtr old = known(identity_of(status)); old && old->is(status)) {
        moved(old, folder, name);
        return old;
    }
    const std::lock_guard guard(lock_);
    NodePtr node(new Node, [this](Node* last) { forget(last); });
    node->identity_ = identity_of(status);
    node->kind_ = status.st_mode & S_IFMT;
    node->parent_ = folder;
    node->name_ = name;
    by_identity_[node->identity_] = node;
    keep(*node, std::move(opened));
    return node;
}

NodePtr Nodes::known(const Identity& identity) {
    const std::lock_guard guard(lock_);
    const auto at = by_identity_.find(identity);
    return at == by_identity_.end() ? nullptr : at->second.lock();
}

Nodes::Place Nodes::place(const NodePtr& node) {
    const std::lock_guard guard(lock_);
    return {node->parent_, node->name_};
}

bool Nodes::within(const Node* node, const Node* folder) const {
    for (; folder != nullptr; folder = folder->parent_.get())
        if (folder == node) return true;
    return false;
}

// Somebody else may have moved folders so that what is remembered of them would make a circle: then nothing
// is learned.
void Nodes::moved(const NodePtr& node, const NodePtr& folder, std::string_view name) {
    NodePtr before;  // released after the lock
    const std::lock_guard guard(lock_);
    if (node == root_ || (node->parent_ == folder && node->name_ == name)) return;
    if (node->parent_ != folder && within(node.get(), folder.get())) return;
    before = std::exchange(node->parent_, folder);
    node->name_ = name;
}
}  // namespace hartline::share
