// Code that harts on other threads change: seen at fence.i, by comparing what was seen before.
//
// A fence.i makes remembered jumps void, so that the first one to a frame comes here; jumps within a frame
// that are not remembered by address need no look of their own.
#include "cpu/interpreter/seen_code.hpp"

#include <bit>
#include <cstring>

#include "cpu/interpreter/engine.hpp"

namespace hartline {
namespace {
constexpr u64 kWord = sizeof(u64);

// Other harts may be storing there.
u64 word_at(const u8* page, u64 at) {
    return __atomic_load_n(reinterpret_cast<const u64*>(page + at), __ATOMIC_RELAXED);
}
bool differs(const u8* page, const u8* seen, u64 piece) {
    u64 difference = 0;
    for (u64 at = piece; at < piece + SeenCode::kPiece; at += kWord) {
        u64 before = 0;
        std::memcpy(&before, seen + at, kWord);
        difference |= word_at(page, at) ^ before;
    }
    return difference != 0;
}
void copy(const u8* page, u8* to, u64 begin, u64 bytes) {
    for (u64 at = begin; at < begin + bytes; at += kWord) {
        const u64 word = word_at(page, at);
        std::memcpy(to + at, &word, kWord);
    }
}
}  // namespace

SeenCode::Frame& SeenCode::frame(u64 address, const u8* page) {
    std::unique_ptr<Frame>& frame = frames_[address];
    if (frame == nullptr) {
        frame = std::make_unique<Frame>();
        frame->fence = fences_;
        copy(page, frame->bytes.data(), 0, kFrameBytes);
    }
    return *frame;
}

// The count is read first: whoever executed one of so many fences, what it must see is in memory.
u64 SeenCode::renew(Frame& frame, const u8* page, u64 fence) {
    if (frame.fence >= fence) return 0;
    frame.fence = fences_;
    u64 pieces = 0;
    for (u64 i = 0; i < frame.changed.size(); ++i) {
        if (!differs(page, frame.bytes.data(), i * kPiece)) continue;
        copy(page, frame.bytes.data(), i * kPiece, kPiece);
        frame.changed[i] = ++frame.changes;
        pieces |= u64{1} << i;
    }
    return pieces;
}

const u8* InterpretingEngine::host_page(u64 paddr) const {
    const u64 address = paddr & ~(kFrameBytes - 1);
    Ram& ram = c_.cpu.ram;
    return ram.contains(address, kFrameBytes) ? ram.for_read(ram.frame_of(address))
                                              : c_.cpu.port.fixed_page(address);
}

void InterpretingEngine::code_changed_elsewhere() {
    fence_ = seen_->fence();
    context_changed();
    c_.leave = true;
}

// What all harts share goes at once, by whoever sees it; a hart's own blocks at its own look.
bool InterpretingEngine::see(u64 paddr, const u8* page) {
    const u64 address = paddr & ~(kFrameBytes - 1);
    SeenCode::Look& look = looks_[address];
    if (look.fence == fence_) return false;
    look.fence = fence_;
    const std::lock_guard lock(seen_->mutex);
    SeenCode::Frame& frame = seen_->frame(address, page);
    for (u64 left = seen_->renew(frame, page, fence_); left != 0; left &= left - 1)
        code_replaced(address + static_cast<u64>(std::countr_zero(left)) * SeenCode::kPiece,
                      SeenCode::kPiece);
    if (look.changes == frame.changes) return false;
    for (u64 i = 0; i < frame.changed.size(); ++i)
        if (frame.changed[i] > look.changes)
            InterpretingEngine::code_changed(address + i * SeenCode::kPiece, SeenCode::kPiece);
    look.changes = frame.changes;
    return true;
}

const u8* InterpretingEngine::page_of_code(u64 paddr, const u8* page) {
    if (page == nullptr || !c_.cpu.port.parallel()) return page;
    return seen_->frame(paddr & ~(kFrameBytes - 1), page).bytes.data();
}
}  // namespace hartline
