// A set of numbers that may claim to hold others too: one bit for all numbers that look alike.
#pragma once
#include <array>

#include "core/types.hpp"

namespace hartline {

// Numbers close to each other never look alike.
template <unsigned kBits>
class Filter {
public:
    void add(u64 number) { words_[word(number)] |= bit_of(number); }
    bool may_hold(u64 number) const { return (words_[word(number)] & bit_of(number)) != 0; }
    void clear() { words_.fill(0); }

private:
    static_assert(kBits % 64 == 0 && (kBits & (kBits - 1)) == 0);
    static constexpr u64 mix(u64 number) { return (number ^ number >> 14 ^ number >> 28) % kBits; }
    static constexpr std::size_t word(u64 number) { return static_cast<std::size_t>(mix(number) / 64); }
    static constexpr u64 bit_of(u64 number) { return u64{1} << mix(number) % 64; }

    std::array<u64, kBits / 64> words_{};
};
}  // namespace hartline
