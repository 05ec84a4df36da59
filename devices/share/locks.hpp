// POSIX record locks of a share's guests among each other (fcntl(2), "Advisory record locking").
//
// The host's processes do not see them: a record lock of the host belongs to a process, and Hartline is one.
#pragma once
#include <string>
#include <vector>

#include "devices/share/node.hpp"

namespace hartline::share {

struct Lock {
    u8 type = 0;                   // kReadLock, kWriteLock
    u64 start = 0, end = ~u64{0};  // bytes [start, end)
    u32 process = 0;
    std::string client;
    u32 fid = 0;  // that it came by: it goes with it

    bool same_owner(const Lock& other) const { return process == other.process && client == other.client; }
    bool overlaps(const Lock& other) const { return start < other.end && other.start < end; }
};

class Locks {
public:
    static constexpr std::size_t kMost = 4096;

    // Grants `wanted`, or says who has it. ENOLCK: there are too many.
    Try<bool> set(const Identity& file, const Lock& wanted);
    void clear(const Identity& file, const Lock& range);
    // What would be in the way of `wanted`; its type is kUnlock where nothing is.
    Lock blocking(const Identity& file, const Lock& wanted);
    void drop(u32 fid);
    void drop_all();

private:
    struct Held {
        Identity file;
        Lock lock;
    };
    const Lock* in_the_way(const Identity& file, const Lock& wanted) const;
    void cut_out(const Identity& file, const Lock& range);

    std::mutex lock_;
    std::vector<Held> held_;
};
}  // namespace hartline::share
