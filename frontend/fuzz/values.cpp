// Choosing values.
#include "frontend/fuzz/values.hpp"

namespace hartline::fuzz {
namespace {
constexpr std::array<u64, 12> kEdges{0,
                                     1,
                                     2,
                                     0x7f,
                                     0x80,
                                     0x7fff,
                                     0x8000,
                                     0x7fff'ffff,
                                     0x8000'0000,
                                     0xffff'ffff,
                                     0x7fff'ffff'ffff'ffff,
                                     0x8000'0000'0000'0000};
struct Shape {
    unsigned exponent, fraction;  // widths
};
// A number of a format: signs, zeroes, subnormals, infinities, NaNs with payloads, and near them.
u64 number(Random& random, Shape shape) {
    const u64 most = (u64{1} << shape.exponent) - 1, fractions = (u64{1} << shape.fraction) - 1;
    const u64 bias = most / 2;
    u64 exponent = random.next() & most, fraction = random.next() & fractions;
    switch (random.below(12)) {
        case 0:
            exponent = 0;
            fraction = 0;
            break;
        case 1: exponent = 0; break;
        case 2:
            exponent = 0;
            fraction = random.one_in(2) ? 1 : fractions;
            break;
        case 3:
            exponent = most;
            fraction = 0;
            break;
        case 4: exponent = most; break;
        case 5:
            exponent = most;
            fraction |= (fractions + 1) / 2;
            break;
        case 6:
            exponent = most - 1;
            fraction = fractions;
            break;
        case 7:
            exponent = 1;
            fraction = 0;
            break;
        case 8:
            exponent = bias;
            fraction = 0;
            break;
        default: exponent = bias - 3 + random.below(7 + shape.fraction); break;
    }
    return (random.next() & 1) << (shape.exponent + shape.fraction) | (exponent & most) << shape.fraction |
           fraction;
}
}  // namespace

u64 any_integer(Random& random) {
    switch (random.below(6)) {
        case 0: return random.of(kEdges);
        case 1: return ~random.of(kEdges);
        case 2: return random.of(kEdges) + random.of(kEdges);
        case 3: return u64{1} << random.below(64);
        case 4: return sign_extend(random.next(), random.below(64) + 1);
        default: return random.next();
    }
}

u64 any_float(Random& random) {
    constexpr Shape kHalf{5, 10}, kSingle{8, 23}, kDouble{11, 52};
    switch (random.below(8)) {
        case 0:
        case 1: return ~u64{0xffff'ffff} | number(random, kSingle);
        case 2:
        case 3: return ~u64{0xffff} | number(random, kHalf);
        case 4: return random.next() << 32 | number(random, kSingle);  // not boxed
        case 5: return ~u64{0xffff'ffff} | (random.next() & 0xffff'0000) | number(random, kHalf);
        default: return number(random, kDouble);
    }
}
}  // namespace hartline::fuzz
