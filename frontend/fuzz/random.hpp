// The random numbers of a program: a value that is passed on, so that equal seeds give equal programs
// everywhere.
#pragma once
#include <span>

#include "core/types.hpp"

namespace hartline::fuzz {

// SplitMix64 (Steele, Lea, Flood 2014).
class Random {
public:
    explicit Random(u64 seed) : state_(seed) {}
    u64 next() {
        state_ += 0x9e37'79b9'7f4a'7c15;
        u64 z = state_;
        z = (z ^ z >> 30) * 0xbf58'476d'1ce4'e5b9;
        z = (z ^ z >> 27) * 0x94d0'49bb'1331'11eb;
        return z ^ z >> 31;
    }
    u32 below(u32 limit) { return static_cast<u32>((next() >> 32) * limit >> 32); }
    // In [low, high].
    i32 between(i32 low, i32 high) { return low + static_cast<i32>(below(static_cast<u32>(high - low) + 1)); }
    bool one_in(u32 n) { return below(n) == 0; }
    template <class T>
    const T& of(std::span<const T> choices) {
        return choices[below(static_cast<u32>(choices.size()))];
    }
    template <class Choices>
    const auto& of(const Choices& choices) {
        return choices[below(static_cast<u32>(choices.size()))];
    }

private:
    u64 state_;
};
}  // namespace hartline::fuzz
