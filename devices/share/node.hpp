// Files and folders of a shared folder, as handles that cannot be made to mean something else.
//
// A node is an inode of the host, pinned by an O_PATH descriptor: who holds it looks up one name in it at a
// time, never follows a symbolic link, and opens nothing but regular files and folders. So neither ".." nor a
// link nor a rename by somebody else leads outside. Descriptors are few: those of nodes that were not used
// for long are closed, and opened again by name; that it is the same inode is checked.
#pragma once
#include <sys/stat.h>

#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/types.hpp"

namespace hartline::share {

// A descriptor of the host, closed with its last owner.
class Fd {
public:
    explicit Fd(int number) : number_(number) {}
    ~Fd();
    Fd(const Fd&) = delete;
    Fd& operator=(const Fd&) = delete;
    int get() const { return number_; }
    // A name of what it refers to, for calls that take no O_PATH descriptor.
    std::string name() const { return "/proc/self/fd/" + std::to_string(number_); }

private:
    int number_;
};
using FdPtr = std::shared_ptr<const Fd>;

// A value, or an error number of the host.
template <class T>
struct Try {
    T value{};
    int error = 0;
    Try(T from) : value(std::move(from)) {}
    static Try failed(int number) {
        Try none{T{}};
        none.error = number;
        return none;
    }
    explicit operator bool() const { return error == 0; }
};

struct Identity {
    dev_t device = 0;
    ino_t inode = 0;
    bool operator==(const Identity&) const = default;
};
inline Identity identity_of(const struct stat& status) { return {status.st_dev, status.st_ino}; }

// May a guest call something so? No path, no way up, at most 255 bytes.
bool valid_name(std::string_view name);

// Opens `name` in a folder without following a link; O_CLOEXEC and O_NOFOLLOW are added. -1: errno.
int open_beneath(int folder, const std::string& name, int flags, mode_t mode = 0);

class Nodes;

class Node {
public:
    const Identity& identity() const { return identity_; }
    mode_t kind() const { return kind_; }  // S_IFMT of its mode, which never changes
    // The host gives an inode's number to another file once it is free: then at least not to one of another
    // kind.
    bool is(const struct stat& status) const {
        return identity_of(status) == identity_ && (status.st_mode & S_IFMT) == kind_;
    }

private:
    friend class Nodes;
    Identity identity_;
    mode_t kind_ = 0;
    // Guarded by Nodes: where it was last seen, and its descriptor while it is open.
    std::shared_ptr<Node> parent_;  // null: the share's folder
    std::string name_;
    FdPtr fd_;
    std::list<Node*>::iterator used_;
};
using NodePtr = std::shared_ptr<Node>;

// All nodes of a share that somebody holds. For several threads.
class Nodes {
public:
    // `root` is the share's folder; at most `most_open` descriptors are kept beside it.
    Nodes(FdPtr root, std::size_t most_open);
    ~Nodes();
    Nodes(const Nodes&) = delete;
    Nodes& operator=(const Nodes&) = delete;

    const NodePtr& root() const { return root_; }
    // The descriptor of a node; it stays open at least as long as it is held. ESTALE: it was moved or removed
    // by somebody else while it was closed.
    Try<FdPtr> fd(const NodePtr& node);
    Try<NodePtr> child(const NodePtr& folder, std::string_view name);
    struct Place {
        NodePtr folder;
        std::string name;
    };
    // Where a node was last seen; folder is null for the root.
    Place place(const NodePtr& node);
    void moved(const NodePtr& node, const NodePtr& folder, std::string_view name);
    // The node of that inode, if somebody holds it.
    NodePtr known(const Identity& identity);

private:
    struct Hash {
        std::size_t operator()(const Identity& identity) const {
            return identity.inode * 0x9e37'79b9'7f4a'7c15u ^ identity.device;
        }
    };
    Try<FdPtr> open_again(const NodePtr& node);
    bool within(const Node* node, const Node* folder) const;
    void keep(Node& node, FdPtr fd);
    void forget(Node* node);

    std::mutex lock_;
    std::size_t most_open_;
    std::list<Node*> open_;  // the one used last is in front
    std::unordered_map<Identity, std::weak_ptr<Node>, Hash> by_identity_;
    std::vector<Node*> dead_;  // to be deleted by who is at it
    bool burying_ = false;
    NodePtr root_;
};
}  // namespace hartline::share
