// Frames of guest memory: allocation, checked access, description.
#include "core/ram.hpp"

#include <algorithm>
#include <cstring>

namespace hartline {
namespace {
constexpr std::size_t kSlabBytes = 2 << 20;

bool all_zero(const u8* frame) {
    return frame[0] == 0 && std::memcmp(frame, frame + 1, kFrameBytes - 1) == 0;
}
}  // namespace

Ram::Ram(u64 base, u64 bytes)
    : base_(base),
      bytes_(bytes),
      table_((bytes >> kFrameShift) * sizeof(u8*)),
      marks_(bytes >> kFrameShift),
      zero_(kFrameBytes) {
    zero_.make_read_only();
}

u8* Ram::take_from_slab() {
    if (slabs_.empty() || slab_used_ == kSlabBytes) {
        slabs_.emplace_back(kSlabBytes);
        // A huge page is cleared as a whole: not for small programs, nor at each reset of one.
        if (slabs_.size() > 1) slabs_.back().prefer_huge_pages();
        slab_used_ = 0;
    }
    u8* const frame = slabs_.back().as<u8>() + slab_used_;
    slab_used_ += kFrameBytes;
    return frame;
}

u8* Ram::allocate(u64 frame) {
    const std::lock_guard lock(allocation_);
    if (u8* const already = slot_of(frame).load(std::memory_order_acquire)) return already;
    u8* const host = take_from_slab();
    slot_of(frame).store(host, std::memory_order_release);
    touched_.fetch_add(1, std::memory_order_relaxed);
    return host;
}

const u8* Ram::for_read(u64 frame) {
    if (const u8* const host = slot_of(frame).load(std::memory_order_acquire)) return host;
    if (allocate_on_read_) return allocate(frame);
    mark(frame, kZeroRead);
    return zero_.as<u8>();
}

u8* Ram::for_write(u64 frame) {
    if (u8* const host = slot_of(frame).load(std::memory_order_acquire)) return host;
    u8* const host = allocate(frame);
    if ((marks(frame) & kZeroRead) != 0) {
        unmark(frame, kZeroRead);
        if (listener_ != nullptr) listener_->ram_moved(frame);
    }
    return host;
}

bool Ram::read(u64 paddr, std::span<u8> out) {
    if (!contains(paddr, out.size())) return false;
    while (!out.empty()) {
        const u64 within = paddr % kFrameBytes;
        const std::size_t piece = std::min<std::size_t>(out.size(), kFrameBytes - within);
        const u8* const host = slot_of(frame_of(paddr)).load(std::memory_order_acquire);
        if (host != nullptr)
            std::memcpy(out.data(), host + within, piece);
        else
            std::memset(out.data(), 0, piece);
        out = out.subspan(piece);
        paddr += piece;
    }
    return true;
}

bool Ram::write(u64 paddr, std::span<const u8> in) {
    if (!contains(paddr, in.size())) return false;
    while (!in.empty()) {
        const u64 within = paddr % kFrameBytes;
        const std::size_t piece = std::min<std::size_t>(in.size(), kFrameBytes - within);
        const u64 frame = frame_of(paddr);
        std::memcpy(for_write(frame) + within, in.data(), piece);
        if (const u8 now = marks(frame); now != 0 && listener_ != nullptr)
            listener_->ram_written(paddr, piece, now);
        in = in.subspan(piece);
        paddr += piece;
    }
    return true;
}

// Frames of a slab follow each other there in the order in which they were first written, so that neighbours
// of the guest's are often neighbours of the host's too, and go in one call.
u64 Ram::release(u64 paddr, u64 bytes) {
    if (!contains(paddr, bytes)) return 0;
    const u64 first = (paddr - base_ + kFrameBytes - 1) >> kFrameShift,
              end = (paddr - base_ + bytes) >> kFrameShift;
    u64 released = 0;
    for (u64 frame = first; frame < end;) {
        const u8* const host = slot_of(frame).load(std::memory_order_acquire);
        u64 run = 1;
        if (host != nullptr) {
            while (frame + run < end &&
                   slot_of(frame + run).load(std::memory_order_acquire) == host + run * kFrameBytes)
                ++run;
            release_run(frame, run);
            released += run;
        }
        frame += run;
    }
    return released;
}

void Ram::release_run(u64 frame, u64 frames) {
    discard_pages(slot_of(frame).load(std::memory_order_acquire), frames * kFrameBytes);
    for (const u64 end = frame + frames; frame < end; ++frame)
        if (const u8 now = marks(frame); now != 0 && listener_ != nullptr)
            listener_->ram_written(base_ + (frame << kFrameShift), kFrameBytes, now);
}

void Ram::clear() {
    table_.discard();
    for (u64 frame = 0; frame < frames(); ++frame)
        if (marks(frame) != 0) unmark(frame, static_cast<Mark>(kCode | kZeroRead));
    slabs_.clear();
    slab_used_ = 0;
    touched_ = 0;
}

void Ram::describe(Archive& archive) {
    const Section section(archive, "ram");
    u64 bytes = bytes_;
    archive.field("bytes", bytes);
    archive.require(bytes == bytes_, "ram.bytes");
    if (archive.loading()) clear();
    constexpr u64 kEnd = ~u64{0};
    u64 frame = 0;
    const auto next_used = [&] {
        while (frame < frames()) {
            const u8* const host = slot_of(frame).load(std::memory_order_acquire);
            if (host != nullptr && !all_zero(host)) return frame;
            ++frame;
        }
        return kEnd;
    };
    u64 least = 0;
    for (;;) {
        u64 number = archive.loading() ? 0 : next_used();
        archive.field("frame", number);
        if (number == kEnd) break;
        archive.require(number >= least && number < frames(), "ram.frame");
        least = number + 1;
        archive.raw("bytes", for_write(number), kFrameBytes, 8);
        frame = number + 1;
    }
}
}  // namespace hartline
