// Code that harts on other threads change: seen at fence.i, by comparing what was seen before.
//
// A hart decodes from its own copy of a frame, as if it were an instruction cache. A fence.i makes remembered
// jumps void, so that the first one to a frame comes here; jumps within a frame that are not remembered by
// address need no look of their own.
#include <cstring>

#include "cpu/interpreter/engine.hpp"

namespace hartline {
namespace {
constexpr u64 kPiece = 64, kWord = sizeof(u64);

// Other harts may be storing there.
u64 word_at(const u8* page, u64 at) {
    return __atomic_load_n(reinterpret_cast<const u64*>(page + at), __ATOMIC_RELAXED);
}
bool differs(const u8* page, const u8* seen, u64 piece) {
    u64 difference = 0;
    for (u64 at = piece; at < piece + kPiece; at += kWord)
        difference |= word_at(page, at) ^ word_at(seen, at);
    return difference != 0;
}
void copy(const u8* page, u8* to, u64 begin, u64 bytes) {
    for (u64 at = begin; at < begin + bytes; at += kWord) {
        const u64 word = word_at(page, at);
        std::memcpy(to + at, &word, kWord);
    }
}
}  // namespace

void InterpretingEngine::code_changed_elsewhere() {
    ++fence_;
    context_changed();
    c_.leave = true;
}

bool InterpretingEngine::see(u64 paddr) {
    const u64 frame = paddr & ~(kFrameBytes - 1);
    const u8* const page = c_.cpu.ram.for_read(c_.cpu.ram.frame_of(frame));
    std::unique_ptr<Seen>& seen = seen_[frame];
    if (seen == nullptr) {
        seen = std::make_unique<Seen>();
        seen->fence = fence_;
        copy(page, seen->bytes.data(), 0, kFrameBytes);
        return true;
    }
    if (seen->fence == fence_) return false;
    seen->fence = fence_;
    return compare(frame, page, *seen);
}

bool InterpretingEngine::compare(u64 frame_address, const u8* page, Seen& seen) {
    bool differed = false;
    for (u64 piece = 0; piece < kFrameBytes; piece += kPiece) {
        if (!differs(page, seen.bytes.data(), piece)) continue;
        copy(page, seen.bytes.data(), piece, kPiece);
        code_changed(frame_address + piece, kPiece);
        differed = true;
    }
    return differed;
}

const u8* InterpretingEngine::page_of_code(u64 paddr) {
    if (!c_.cpu.port.parallel()) return c_.cpu.ram.for_read(c_.cpu.ram.frame_of(paddr));
    const auto found = seen_.find(paddr & ~(kFrameBytes - 1));
    if (found != seen_.end()) return found->second->bytes.data();
    see(paddr);
    return page_of_code(paddr);
}
}  // namespace hartline
