// Guest memory as 4 KiB frames, taken from large slabs when first written: untouched frames cost nothing.
#pragma once
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <type_traits>
#include <vector>

#include "core/archive.hpp"
#include "core/platform/memory.hpp"
#include "core/types.hpp"

namespace hartline {

class Ram {
public:
    // Marks of a frame, each a reason for which a store to it takes the slow path.
    enum Mark : u8 {
        kCode = 1,      // some hart holds decoded instructions of it
        kZeroRead = 2,  // some hart reads the shared zero frame in its place
        kWatched = 4,   // a device wants to know of stores to it
    };

    // `base` and `bytes` are multiples of the frame size. Throws std::bad_alloc.
    Ram(u64 base, u64 bytes);

    u64 base() const { return base_; }
    u64 bytes() const { return bytes_; }
    bool contains(u64 paddr, u64 length) const {
        return paddr >= base_ && paddr - base_ <= bytes_ && length <= bytes_ - (paddr - base_);
    }
    // Frames are numbered from the start of RAM.
    u64 frame_of(u64 paddr) const { return (paddr - base_) >> kFrameShift; }
    u64 frames() const { return bytes_ >> kFrameShift; }
    u64 touched_frames() const { return touched_.load(std::memory_order_relaxed); }

    // Host address of a frame for reading. An untouched frame reads from a shared zero frame (then marked
    // kZeroRead), or is allocated when `set_allocate_on_read(true)`.
    const u8* for_read(u64 frame);
    // Host address of a frame for writing; allocates it. The caller honours the marks.
    u8* for_write(u64 frame);

    u8 marks(u64 frame) const { return mark_of(frame).load(std::memory_order_acquire); }
    void mark(u64 frame, Mark mark) { mark_of(frame).fetch_or(mark, std::memory_order_acq_rel); }
    void unmark(u64 frame, Mark mark) {
        mark_of(frame).fetch_and(static_cast<u8>(~mark), std::memory_order_acq_rel);
    }

    // Eight bytes at an aligned address that the caller knows to be inside; other harts' stores are seen
    // whole.
    u64 read_aligned(u64 paddr) const {
        const u8* const host = slot_of(frame_of(paddr)).load(std::memory_order_acquire);
        return host == nullptr ? 0
                               : __atomic_load_n(reinterpret_cast<const u64*>(host + paddr % kFrameBytes),
                                                 __ATOMIC_RELAXED);
    }

    // Checked bulk access, for devices and loaders. false (and nothing done) outside of RAM.
    bool read(u64 paddr, std::span<u8> out);
    bool write(u64 paddr, std::span<const u8> in);
    template <class T>
    requires std::is_trivially_copyable_v<T>
    bool read(u64 paddr, T& value) {
        return read(paddr, std::span(reinterpret_cast<u8*>(&value), sizeof value));
    }
    template <class T>
    requires std::is_trivially_copyable_v<T>
    bool write(u64 paddr, const T& value) {
        return write(paddr, std::span(reinterpret_cast<const u8*>(&value), sizeof value));
    }

    // Told of what makes derived state stale: a store by write() to a frame marked kCode or kWatched, and a
    // frame that got its own memory while kZeroRead.
    struct Listener {
        virtual ~Listener() = default;
        virtual void ram_written(u64 paddr, u64 bytes, u8 marks) = 0;
        virtual void ram_moved(u64 frame) = 0;
    };
    void set_listener(Listener* listener) { listener_ = listener; }
    void set_allocate_on_read(bool on) { allocate_on_read_ = on; }

    // The frames that lie wholly in [paddr, paddr + bytes) read as zero from now on, and the host has their
    // memory back until they are written again. Their host addresses stay, so that harts on other threads may
    // touch them meanwhile. The listener is told as of a store. Returns how many frames had memory; 0 outside
    // of RAM.
    u64 release(u64 paddr, u64 bytes);

    // Gives every frame back; all reads as zero again. Marks but kWatched are forgotten: callers drop derived
    // state.
    void clear();
    void describe(Archive& archive);  // frames that are all zero are the same as untouched ones

private:
    std::atomic_ref<u8> mark_of(u64 frame) const { return std::atomic_ref<u8>(marks_.as<u8>()[frame]); }
    std::atomic_ref<u8*> slot_of(u64 frame) const { return std::atomic_ref<u8*>(table_.as<u8*>()[frame]); }
    u8* allocate(u64 frame);
    u8* take_from_slab();
    void release_run(u64 frame, u64 frames);

    u64 base_, bytes_;
    HostMapping table_;  // a host pointer a frame; null: untouched
    HostMapping marks_;  // a byte a frame
    HostMapping zero_;   // one frame, read only
    std::vector<HostMapping> slabs_;
    u64 slab_used_ = 0;  // bytes taken from the last slab
    std::mutex allocation_;
    std::atomic<u64> touched_{0};
    Listener* listener_ = nullptr;
    bool allocate_on_read_ = false;
};
}  // namespace hartline
