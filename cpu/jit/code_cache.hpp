// Memory for host code: written at one address, executed at another. The shared code comes first; behind it
// are a few parts, filled one after the other and then anew from the first one on.
#pragma once
#include <algorithm>
#include <cstring>

#include "core/platform/memory.hpp"

namespace hartline::jit {

class CodeCache {
public:
    explicit CodeCache(std::size_t bytes) : memory_(bytes) {}

    u64 base() const { return reinterpret_cast<u64>(memory_.executable()); }
    std::size_t bytes() const { return memory_.bytes(); }
    std::size_t used() const { return used_; }  // where the next code goes
    bool has_room(std::size_t bytes) const { return used_ + bytes <= end_; }
    u8* writable(std::size_t offset) { return memory_.writable() + offset; }
    const u8* code(std::size_t offset) const { return memory_.writable() + offset; }
    // Takes what was written at used(); what follows starts a cache line.
    void take(std::size_t bytes) { used_ = (used_ + bytes + kLine - 1) / kLine * kLine; }
    // All that was taken is the shared code.
    void begin_parts() {
        first_ = used_;
        begin_part(0);
    }
    unsigned part() const { return part_; }
    unsigned part_of(std::size_t offset) const {
        return static_cast<unsigned>(std::min<std::size_t>((offset - first_) / part_bytes(), kParts - 1));
    }
    // What it held is void.
    void begin_part(unsigned part) {
        part_ = part;
        used_ = (first_ + part * part_bytes() + kLine - 1) / kLine * kLine;
        end_ = first_ + (part + 1) * part_bytes();
    }
    // There is no room in this part any more.
    void end_part() { end_ = used_; }
    static constexpr unsigned kParts = 4;

    // What follows may change code that other harts execute meanwhile. The host keeps its caches of code
    // coherent, and fetches what was stored in one piece as one: an aligned word.

    // Points the four-byte displacement at `at` to `target`.
    void point(u32 at, u32 target) {
        const u32 displacement = target - (at + 4);
        __atomic_store_n(reinterpret_cast<u32*>(writable(at)), displacement, __ATOMIC_RELEASE);
    }
    // Of an aligned cell among the code.
    void put(u32 at, u64 value) {
        __atomic_store_n(reinterpret_cast<u64*>(writable(at)), value, __ATOMIC_RELEASE);
    }
    // Puts a jump to an executable address at `at`, where an instruction of at least five bytes begins.
    void put_jump(u32 at, u64 target) {
        constexpr u64 kJump = 0xe9, kJumpBytes = 5;
        u64 code = 0;
        std::memcpy(&code, writable(at), sizeof code);
        const auto displacement = static_cast<u32>(target - (base() + at + kJumpBytes));
        code = code >> (8 * kJumpBytes) << (8 * kJumpBytes) | u64{displacement} << 8 | kJump;
        __atomic_store_n(reinterpret_cast<u64*>(writable(at)), code, __ATOMIC_RELEASE);
    }

private:
    static constexpr std::size_t kLine = 64;
    std::size_t part_bytes() const { return (memory_.bytes() - first_) / kParts; }

    ExecutableMapping memory_;
    std::size_t used_ = 0, end_ = memory_.bytes();  // of the part that is being filled
    std::size_t first_ = 0;                         // where parts begin
    unsigned part_ = 0;
};
}  // namespace hartline::jit
