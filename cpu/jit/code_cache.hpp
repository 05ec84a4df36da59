// Memory for host code: written at one address, executed at another, given out from the start on.
#pragma once
#include <span>

#include "core/platform/memory.hpp"

namespace hartline::jit {

class CodeCache {
public:
    explicit CodeCache(std::size_t bytes) : memory_(bytes) {}

    u64 base() const { return reinterpret_cast<u64>(memory_.executable()); }
    std::size_t bytes() const { return memory_.bytes(); }
    std::size_t used() const { return used_; }
    bool has_room(std::size_t bytes) const { return used_ + bytes <= memory_.bytes(); }
    u8* writable(std::size_t offset) { return memory_.writable() + offset; }
    // Takes what was written at used(); what follows starts a cache line.
    void take(std::size_t bytes) { used_ = (used_ + bytes + kLine - 1) / kLine * kLine; }
    void drop_from(std::size_t offset) { used_ = offset; }
    // Points the four-byte displacement at `at` to `target`.
    void point(u32 at, u32 target) {
        const u32 displacement = target - (at + 4);
        __atomic_store_n(reinterpret_cast<u32*>(writable(at)), displacement, __ATOMIC_RELAXED);
    }

private:
    static constexpr std::size_t kLine = 64;
    ExecutableMapping memory_;
    std::size_t used_ = 0;
};
}  // namespace hartline::jit
