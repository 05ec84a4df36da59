// Ranges that owners hold, cut and joined.
#include "devices/share/locks.hpp"

#include <algorithm>
#include <cerrno>

#include "devices/share/protocol.hpp"

namespace hartline::share {

const Lock* Locks::in_the_way(const Identity& file, const Lock& wanted) const {
    for (const Held& held : held_)
        if (held.file == file && !held.lock.same_owner(wanted) && held.lock.overlaps(wanted) &&
            (held.lock.type == kWriteLock || wanted.type == kWriteLock))
            return &held.lock;
    return nullptr;
}

// An owner's locks outside of the range stay, the parts of one that it cuts too.
void Locks::cut_out(const Identity& file, const Lock& range) {
    std::vector<Held> rests;
    for (const Held& held : held_) {
        if (held.file != file || !held.lock.same_owner(range) || !held.lock.overlaps(range)) continue;
        if (held.lock.start < range.start) rests.push_back(held), rests.back().lock.end = range.start;
        if (held.lock.end > range.end) rests.push_back(held), rests.back().lock.start = range.end;
    }
    std::erase_if(held_, [&](const Held& held) {
        return held.file == file && held.lock.same_owner(range) && held.lock.overlaps(range);
    });
    held_.insert(held_.end(), rests.begin(), rests.end());
}

Try<bool> Locks::set(const Identity& file, const Lock& wanted) {
    const std::lock_guard guard(lock_);
    if (in_the_way(file, wanted) != nullptr) return false;
    if (held_.size() >= kMost) return Try<bool>::failed(ENOLCK);
    cut_out(file, wanted);
    held_.push_back({file, wanted});
    return true;
}

void Locks::clear(const Identity& file, const Lock& range) {
    const std::lock_guard guard(lock_);
    cut_out(file, range);
}

Lock Locks::blocking(const Identity& file, const Lock& wanted) {
    const std::lock_guard guard(lock_);
    if (const Lock* const other = in_the_way(file, wanted)) return *other;
    Lock none = wanted;
    none.type = kUnlock;
    return none;
}

void Locks::drop(u32 fid) {
    const std::lock_guard guard(lock_);
    std::erase_if(held_, [&](const Held& held) { return held.lock.fid == fid; });
}

void Locks::drop_all() {
    const std::lock_guard guard(lock_);
    held_.clear();
}
}  // namespace hartline::share
