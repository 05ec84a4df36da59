// The documented lists of what each judge cannot judge.
#include "frontend/fuzz/dialect.hpp"

#include <algorithm>

namespace hartline::fuzz {
namespace {
// Debian's QEMU 7.2 has none of these.
constexpr std::array<Extension, 10> kNotInQemu{
    Extension::Zfa,    Extension::Zacas,  Extension::Zabha, Extension::Zcb,   Extension::Zicond,
    Extension::Zicbom, Extension::Zicboz, Extension::Zimop, Extension::Zcmop, Extension::Zawrs};

bool is_missing(Extension extension) {
    return std::find(kNotInQemu.begin(), kNotInQemu.end(), extension) != kNotInQemu.end();
}

constexpr u64 kStatusBits = 0x7c'0122;  // SIE, SPIE, SPP, SUM, MXR, TVM, TW, TSR
constexpr std::array<CsrProbe, 21> kProbes{
    CsrProbe{0x001, ~u64{0}, false},
    CsrProbe{0x002, ~u64{0}, false},
    CsrProbe{0x003, ~u64{0}, false},
    CsrProbe{0x100, 0xc'0122, false},               // sstatus
    CsrProbe{0x140, ~u64{0}, false},                // sscratch
    CsrProbe{0x141, ~u64{3}, false},                // sepc
    CsrProbe{0x142, 0x8000'0000'0000'000f, false},  // scause: WLRL
    CsrProbe{0x143, ~u64{0}, false},                // stval
    CsrProbe{0x106, 7, false},                      // scounteren
    CsrProbe{0x300, kStatusBits, true},             // mstatus
    CsrProbe{0x302, 0xb1fc, true},                  // medeleg: all but misaligned fetches
    CsrProbe{0x303, 0x222, true},                   // mideleg
    CsrProbe{0x304, 0xaaa, true},                   // mie
    CsrProbe{0x305, ~u64{0xff}, true},              // mtvec
    CsrProbe{0x306, 7, true},                       // mcounteren
    CsrProbe{0x340, ~u64{0}, true},                 // mscratch
    CsrProbe{0x341, ~u64{3}, true},                 // mepc
    CsrProbe{0x342, 0x8000'0000'0000'000f, true},   // mcause
    CsrProbe{0x343, ~u64{0}, true},                 // mtval
    CsrProbe{0x3b9, ~u64{0} >> 10, true},           // pmpaddr9
    CsrProbe{0x3bf, ~u64{0} >> 10, true},
};
}  // namespace

// QEMU 7.2 gives another result than 32 where the low word is zero and the high one is not. Zbb, "Count
// Trailing Zero Bits in Word", and Spike say 32.
bool knows(Dialect dialect, const Row& row) {
    return dialect != Dialect::Qemu || (row.op != Op::CTZW && !is_missing(row.extension));
}
bool knows(Dialect dialect, const CompressedRow& row) {
    return dialect != Dialect::Qemu || !is_missing(row.extension);
}
std::span<const CsrProbe> probes(Dialect) { return kProbes; }
}  // namespace hartline::fuzz
