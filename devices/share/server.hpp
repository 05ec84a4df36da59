// A 9P2000.L server of one folder: takes a request, gives the answer. Knows nothing of virtio or of machines.
//
// Owners, modes and kinds of files are the host's own, and what the guest makes belongs to who runs Hartline.
// Run by root, it is given to the guest's user instead, as chown asks. Where the host refuses (chown by
// another than root), the guest is told so. Device nodes cannot be made: EPERM. Of extended attributes a
// guest sees those in `user.` and POSIX access control lists.
//
// The members are in session.cpp (version to clunk), content.cpp (open, read, write, folders), names.cpp
// (make, move, remove), attributes.cpp (stat and extended attributes).
#pragma once
#include <array>
#include <atomic>
#include <mutex>
#include <span>
#include <unordered_map>
#include <vector>

#include "devices/share/locks.hpp"
#include "devices/share/node.hpp"
#include "devices/share/protocol.hpp"
#include "devices/share/wire.hpp"

namespace hartline::share {

struct FolderOptions {
    std::string path;
    bool read_only = false;
    std::size_t most_open =
        0;  // descriptors of the host, half of them for open files; 0: half of what it may have
};

class Server {
public:
    static constexpr std::size_t kMostFids = 1 << 18;
    static constexpr std::size_t kMostAttribute =
        64 * 1024;  // bytes of an extended attribute: XATTR_SIZE_MAX
    static constexpr std::size_t kMostAttributes =
        64 * kMostAttribute;  // of all that are being read or written

    // Throws std::runtime_error: one line that names the folder, what is wrong, and the way out.
    explicit Server(const FolderOptions& options);

    // The answer to one request, which begins with its size. Never throws but std::bad_alloc. For several
    // threads; a Tversion comes alone.
    std::vector<u8> answer(std::span<const u8> request);
    // Forgets all that the guest has open.
    void reset();
    std::size_t fids() const;

private:
    struct OpenFile {
        OpenFile(Server& of, int number) : fd(number), server(of) { ++server.open_files_; }
        ~OpenFile() { --server.open_files_; }
        Fd fd;
        Server& server;
        bool writable = false;
        std::mutex position;  // a folder is read where lseek() is
    };
    struct Attribute {  // an extended attribute that is read or written through a fid
        Attribute(Server& of, std::size_t bytes) : value(bytes), server(of) {
            server.attribute_bytes_ += bytes;
        }
        ~Attribute() { server.attribute_bytes_ -= value.size(); }
        std::string name;
        std::vector<u8> value;
        Server& server;
        u64 filled = 0;
        u32 flags = 0;
        bool writing = false;
        std::mutex lock;
    };
    // A fid is replaced, never changed: a request under way keeps what it began with.
    struct Fid {
        NodePtr node;
        u32 user = 0;
        std::shared_ptr<OpenFile> file;
        std::shared_ptr<Attribute> attribute;
    };
    using Handler = int (Server::*)(Reader&, Writer&);
    struct Row {
        u8 type;
        Handler handler;
        bool changes;  // the folder: refused by a read-only share
    };
    static std::span<const Row> rows();
    // 0, or an error number of the host.
    int perform(const Header& header, Reader& in, Writer& out);

    int version(Reader&, Writer&);
    int auth(Reader&, Writer&);
    int attach(Reader&, Writer&);
    int flush(Reader&, Writer&);
    int walk(Reader&, Writer&);
    int clunk(Reader&, Writer&);

    int lopen(Reader&, Writer&);
    int lcreate(Reader&, Writer&);
    int read(Reader&, Writer&);
    int write(Reader&, Writer&);
    int readdir(Reader&, Writer&);
    int fsync(Reader&, Writer&);
    int lock(Reader&, Writer&);
    int getlock(Reader&, Writer&);

    int mkdir(Reader&, Writer&);
    int symlink(Reader&, Writer&);
    int mknod(Reader&, Writer&);
    int link(Reader&, Writer&);
    int rename(Reader&, Writer&);
    int renameat(Reader&, Writer&);
    int unlinkat(Reader&, Writer&);
    int remove(Reader&, Writer&);

    int readlink(Reader&, Writer&);
    int statfs(Reader&, Writer&);
    int getattr(Reader&, Writer&);
    int setattr(Reader&, Writer&);
    int xattrwalk(Reader&, Writer&);
    int xattrcreate(Reader&, Writer&);

    // --- fids
    Try<Fid> find(u32 number) const;
    Try<FdPtr> fd_of(const Fid& fid) { return nodes_.fd(fid.node); }
    int put_new(u32 number, Fid fid);  // EBADF: it is in use
    void replace(u32 number, Fid fid);
    int take_away(u32 number, Fid& fid);
    // The folder that a request names, for a new or old name in it.
    Try<FdPtr> folder_of(u32 number, std::string_view name, Fid& fid);

    // --- shared
    Try<std::shared_ptr<OpenFile>> open_node(const NodePtr& node, int flags);
    // What a new file needs.
    struct Birth {
        std::string name;
        u32 flags = 0, mode = 0, group = 0;
    };
    Try<std::shared_ptr<OpenFile>> create(const Fid& folder, const Birth& birth);
    Try<std::shared_ptr<OpenFile>> create_new(const Fid& folder, const Birth& birth);
    u32 io_unit() const { return message_bytes_ - static_cast<u32>(kIoBytes); }
    Qid qid_of(const struct stat& status);
    u64 path_of(const Identity& identity);
    void put_qid(Writer& out, const Qid& qid) const;
    // What was just made in a folder gets its owner and its mode, and its qid goes out.
    int settle(const Fid& folder, const Birth& birth, mode_t kind, Writer& out);
    int settle_open(const Fid& folder, const Birth& birth, int file) const;
    int commit(const Fid& fid);
    struct Name {
        Fid folder;
        std::string name;
    };
    int move(const Name& from, const Name& to);
    Try<Name> name_of(const Fid& fid);
    static bool visible(std::string_view attribute);

    bool read_only_, as_root_;
    std::size_t most_files_;
    std::atomic<std::size_t> open_files_{0}, attribute_bytes_{0};
    std::atomic<u32> message_bytes_{0};  // agreed on by Tversion; 0: not yet
    Nodes nodes_;
    Locks locks_;
    mutable std::mutex lock_;  // of what follows
    std::unordered_map<u32, Fid> fids_;
    std::vector<dev_t> devices_;  // of the host; the place is part of a qid's path
};
}  // namespace hartline::share
