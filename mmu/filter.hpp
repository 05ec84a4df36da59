// A set of numbers that may claim to hold others too: those that look like members in two ways.
#pragma once
#include <array>
#include <bit>

#include "core/types.hpp"

namespace hartline {

template <unsigned kBits>
class Filter {
public:
    void add(u64 number) {
        set(low(number));
        set(mixed(number));
    }
    bool may_hold(u64 number) const { return has(low(number)) && has(mixed(number)); }
    void clear() { words_.fill(0); }

private:
    static_assert(std::has_single_bit(kBits) && kBits >= 64);
    static constexpr u64 low(u64 number) { return number % kBits; }  // tells neighbours apart
    static constexpr u64 mixed(u64 number) { return number * 0x9e37'79b9'7f4a'7c15 >> 40 & (kBits - 1); }
    void set(u64 at) { words_[static_cast<std::size_t>(at / 64)] |= u64{1} << at % 64; }
    bool has(u64 at) const { return bit(words_[static_cast<std::size_t>(at / 64)], at % 64) != 0; }

    std::array<u64, kBits / 64> words_{};
};
}  // namespace hartline
