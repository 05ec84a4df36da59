// Values at which instructions go wrong: boundaries, NaN payloads, unboxed numbers.
#pragma once
#include "frontend/fuzz/random.hpp"

namespace hartline::fuzz {
u64 any_integer(Random& random);
u64 any_float(
    Random& random);  // 64 bits for an f register: doubles, boxed singles and halves, badly boxed ones
inline u64 any_value(Random& random) { return random.one_in(2) ? any_integer(random) : any_float(random); }
}  // namespace hartline::fuzz
